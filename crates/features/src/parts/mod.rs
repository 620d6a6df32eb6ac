//! Parts of the feature graph that keep a fixed number of words per entity and some also per group of peers.
//!
//! **Shape.** All have the same four functions and no trait: `entity_words` and `group_words` say how much memory they
//! need, `clear` makes it remember nothing, `fold` takes one event and writes features to `out`. `inputs` holds one
//! value per column; NaN is null, and so is whatever is not [`usable`](crate::accumulator::usable). Categories come as
//! whole numbers below 2^53. A feature that does not exist is NaN. A null value changes nothing.
//!
//! **Order.** Everything is a fold: the same events in the same order of arrival give the same bits. What looks back to
//! *the* event before (previous, sequence, geo) goes by event time: an event older than the newest taken in has no
//! known predecessor, so none of these features exists for it and nothing changes; of events at the same time the later
//! arrival counts as the later one. What decays takes an older event with the weight that it would have by now. No
//! duration is ever negative.

/// The value before: last, delta, velocity, acceleration, time since.
mod previous;
/// The last few values.
mod sequence;
/// Distance and speed between consecutive places.
mod geo;
/// Whether a value is new to the entity.
mod first_seen;
/// Two single-precision numbers in one word.
mod packing;
/// How surprising a value is for the entity.
mod rarity;
/// Exponentially weighted mean.
mod ewma;
/// Deviation from a median, which outliers do not move.
mod robust;
/// Deviation from what is usual at this hour of the day or the week.
mod seasonal;
/// How rarely a value lies so far from what is usual.
mod surprise;
/// Whether an entity goes up and down with its peers.
mod correlation;
/// Any of them, made from a feature.
mod part;

#[cfg(test)]
mod drive;

pub(crate) use part::Part;
pub use surprise::SURPRISE_MAX;

const MICROS_PER_SECOND: f64 = 1e6;
