//! What stands behind a feature: on how many values it rests, and what is usual.

use lapwing_vocabulary::EventTime;
use serde::Serialize;

/// A feature as memory has it, between two events.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FeatureState {
    /// Name of its column.
    pub name: String,
    /// What it is at this moment; `None` if it judges an event's own value, or has nothing to tell yet.
    pub value: Option<f64>,
    /// Values it rests on: their number, or their decayed weight. `None` where memory does not count them.
    pub samples: Option<f64>,
    /// How many must have come before an event for it to exist there.
    pub samples_needed: f64,
    /// With a baseline: how many it needs to judge by the entity's own past alone, without peers or partition.
    pub samples_alone: Option<f64>,
    /// Panes of its window that hold events, and all of them; `None` if it has no window.
    pub panes: Option<(usize, usize)>,
    /// What is usual for the entity by its own past.
    pub usual: Option<Level>,
    /// What is usual in the partition, by which a young entity is judged. With `peers` their group stands between, which
    /// the memory of an entity does not name.
    pub usual_of_all: Option<Level>,
    /// Part that the entity's own past has in what it is judged by; the rest is that of peers or partition. Range: 0..=1.
    pub own_share: Option<f64>,
    /// When its newest value was; `None` where memory keeps no time.
    pub newest: Option<EventTime>,
    /// Whether events leave what is usual as it is: `learn = "off"`.
    pub is_frozen: bool,
}

impl FeatureState {
    /// Whether an event now would find too little to compute it from.
    pub fn cannot_exist(&self) -> bool {
        self.samples.is_some_and(|samples| samples < self.samples_needed)
    }

    /// Whether an event now would be judged by peers or the partition too, or not at all, because the entity's own past
    /// is short.
    pub fn is_young(&self) -> bool {
        self.samples_alone.is_some() && self.own_share.is_none_or(|share| share < 1.0)
    }
}

/// What is usual.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Level {
    /// Mean, or median.
    pub mean: f64,
    /// Standard deviation, or what stands for it.
    pub spread: f64,
    /// Values it follows from: their number, or their decayed weight.
    pub weight: f64,
}

/// What is behind the features of one window, baseline or part; the fields are those of [`FeatureState`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behind {
    pub(crate) samples: Option<f64>,
    pub(crate) needed: f64,
    pub(crate) alone: Option<f64>,
    pub(crate) panes: Option<(usize, usize)>,
    pub(crate) usual: Option<Level>,
    pub(crate) usual_of_all: Option<Level>,
    pub(crate) own_share: Option<f64>,
    pub(crate) newest: Option<f64>,
}

impl Behind {
    /// Of something that keeps a few values and the time of the newest; NaN if there is none.
    pub(crate) fn past(newest: f64, samples: f64, needed: f64) -> Self {
        let newest = (!newest.is_nan()).then_some(newest);
        Self { samples: Some(samples), needed, newest, ..Self::default() }
    }

    pub(crate) fn put(&self, state: &mut FeatureState) {
        let Self { samples, needed, alone, panes, usual, usual_of_all, own_share, newest } = *self;
        (state.samples, state.samples_needed, state.samples_alone) = (samples, needed, alone);
        (state.panes, state.usual, state.usual_of_all, state.own_share) = (panes, usual, usual_of_all, own_share);
        state.newest = newest.map(|time| EventTime(time as i64));
    }
}
