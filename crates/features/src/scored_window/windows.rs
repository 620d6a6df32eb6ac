use lapwing_vocabulary::EventTime;

use super::apart::{Apart, MadeRoom};
use super::error::ScoredWindowError;
use super::layout::Layout;
use super::row::{Arrival, Closed, OpenWindow, Placement};
use super::rules::{Event, Rules, Shape, TIME_MAX, digest_of};
use super::sliding::Sliding;
use super::spec::ScoredWindowSpec;
use super::stored::{self, Stored};

/// All windows of one partition that are open, or kept to be amended.
#[derive(Clone, Debug)]
pub struct ScoredWindows {
    rules: Rules,
    names: Vec<String>,
    digest: [u8; 32],

    watermark: Option<i64>,
    store: Store,

    forced: u64,
    forgotten: u64,
    too_late: u64,
}

/// The windows, as they lie.
#[derive(Clone, Debug)]
pub(super) enum Store {
    Apart(Apart),
    Sliding(Sliding),
}

impl ScoredWindows {
    /// No windows yet. `open_max` is how many may be open or kept at once (of sliding windows: panes), at least 1;
    /// beyond it those that end first are forgotten if they are only kept, else closed before their time and counted.
    /// Errors: whatever [`ScoredWindowSpec::check`] refuses.
    pub fn new(spec: ScoredWindowSpec, open_max: usize) -> Result<Self, ScoredWindowError> {
        spec.check()?;
        let store = match Shape::of(&spec.kind) {
            Shape::Apart(cut) => Store::Apart(Apart::new(cut)),
            Shape::Sliding(slide) => Store::Sliding(Sliding::new(slide)),
        };
        let rules = Rules {
            lateness: spec.allowed_lateness_micros,
            early: spec.early_micros,
            layout: Layout::new(&spec.columns, spec.texts),
            events_min: spec.events_min,
            open_max: open_max.max(1),
        };
        let digest = digest_of(&spec);
        let names = spec.outputs();
        Ok(Self { rules, names, digest, watermark: None, store, forced: 0, forgotten: 0, too_late: 0 })
    }

    /// Names of a row's values, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Names of the columns that are read, in the order of [`Arrival::inputs`].
    pub fn columns(&self) -> &[String] {
        &self.rules.layout.columns
    }

    /// Moves the watermark on, then takes one event. Rows that come of it go to `out`: first those that the watermark
    /// has made due, as [`ScoredWindows::advance`] orders them, then withdrawn and amended ones of the event itself.
    pub fn observe(&mut self, arrival: Arrival, watermark: Option<EventTime>, out: &mut Vec<Closed>) -> Placement {
        if let Some(watermark) = watermark {
            self.advance(watermark, out);
        }
        let Arrival { key, time, offset, inputs, text } = arrival;
        let event = Event { key, time: time.0.clamp(-TIME_MAX, TIME_MAX), offset, inputs, text };
        let (rules, watermark) = (&self.rules, self.watermark);
        let placement = match &mut self.store {
            Store::Apart(apart) => apart.observe(rules, &event, watermark, out),
            Store::Sliding(sliding) => sliding.observe(rules, &event, watermark, out),
        };
        if matches!(placement, Placement::TooLate { .. }) {
            self.too_late += 1;
        }
        self.tidy(out);
        placement
    }

    /// Moves the watermark on; it never moves back. Rows that become due go to `out`, ordered by end, entity, start.
    pub fn advance(&mut self, watermark: EventTime, out: &mut Vec<Closed>) {
        let now = watermark.0.clamp(-TIME_MAX, TIME_MAX).max(self.watermark.unwrap_or(-TIME_MAX));
        self.watermark = Some(now);
        let from = out.len();
        match &mut self.store {
            Store::Apart(apart) => apart.advance(&self.rules, now, out),
            Store::Sliding(sliding) => sliding.advance(&self.rules, now, out),
        }
        out[from..].sort_by(|a, b| (a.end, &a.key, a.start).cmp(&(b.end, &b.key, b.start)));
    }

    /// Leaves the state as if the watermark had been told once more, and within its bounds.
    fn tidy(&mut self, out: &mut Vec<Closed>) {
        let (rules, watermark) = (&self.rules, self.watermark);
        let MadeRoom { forced, forgotten } = match &mut self.store {
            Store::Apart(apart) => {
                watermark.into_iter().for_each(|now| apart.expire(rules, now));
                apart.make_room(rules, out)
            }
            Store::Sliding(sliding) => {
                watermark.into_iter().for_each(|now| sliding.expire(rules, now));
                sliding.make_room(rules, watermark, out)
            }
        };
        self.forced += forced;
        self.forgotten += forgotten;
    }

    /// The watermark at which the next row is due if no more events come.
    pub fn next_deadline(&mut self) -> Option<EventTime> {
        let next = match &mut self.store {
            Store::Apart(apart) => apart.next_deadline(),
            Store::Sliding(sliding) => sliding.next_deadline(),
        };
        next.map(EventTime)
    }

    /// Number of windows that are open or kept; of sliding windows the number of panes.
    pub fn len(&self) -> usize {
        match &self.store {
            Store::Apart(apart) => apart.len(),
            Store::Sliding(sliding) => sliding.len(),
        }
    }

    /// Whether nothing is open or kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory of all windows, about. Looks at each of them. Units: bytes.
    pub fn memory_bytes(&self) -> usize {
        match &self.store {
            Store::Apart(apart) => apart.memory_bytes(),
            Store::Sliding(sliding) => sliding.memory_bytes(),
        }
    }

    /// Number of windows that were closed before their time to make room.
    pub fn forced(&self) -> u64 {
        self.forced
    }

    /// Number of rows that were left out because a window had fewer events than [`ScoredWindowSpec::events_min`]: one for
    /// each time that such a window ended, or was changed by a late event after its end.
    pub fn small(&self) -> u64 {
        match &self.store {
            Store::Apart(apart) => apart.small(),
            Store::Sliding(sliding) => sliding.small(),
        }
    }

    /// Number of windows (of sliding ones: panes) that were forgotten to make room while they could still be amended.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Number of events that were too late.
    pub fn too_late(&self) -> u64 {
        self.too_late
    }

    /// The windows of one entity that are open or kept, by start.
    pub fn inspect(&self, key: &str) -> Vec<OpenWindow> {
        match &self.store {
            Store::Apart(apart) => apart.inspect(&self.rules, key),
            Store::Sliding(sliding) => sliding.inspect(&self.rules, key, self.watermark),
        }
    }

    /// Writes everything remembered: the same state gives the same bytes. The form is drawn in `stored.rs`.
    pub fn encode(&self) -> Vec<u8> {
        let counts = [self.forced, self.forgotten, self.too_late, self.small()];
        stored::encode(&self.digest, self.watermark, counts, &self.store, &self.rules.layout)
    }

    /// Reads what [`ScoredWindows::encode`] has written for the same kind of windows with the same columns and
    /// texts; lateness, early rows, `open_max` and, but for sliding windows, `events_min` may be others. The bytes may be anything.
    /// Errors: a refused spec, or what is wrong with the bytes and where.
    pub fn decode(spec: ScoredWindowSpec, open_max: usize, bytes: &[u8]) -> Result<Self, String> {
        let shape = Shape::of(&spec.kind);
        let empty = Self::new(spec, open_max).map_err(|error| error.to_string())?;
        let Stored { watermark, counts, store } = stored::decode(bytes, &empty.digest, shape, &empty.rules)?;
        let [forced, forgotten, too_late, _] = counts;
        Ok(Self { watermark, store, forced, forgotten, too_late, ..empty })
    }
}
