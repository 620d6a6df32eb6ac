use super::super::drive::{Noise, driver, events, wild};
use super::*;
use crate::input::Input;
use crate::spec::{Learn, Nulls, Season};
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};
use proptest::prelude::*;

fn plain(length_micros: i64) -> Surprise {
    let input = Input { index: 0, nulls: Nulls::Skip };
    let baseline = Baseline { input, length_micros, peers: None, learn: Learn::Robust, outputs: vec![] };
    Surprise { input: 0, usual: UsualBy::Baseline(baseline), length_micros, outputs: vec![0] }
}

fn daily(length_micros: i64) -> Surprise {
    let season = Seasonal { input: 0, length_micros, season: Season::Day, winsorise: true, outputs: vec![] };
    Surprise { input: 0, usual: UsualBy::Season(season), length_micros, outputs: vec![0] }
}

#[test]
fn the_bounds_of_buckets_reach_the_largest_deviation() {
    const { assert!(BOUNDS[BUCKETS - 2] > 40.0 && BOUNDS[BUCKETS - 1] > 50.0) };
    for (bucket, pair) in BOUNDS.windows(2).enumerate() {
        assert!(pair[0] < pair[1]);
        assert_eq!(bucket_of(pair[0]), (bucket + 1).min(BUCKETS - 1));
    }
    assert_eq!((bucket_of(0.0), bucket_of(1e9)), (0, BUCKETS - 1));
}

#[test]
fn bits_are_those_of_the_share_seen() {
    let part = plain(i64::MAX);
    let (mut driver, mut noise) = (driver!(part, 1), Noise::new(1));
    let mut bits: Vec<f64> = (0..20_000).map(|time| driver.fold(time, &[noise.normal()])[0]).collect();
    let late = &mut bits[10_000..];
    // Normal tails fall faster than exponential ones, so the highest are rarer than said.
    for (wanted, tolerance) in [(1.0, 0.3), (3.0, 0.3), (6.0, 0.5), (9.0, 1.5)] {
        let share = late.iter().filter(|bits| **bits >= wanted).count() as f64 / late.len() as f64;
        let seen = -share.log2();
        assert!((seen - wanted).abs() < tolerance, "{wanted} bits were as rare as {seen}");
    }
}

#[test]
fn beyond_everything_seen_larger_is_more_surprising() {
    let part = plain(i64::MAX);
    let (mut driver, mut noise) = (driver!(part, 1), Noise::new(2));
    (0..1000).for_each(|time| drop(driver.fold(time, &[noise.normal()])));
    let mut last = 0.0;
    for value in [3.5, 4.0, 5.0, 8.0, 12.0] {
        let mut again = driver!(part, 1);
        (again.own, again.group) = (driver.own.clone(), driver.group.clone());
        let bits = again.fold(1000, &[value])[0];
        assert!(bits > last && bits <= SURPRISE_MAX, "{value}: {bits} after {last}");
        last = bits;
    }
    assert!(last > 20.0);
}

#[test]
fn an_entity_that_is_wild_by_nature_is_not_surprising_when_it_is_wild() {
    let part = plain(i64::MAX);
    let (mut wild, mut calm, mut noise) = (driver!(part, 1), driver!(part, 1), Noise::new(3));
    for time in 0..2000 {
        let value = noise.normal();
        let leap = if time % 50 == 0 { 20.0 } else { 1.0 };
        wild.fold(time, &[value * leap]);
        calm.fold(time, &[value]);
    }
    let (wild, calm) = (wild.fold(2000, &[15.0])[0], calm.fold(2000, &[15.0])[0]);
    assert!(wild < 9.0 && calm > 20.0, "{wild} and {calm}");
}

#[test]
fn what_is_usual_at_noon_surprises_at_night() {
    let part = daily(7 * DAY);
    let (mut driver, mut noise) = (driver!(part, 1), Noise::new(4));
    let busy = |time: i64| if (8..18).contains(&(time.rem_euclid(DAY) / HOUR)) { 100.0 } else { 10.0 };
    for minute in 0..14 * 1440 {
        driver.fold(minute * MINUTE, &[busy(minute * MINUTE) + noise.normal()]);
    }
    let night = driver.fold(14 * DAY + 3 * HOUR, &[100.0])[0];
    let noon = driver.fold(14 * DAY + 12 * HOUR, &[100.0])[0];
    assert!(night > 20.0 && noon < 5.0, "{night} and {noon}");
}

#[test]
fn nothing_surprises_before_anything_is_known_and_null_changes_nothing() {
    let part = plain(HOUR);
    let mut driver = driver!(part, 1);
    let first: Vec<f64> = (0..5).map(|time| driver.fold(time, &[time as f64])[0]).collect();
    assert_eq!(first, [0.0; 5]);
    let before: Vec<u64> = driver.own.iter().map(|word| word.to_bits()).collect();
    assert!(driver.fold(5, &[f64::NAN])[0].is_nan());
    assert_eq!(before, driver.own.iter().map(|word| word.to_bits()).collect::<Vec<_>>());
}

/// The same in the open: every deviation is kept with its weight.
fn twin(deviations: &[(f64, f64)], deviation: f64) -> f64 {
    let total: f64 = deviations.iter().map(|(_, weight)| weight).sum();
    let spread = |at: usize| -> f64 {
        deviations.iter().filter(|(value, _)| bucket_of(*value) == at).map(|(_, weight)| weight).sum()
    };
    let at = bucket_of(deviation);
    let part = ((bound(at + 1) - deviation) / (bound(at + 1) - bound(at))).max(0.0);
    let above = (at + 1..BUCKETS).map(spread).sum::<f64>() + part * spread(at);
    let wanted = TAIL_WEIGHT_MIN.max(TAIL_SHARE * total);
    if above >= wanted {
        return ((total + 1.0) / (above + 1.0)).log2();
    }
    let start = (0..BUCKETS).rev().find(|start| (*start..BUCKETS).map(spread).sum::<f64>() >= wanted).unwrap_or(0);
    let top: f64 = (start..BUCKETS).map(spread).sum();
    if top == 0.0 {
        return 0.0;
    }
    let middle = |at: usize| (bound(at) + bound(at + 1)) / 2.0 - bound(start);
    let excess = (start..BUCKETS).map(|at| spread(at) * middle(at)).sum::<f64>() / top;
    let excess = excess.max(LEAST * bound(start)).max(LEAST);
    let tail = ((total + 1.0) / (top + 1.0).min(total + 1.0)).log2();
    (tail + (deviation - bound(start)).max(0.0) / excess * std::f64::consts::LOG2_E).min(SURPRISE_MAX)
}

proptest! {
    #[test]
    fn ranks_are_those_of_a_list_of_all_deviations(
        deviations in prop::collection::vec((0.0..60.0_f64, 0..2 * SECOND), 1..200),
    ) {
        let part = plain(MINUTE);
        let mut words = vec![0.0; HEAD + BUCKETS / 2];
        words[0] = f64::NAN;
        let (mut seen, mut now) = (Vec::<(f64, i64)>::new(), 0);
        for (deviation, step) in deviations {
            now += step;
            let aged: Vec<_> =
                seen.iter().map(|(value, time)| (*value, (-(now - time) as f64 / MINUTE as f64).exp())).collect();
            let (bits, slow) = (part.rank_and_count(&mut words, now as f64, deviation), twin(&aged, deviation));
            // Counts are single-precision.
            prop_assert!((bits - slow).abs() < 1e-3, "{bits} instead of {slow}");
            seen.push((deviation, now));
        }
    }

    #[test]
    fn a_fold_is_the_same_after_any_pause(events in events(-1e6..1e6, 80, MINUTE), at in 0..80_usize) {
        let part = daily(HOUR);
        let (mut whole, mut first, mut second) = (driver!(part, 1), driver!(part, 1), driver!(part, 1));
        for (index, (time, value)) in events.into_iter().enumerate() {
            let one = whole.fold(time, &[value]);
            if index == at {
                (second.own, second.group) = (first.own.clone(), first.group.clone());
            }
            let other = if index < at { first.fold(time, &[value]) } else { second.fold(time, &[value]) };
            prop_assert_eq!(one[0].to_bits(), other[0].to_bits());
        }
    }

    #[test]
    fn nothing_makes_it_panic_or_leave_its_range(events in wild()) {
        let part = plain(HOUR);
        let mut driver = driver!(part, 1);
        for (time, value, _) in events {
            let bits = driver.fold(time / 4, &[value])[0];
            prop_assert!(bits.is_nan() || (0.0..=SURPRISE_MAX).contains(&bits), "{bits}");
        }
    }
}
