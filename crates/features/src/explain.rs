//! Every feature of an entity with what stands behind it, for people to look at.

use lapwing_vocabulary::EventTime;

use crate::behind::FeatureState;
use crate::graph::Graph;
use crate::rows::Common;
use crate::spec::Learn;

impl Graph {
    /// Returns every feature as it is at a moment, with what stands behind it. Those that judge an event's own value, or
    /// compare it with the one before, have no value without one.
    /// Shape: `entity` has `entity_words` values, `shared` `shared_words`; the result has one per name.
    pub fn explain(&self, entity: &[f64], shared: &[f64], now: EventTime) -> Vec<FeatureState> {
        let named = |name: &String| FeatureState { name: name.clone(), ..FeatureState::default() };
        let mut states: Vec<FeatureState> = self.names().iter().map(named).collect();
        let (mut hot, mut rings) = entity.split_at(self.hot_words);
        for window in &self.windows {
            let (mine, rest) = hot.split_at(window.hot_words());
            let (ring, other_rings) = rings.split_at(window.ring_words());
            window.explain(mine, ring, now.0, self.columns().len(), &mut states);
            (hot, rings) = (rest, other_rings);
        }
        for placed in &self.baselines {
            let behind = placed.baseline.behind(&entity[placed.own_at..], Some(&shared[placed.shared_at..]), now.0);
            for output in &placed.baseline.outputs {
                behind.put(&mut states[*output]);
                states[*output].is_frozen = placed.baseline.learn == Learn::Off;
            }
        }
        for placed in &self.parts {
            // The group of an entity is named by its events alone.
            let common = match &placed.common {
                Common::Shared(range) => Some(&shared[range.clone()]),
                Common::Groups(_) => None,
            };
            let behind = placed.part.behind(&entity[placed.own.clone()], common, now.0);
            for (output, value) in placed.part.known(&entity[placed.own.clone()]) {
                behind.put(&mut states[output]);
                (states[output].value, states[output].is_frozen) = (value, placed.learn == Learn::Off);
            }
        }
        states
    }
}
