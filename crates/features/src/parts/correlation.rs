//! Whether an entity goes up and down with its peers.
//!
//! Time is cut into panes. Beside the entity's sum per pane (of a column, or of its events) there is that of its group,
//! the entity's own part included; the peers' is the group's less the entity's own. The correlation is over the last p
//! *complete* panes: the newest one has only begun, and that both are low in it says nothing. A mean per peer would be
//! the total by a constant, which a correlation does not see; so the total is what is kept. Peers that come or go shift
//! the total, as they would not shift the mean. Only entities of the same partition are seen.
//!
//! Panes count from the entity's first event on, if anybody of the group had a value in them; an entity that was silent
//! there has 0. The newest pane is the group's, so that both rings mean the same times. An event older than the ring
//! changes nothing. An entity that moves to another group is compared rightly again after p panes.
//!
//! ```text
//! entity  newest pane | first pane (NaN: no event yet) | sums: p + 1 slots        pane number q lies in slot q mod (p + 1)
//! group   newest pane (NaN: no event yet) | p + 1 slots of: sum | number of values
//! ```

use crate::accumulator::usable;
use crate::behind::Behind;
use crate::spec::CORRELATION_PANES_MIN;

/// A standard deviation below this part of the largest sum is rounding.
const DEVIATION_RELATIVE_MIN: f64 = 1e-9;
const OWN_HEAD: usize = 2;
const GROUP_HEAD: usize = 1;

/// Pearson's correlation between the entity's sum per pane and its peers'. Range: −1..=1. Does not exist with fewer
/// than 4 panes with values, nor if one of both does not vary.
#[derive(Clone, Debug)]
pub(crate) struct Correlation {
    /// The column summed up; `None` counts events.
    pub(crate) input: Option<usize>,
    /// Length of a pane.
    pub(crate) pane_micros: i64,
    /// p.
    pub(crate) panes: usize,
    pub(crate) outputs: Vec<usize>,
}

impl Correlation {
    fn slots(&self) -> usize {
        self.panes + 1
    }

    pub(crate) fn entity_words(&self) -> usize {
        OWN_HEAD + self.slots()
    }

    pub(crate) fn group_words(&self) -> usize {
        GROUP_HEAD + 2 * self.slots()
    }

    pub(crate) fn clear(&self, own: &mut [f64], group: &mut [f64]) {
        own[..self.entity_words()].fill(0.0);
        group[..self.group_words()].fill(0.0);
        own[..OWN_HEAD].fill(f64::NAN);
        group[0] = f64::NAN;
    }

    /// Takes the event's value in and writes the correlation of the panes before the newest. A null value changes
    /// nothing.
    #[inline]
    pub(crate) fn fold(&self, own: &mut [f64], group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let value = self.input.map_or(1.0, |input| inputs[input]);
        if usable(value) {
            self.take(own, group, time.div_euclid(self.pane_micros.max(1)), value);
        }
        let correlation = self.correlation(own, group);
        for output in &self.outputs {
            out[*output] = correlation;
        }
    }

    /// What stands behind it: the complete panes since the entity's first event.
    pub(crate) fn behind(&self, own: &[f64]) -> Behind {
        let complete = if own[1].is_nan() { 0.0 } else { (own[0] - own[1]).clamp(0.0, self.panes as f64) };
        let panes = Some((complete as usize, self.panes));
        Behind { samples: Some(complete), needed: CORRELATION_PANES_MIN as f64, panes, ..Behind::default() }
    }

    fn slot(&self, pane: f64) -> usize {
        (pane as i64).rem_euclid(self.slots() as i64) as usize
    }

    fn take(&self, own: &mut [f64], group: &mut [f64], pane: i64, value: f64) {
        // Numbers of panes are compared as they are stored.
        let pane = pane as f64;
        self.advance(group, GROUP_HEAD, 2, pane);
        self.advance(own, OWN_HEAD, 1, group[0]);
        if own[0] - pane > self.panes as f64 {
            return;
        }
        own[1] = own[1].min(pane);
        let slot = self.slot(pane);
        own[OWN_HEAD + slot] += value;
        group[GROUP_HEAD + 2 * slot] += value;
        group[GROUP_HEAD + 2 * slot + 1] += 1.0;
    }

    /// Moves a ring on to the pane, if that is newer than all before.
    fn advance(&self, words: &mut [f64], head: usize, width: usize, pane: f64) {
        let passed = pane - words[0];
        if passed.is_nan() || passed >= self.slots() as f64 {
            words[head..head + width * self.slots()].fill(0.0);
        } else {
            for back in 0..passed.max(0.0) as usize {
                let at = head + width * self.slot(pane - back as f64);
                words[at..at + width].fill(0.0);
            }
        }
        words[0] = words[0].max(pane);
    }

    /// The correlation as of the entity's newest pane.
    fn correlation(&self, own: &[f64], group: &[f64]) -> f64 {
        let (newest, first) = (own[0], own[1]);
        if first.is_nan() {
            return f64::NAN;
        }
        // The group may have moved on since; the slots of the panes that it left behind hold newer ones.
        let oldest = first.max(group[0] - self.panes as f64);
        let panes = (1..=self.panes).map(|back| newest - back as f64).filter(|pane| *pane >= oldest);
        let pairs = panes.filter_map(|pane| {
            let slot = self.slot(pane);
            let at = GROUP_HEAD + 2 * slot;
            let own = own[OWN_HEAD + slot];
            (group[at + 1] > 0.0).then_some((own, group[at] - own))
        });
        pearson(pairs, group[GROUP_HEAD..].iter().step_by(2).fold(0.0, |scale, sum| sum.abs().max(scale)))
    }
}

/// Returns Pearson's correlation of pairs no larger than `scale`; NaN if there are too few or one of both is constant.
fn pearson(pairs: impl Iterator<Item = (f64, f64)> + Clone, scale: f64) -> f64 {
    let (mut n, mut sums) = (0_usize, (0.0, 0.0));
    for (x, y) in pairs.clone() {
        n += 1;
        sums = (sums.0 + x, sums.1 + y);
    }
    if n < CORRELATION_PANES_MIN {
        return f64::NAN;
    }
    let means = (sums.0 / n as f64, sums.1 / n as f64);
    let (mut xx, mut yy, mut xy, mut largest) = (0.0, 0.0, 0.0, 0.0_f64);
    for (x, y) in pairs {
        let (dx, dy) = (x - means.0, y - means.1);
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
        largest = largest.max(x.abs());
    }
    let varies = |squares: f64, scale: f64| (squares / n as f64).sqrt() > DEVIATION_RELATIVE_MIN * scale;
    if !varies(xx, largest) || !varies(yy, scale) {
        return f64::NAN;
    }
    (xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::drive::{Noise, near, wild};
    use super::*;
    use proptest::prelude::*;

    fn part(input: Option<usize>, panes: usize) -> Correlation {
        Correlation { input, pane_micros: 100, panes, outputs: vec![0] }
    }

    /// Entities of one group.
    struct Group {
        part: Correlation,
        entities: Vec<Vec<f64>>,
        group: Vec<f64>,
    }

    impl Group {
        fn new(part: Correlation, entities: usize) -> Self {
            let (mut own, mut group) = (vec![7.5; part.entity_words()], vec![7.5; part.group_words()]);
            part.clear(&mut own, &mut group);
            Self { part, entities: vec![own; entities], group }
        }

        fn fold(&mut self, entity: usize, time: i64, value: f64) -> f64 {
            let mut out = [7.5];
            self.part.fold(&mut self.entities[entity], &mut self.group, time, &[value], &mut out);
            out[0]
        }
    }

    #[test]
    fn who_goes_with_the_others_has_one_and_who_goes_against_them_minus_one() {
        let mut group = Group::new(part(Some(0), 12), 3);
        for pane in 0..20_i64 {
            let level = [1.0, 5.0, 2.0, 8.0, 3.0][pane as usize % 5];
            let with = group.fold(0, pane * 100, 10.0 * level);
            group.fold(1, pane * 100 + 1, 100.0 * level);
            let against = group.fold(2, pane * 100 + 2, 20.0 - 2.0 * level);
            assert_eq!((with.is_nan(), against.is_nan()), (pane < 4, pane < 4));
            assert!(pane < 4 || (near(with, 1.0, 1e-9) && near(against, -1.0, 1e-9)), "{with} {against}");
        }
    }

    #[test]
    fn events_are_counted_and_silence_is_zero() {
        let mut group = Group::new(part(None, 12), 2);
        for pane in 0..8_i64 {
            let busy = pane % 2 == 0;
            for event in 0..if busy { 30 } else { 10 } {
                group.fold(1, pane * 100 + event, 0.0);
            }
            if busy {
                group.fold(0, pane * 100 + 50, 0.0);
            }
        }
        assert!(near(group.fold(0, 850, 0.0), 1.0, 1e-9));
    }

    #[test]
    fn without_peers_or_variance_it_does_not_exist() {
        let (mut alone, mut constant) = (Group::new(part(Some(0), 12), 1), Group::new(part(Some(0), 12), 2));
        let mut noise = Noise::new(1);
        for pane in 0..20 {
            assert!(alone.fold(0, pane * 100, noise.normal()).is_nan());
            assert!(constant.fold(0, pane * 100, noise.normal()).is_nan());
            constant.fold(1, pane * 100, 3.3);
        }
    }

    /// The slow, obvious twin: all values that came, of the panes before the newest.
    fn twin(taken: &[(usize, i64, f64)], entity: usize, newest: i64, panes: i64) -> f64 {
        let Some(first) = taken.iter().filter(|(who, ..)| *who == entity).map(|(_, pane, _)| *pane).min() else {
            return f64::NAN;
        };
        let sum = |pane: i64, own: bool| -> f64 {
            taken.iter().filter(|(who, at, _)| (*who == entity) == own && *at == pane).map(|(.., value)| value).sum()
        };
        let counted = |pane: &i64| taken.iter().any(|(_, at, _)| at == pane);
        let counted = (newest - panes..newest).filter(|pane| *pane >= first).filter(counted);
        let pairs: Vec<_> = counted.map(|pane| (sum(pane, true), sum(pane, false))).collect();
        let n = pairs.len() as f64;
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
        let xx = mean(&|pair| (pair.0 - x).powi(2));
        let yy = mean(&|pair| (pair.1 - y).powi(2));
        let known = pairs.len() >= 4 && xx > 1e-9 && yy > 1e-9;
        if known { mean(&|pair| (pair.0 - x) * (pair.1 - y)) / (xx * yy).sqrt() } else { f64::NAN }
    }

    proptest! {
        #[test]
        fn it_agrees_with_its_twin(
            panes in 4..16_usize,
            steps in prop::collection::vec((0..3_usize, -120..170_i64, prop_oneof![9 => (0..50_i32).prop_map(f64::from), 1 => Just(f64::NAN)]), 1..150),
        ) {
            let mut group = Group::new(part(Some(0), panes), 3);
            let (mut taken, mut now, mut newest) = (Vec::new(), 0_i64, i64::MIN);
            for (entity, step, value) in steps {
                now += step;
                let pane = now.div_euclid(100);
                let out = group.fold(entity, now, value);
                if value.is_nan() {
                    continue;
                }
                newest = newest.max(pane);
                // What is too old changes nothing.
                taken.extend((newest - pane <= panes as i64).then_some((entity, pane, value)));
                let expected = twin(&taken, entity, newest, panes as i64);
                prop_assert!(near(out, expected, 1e-9), "{out} {expected}");
            }
        }

        #[test]
        fn it_is_never_beyond_one(pane_micros in 1..i64::MAX, events in wild()) {
            let mut group = Group::new(Correlation { pane_micros, ..part(Some(0), 5) }, 2);
            for (time, value, other) in events {
                for (entity, value) in [(0, value), (1, other)] {
                    let out = group.fold(entity, time, value);
                    prop_assert!(out.is_nan() || out.abs() <= 1.0, "{out}");
                }
            }
        }
    }
}
