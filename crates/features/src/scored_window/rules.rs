use sha2::{Digest, Sha256};

use super::columns::WindowMeasure;
use super::layout::Layout;
use super::spec::{ScoredWindowSpec, Texts, WindowKind};

/// No bound. All sums with it saturate.
pub(super) const NEVER: i64 = i64::MAX;
/// Times beyond are taken for this, either way, so that no sum of times and lengths overflows: the year 75,000.
pub(super) const TIME_MAX: i64 = i64::MAX / 4;

/// Stands before what is said of texts; no column's name is as long.
const TEXTS_MARK: u64 = u64::MAX;
/// Stands before the fewest events of a row.
const EVENTS_MIN_MARK: u64 = u64::MAX - 1;

/// How an entity's events are cut into windows that lie apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    Tumbling { size: i64 },
    Session { gap: i64, age: i64 },
    Count { events: u64, gap: i64, age: i64 },
}

/// The panes of windows that overlap: `panes` of one step each make a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slide {
    pub(super) step: i64,
    pub(super) panes: i64,
}

/// Whether windows lie apart or overlap.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Apart(Cut),
    Sliding(Slide),
}

impl Shape {
    pub(super) fn of(kind: &WindowKind) -> Self {
        match *kind {
            WindowKind::Tumbling { size_micros } => Self::Apart(Cut::Tumbling { size: size_micros }),
            WindowKind::Sliding { size_micros, step_micros } => {
                Self::Sliding(Slide { step: step_micros, panes: size_micros / step_micros })
            }
            WindowKind::Session { gap_micros, age_micros_max } => {
                Self::Apart(Cut::Session { gap: gap_micros, age: age_micros_max.unwrap_or(NEVER) })
            }
            WindowKind::CountOrTimeout { events, gap_micros, age_micros_max } => Self::Apart(Cut::Count {
                events,
                gap: gap_micros.unwrap_or(NEVER),
                age: age_micros_max.unwrap_or(NEVER),
            }),
        }
    }
}

/// What holds for all windows of a partition.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) lateness: i64,
    pub(super) early: Option<i64>,
    pub(super) layout: Layout,
    /// Events without which a window gives no row.
    pub(super) events_min: u64,
    /// Windows or panes at most.
    pub(super) open_max: usize,
}

/// One event, its time within [`TIME_MAX`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    pub(super) key: &'a str,
    pub(super) time: i64,
    pub(super) offset: i64,
    pub(super) inputs: &'a [f64],
    pub(super) text: Option<&'a str>,
}

/// Returns a name for the meaning of the state. Lateness and early rows are not in it: they may change over a restart; so
/// may the fewest events of a row, but for sliding windows, where what was told follows from it.
/// Each text goes in with its length before it, so that no two specs give the same bytes; what a spec lacks goes in as
/// nothing, after a mark that is no length.
pub(super) fn digest_of(spec: &ScoredWindowSpec) -> [u8; 32] {
    let bound = |bound: Option<i64>| bound.unwrap_or(NEVER);
    let (kind, numbers) = match spec.kind {
        WindowKind::Tumbling { size_micros } => (0_u8, [size_micros, 0, 0]),
        WindowKind::Sliding { size_micros, step_micros } => (1, [size_micros, step_micros, 0]),
        WindowKind::Session { gap_micros, age_micros_max } => (2, [gap_micros, bound(age_micros_max), 0]),
        WindowKind::CountOrTimeout { events, gap_micros, age_micros_max } => {
            (3, [events as i64, bound(gap_micros), bound(age_micros_max)])
        }
    };
    let mut hash = Sha256::new();
    hash.update([kind]);
    numbers.iter().for_each(|number| hash.update(number.to_le_bytes()));
    for column in &spec.columns {
        for text in [column.name.as_str(), column.measure.name(), column.column.as_deref().unwrap_or_default()] {
            put_text(&mut hash, text);
        }
        hash.update([u8::from(column.column.is_some())]);
        // Which of the two follows is said by the measure.
        match column.measure {
            WindowMeasure::Counts => {
                hash.update((column.labels.len() as u64).to_le_bytes());
                column.labels.iter().for_each(|label| put_text(&mut hash, label));
            }
            WindowMeasure::Sequence => hash.update((column.length as u64).to_le_bytes()),
            _ => {}
        }
    }
    if let Some(Texts { events, bytes }) = spec.texts {
        [TEXTS_MARK, events as u64, bytes as u64].iter().for_each(|number| hash.update(number.to_le_bytes()));
    }
    if matches!(spec.kind, WindowKind::Sliding { .. }) && spec.events_min > 1 {
        [EVENTS_MIN_MARK, spec.events_min].iter().for_each(|number| hash.update(number.to_le_bytes()));
    }
    hash.finalize().into()
}

fn put_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}
