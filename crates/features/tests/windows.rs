//! The rolling window against a slow, obvious twin that keeps every event.

mod drive;

use drive::{Driver, Event, baseline, measure, spec, window};
use lapwing_features::{FeatureSpec, Graph, Over};
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};
use proptest::prelude::*;

/// The measures of a window that are exact, in the order in which the twin answers.
const EXACT: [&str; 10] = ["events", "count", "sum", "mean", "min", "max", "std", "zscore", "event_rate", "rate"];

fn exact_measures(length_micros: i64, panes: usize) -> Vec<FeatureSpec> {
    EXACT.map(|word| spec(word, measure(word, "x"), Over::Window { length_micros, panes })).to_vec()
}

fn every_measure(length: i64) -> Vec<FeatureSpec> {
    exact_measures(length, 12)
}

/// All events taken so far; every answer is computed from scratch.
#[derive(Default)]
struct Twin {
    length: i64,
    panes: i64,
    taken: Vec<(i64, f64)>,
}

impl Twin {
    fn pane(&self, time: i64) -> i64 {
        time.div_euclid((self.length + self.panes - 1) / self.panes)
    }

    fn fold(&mut self, time: i64, value: f64) -> Vec<f64> {
        let newest = self.taken.iter().map(|(time, _)| *time).chain([time]).max().unwrap();
        let oldest_pane = self.pane(newest) - self.panes + 1;
        let inside = |time: i64| self.pane(time) >= oldest_pane;
        let values = |taken: &[(i64, f64)]| -> Vec<f64> {
            taken.iter().filter(|(time, value)| inside(*time) && value.is_finite()).map(|(_, value)| *value).collect()
        };
        let zscore = zscore(value, &values(&self.taken));
        if inside(time) {
            self.taken.push((time, value));
        }
        let events = self.taken.iter().filter(|(time, _)| self.pane(*time) >= oldest_pane).count();
        let values: Vec<f64> = self
            .taken
            .iter()
            .filter(|(time, value)| self.pane(*time) >= oldest_pane && value.is_finite())
            .map(|(_, value)| *value)
            .collect();
        let (mean, deviation) = mean_and_deviation(&values);
        let extreme = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).unwrap_or(f64::NAN);
        let (count, sum) = (values.len() as f64, values.iter().sum::<f64>());
        let seconds = self.length as f64 / 1e6;
        let (smallest, largest) = (extreme(f64::min), extreme(f64::max));
        let rates = [events as f64 / seconds, sum / seconds];
        [&[events as f64, count, sum, mean, smallest, largest, deviation, zscore][..], &rates].concat()
    }
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = if values.is_empty() { f64::NAN } else { values.iter().sum::<f64>() / n };
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, if values.len() < 2 { f64::NAN } else { (squares / (n - 1.0)).sqrt() })
}

fn zscore(value: f64, others: &[f64]) -> f64 {
    let (mean, deviation) = mean_and_deviation(others);
    if deviation.is_nan() || !value.is_finite() {
        return f64::NAN;
    }
    if others.iter().all(|other| *other == value) {
        return 0.0;
    }
    ((value - mean) / deviation).clamp(-50.0, 50.0)
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-6 * a.abs().max(b.abs()).max(1.0)
}

/// Steps of event time from one event to the next: mostly small, sometimes back, sometimes over the whole window.
fn step() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 0..2 * SECOND,
        2 => 0..20 * SECOND,
        1 => -30 * SECOND..0,
        1 => -200 * SECOND..200 * SECOND,
    ]
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-500..500_i32).prop_map(|whole| f64::from(whole) / 4.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
    ]
}

proptest! {
    #[test]
    fn the_window_agrees_with_its_twin(
        start in prop_oneof![Just(0_i64), Just(1_700_000_000 * SECOND), Just(-90 * SECOND)],
        length in prop_oneof![Just(12 * SECOND), Just(MINUTE), Just(7 * SECOND + 1)],
        panes in prop_oneof![3 => Just(12_usize), 1 => Just(60_usize), 2 => 1..60_usize],
        events in prop::collection::vec((step(), value()), 1..150),
    ) {
        let mut driver = Driver::new(exact_measures(length, panes));
        let mut twin = Twin { length, panes: panes as i64, ..Twin::default() };
        let mut time = start;
        for (step, value) in events {
            time += step;
            let got = driver.fold(Event { entity: 0, time, inputs: vec![value] });
            let expected = twin.fold(time, value);
            for ((name, got), expected) in driver.graph.names().iter().zip(&got).zip(&expected) {
                prop_assert!(same(*got, *expected), "{name} at {time}: {got}, the twin says {expected}");
            }
        }
    }

    #[test]
    fn the_order_of_arrival_within_the_window_does_not_matter(
        events in prop::collection::vec((0..12 * SECOND, -500..500_i32), 2..40),
        turn in 0..40_usize,
    ) {
        let last = |events: &[(i64, i32)]| {
            let mut driver = Driver::new(every_measure(MINUTE));
            for (time, value) in events {
                driver.fold(Event { entity: 0, time: *time, inputs: vec![f64::from(*value)] });
            }
            let newest = Event { entity: 0, time: 13 * SECOND, inputs: vec![1.0] };
            driver.fold(newest)
        };
        let mut turned = events.clone();
        turned.rotate_left(turn % events.len());
        for (a, b) in last(&events).iter().zip(&last(&turned)) {
            prop_assert!(same(*a, *b), "{a} {b}");
        }
    }
}

/// The sketches, which do not depend on the order of values.
const SKETCHES: [&str; 6] = ["distinct", "median", "iqr_position", "robust_zscore", "entropy", "share"];

/// The slow, obvious twin of sketches over panes: a sketch of one pane that never ends, of the values in the window,
/// sorted, and at last the event's own.
fn one_pane(mut values: Vec<f64>, last: f64) -> Vec<u64> {
    let never = Over::Window { length_micros: 366 * DAY, panes: 1 };
    let mut driver = Driver::new(SKETCHES.map(|word| spec(word, measure(word, "x"), never.clone())).to_vec());
    values.sort_by(f64::total_cmp);
    let mut fold = |value| driver.fold(Event { entity: 0, time: 0, inputs: vec![value] });
    values.into_iter().for_each(|value| drop(fold(value)));
    fold(last).into_iter().map(f64::to_bits).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_sketch_of_panes_is_to_the_bit_that_of_all_values_in_the_window(
        panes in 1..8_usize,
        events in prop::collection::vec((step(), value()), 1..60),
    ) {
        let over = Over::Window { length_micros: MINUTE, panes };
        let mut driver = Driver::new(SKETCHES.map(|word| spec(word, measure(word, "x"), over.clone())).to_vec());
        let mut taken: Vec<(i64, f64)> = Vec::new();
        let (mut time, mut newest) = (0, i64::MIN);
        for (step, value) in events {
            time += step;
            let out = driver.fold(Event { entity: 0, time, inputs: vec![value] });
            newest = newest.max(time);
            let pane = |time: i64| time.div_euclid((MINUTE + panes as i64 - 1) / panes as i64);
            let inside = |time: i64| pane(newest) - pane(time) < panes as i64;
            let values = taken.iter().filter(|(time, _)| inside(*time)).map(|(_, value)| *value).collect();
            if inside(time) {
                let bits: Vec<u64> = out.into_iter().map(f64::to_bits).collect();
                prop_assert_eq!(bits, one_pane(values, value));
                taken.push((time, value));
            }
        }
    }
}

#[test]
fn an_event_older_than_the_window_changes_nothing_and_is_answered_all_the_same() {
    let mut driver = Driver::new(every_measure(MINUTE));
    driver.fold(Event { entity: 0, time: HOUR, inputs: vec![3.0] });
    let before = driver.state();
    let answer = driver.fold(Event { entity: 0, time: HOUR - 2 * MINUTE, inputs: vec![900.0] });
    assert_eq!(driver.state(), before);
    assert_eq!(&answer[..6], &[1.0, 1.0, 3.0, 3.0, 3.0, 3.0]);
}

#[test]
fn a_value_that_does_not_exist_is_nan() {
    let mut driver = Driver::new(every_measure(MINUTE));
    let answer = driver.fold(Event { entity: 0, time: 0, inputs: vec![f64::NAN] });
    assert_eq!(&answer[..3], &[1.0, 0.0, 0.0]);
    assert!(answer[3..8].iter().all(|value| value.is_nan()), "{answer:?}");
}

#[test]
fn the_zscore_leaves_the_event_itself_out() {
    let mut driver = Driver::new(vec![spec("z", measure("zscore", "x"), window(MINUTE))]);
    for value in [8.0, 12.0, 8.0, 12.0, 10.0] {
        driver.fold(Event { entity: 0, time: 0, inputs: vec![value] });
    }
    let z = driver.fold(Event { entity: 0, time: 1, inputs: vec![16.0] });
    assert_eq!(z, [3.0]);
}

#[test]
fn state_and_thus_the_work_per_event_do_not_grow_with_the_length() {
    let words = |length| Graph::new(every_measure(length)).unwrap().entity_words();
    assert_eq!(words(SECOND), words(366 * DAY));
    let specs = [MINUTE, 5 * MINUTE, HOUR].into_iter().flat_map(|length| {
        ["events", "sum", "std", "max"]
            .map(|word| spec(&format!("{word}_{length}"), measure(word, "x"), window(length)))
    });
    let mut specs: Vec<FeatureSpec> = specs.collect();
    specs.push(spec("usual", measure("zscore", "x"), baseline(DAY)));
    assert!(Graph::new(specs).unwrap().entity_words() * 8 <= 2048);
}

#[test]
fn times_at_the_ends_of_the_scale_do_not_overflow() {
    let mut driver = Driver::new(every_measure(SECOND));
    for time in [i64::MIN, i64::MAX, 0, i64::MIN, i64::MAX] {
        let answer = driver.fold(Event { entity: 0, time, inputs: vec![1.0] });
        assert!(answer[0] >= 1.0);
    }
}
