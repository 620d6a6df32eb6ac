//! What a baseline calls unusual, how it adapts, and what cannot move it.

mod drive;

use drive::{Driver, Event, baseline, measure, spec};
use lapwing_features::{Over, Z_MAX};
use lapwing_vocabulary::time::{HOUR, SECOND};
use proptest::prelude::*;

fn driver() -> Driver {
    Driver::new(vec![spec("usual", measure("zscore", "x"), baseline(HOUR))])
}

fn fold(driver: &mut Driver, entity: usize, time: i64, value: f64) -> f64 {
    driver.fold(Event { entity, time, inputs: vec![value] })[0]
}

/// Around `level` with a standard deviation of 1 (the values −√1.5, 0 and √1.5 in turn have variance 1).
fn regular(level: f64, second: i64) -> f64 {
    level + [-1.5_f64.sqrt(), 0.0, 1.5_f64.sqrt()][second.rem_euclid(3) as usize]
}

/// Runs one regular event a second and answers the last z-score.
fn run(driver: &mut Driver, level: f64, seconds: std::ops::Range<i64>) -> f64 {
    seconds.map(|second| fold(driver, 0, second * SECOND, regular(level, second))).last().unwrap()
}

#[test]
fn nothing_is_unusual_until_something_is_known() {
    let mut driver = driver();
    assert_eq!(fold(&mut driver, 0, 0, 1e9), 0.0);
    assert_eq!(fold(&mut driver, 1, 1, -5.0), 0.0);
    assert!(fold(&mut driver, 0, 2, f64::NAN).is_nan());
}

#[test]
fn the_score_counts_standard_deviations_before_the_event_and_is_clipped() {
    let mut driver = driver();
    run(&mut driver, 100.0, 0..7200);
    let z = fold(&mut driver, 0, 7200 * SECOND, 105.0);
    assert!((z - 5.0).abs() < 0.05, "{z}");
    assert_eq!(fold(&mut driver, 0, 7200 * SECOND, 1e6), Z_MAX);
    assert_eq!(fold(&mut driver, 0, 7200 * SECOND, -1e6), -Z_MAX);
}

#[test]
fn a_burst_of_outliers_hardly_moves_it() {
    let mut driver = driver();
    run(&mut driver, 100.0, 0..7200);
    for second in 7200..7230 {
        assert_eq!(fold(&mut driver, 0, second * SECOND, 1e9), Z_MAX, "each of the burst is seen");
    }
    let usual = fold(&mut driver, 0, 7230 * SECOND, 100.0);
    assert!(usual.abs() < 0.2, "{usual}");
    let unusual = fold(&mut driver, 0, 7230 * SECOND, 110.0);
    assert!(unusual > 6.0, "{unusual}");
}

#[test]
fn a_level_that_stays_becomes_usual_within_the_length() {
    let mut driver = driver();
    run(&mut driver, 100.0, 0..7200);
    assert_eq!(fold(&mut driver, 0, 7200 * SECOND, 1100.0), Z_MAX);
    let half = run(&mut driver, 1100.0, 7200..7200 + 2400);
    assert!(half.abs() < 6.0, "{half}");
    let whole = run(&mut driver, 1100.0, 9600..7200 + 3600);
    assert!(whole.abs() < 2.0, "{whole}");
    run(&mut driver, 1100.0, 10_800..10_800 + 20 * 3600);
    let old = fold(&mut driver, 0, (10_800 + 20 * 3600) * SECOND, 1110.0);
    assert!((old - 10.0).abs() < 0.5, "the old level is forgotten and the spread is that of the new one: {old}");
}

#[test]
fn a_constant_can_be_left_and_a_new_constant_becomes_usual() {
    let mut driver = driver();
    (0..3600).for_each(|second| assert_eq!(fold(&mut driver, 0, second * SECOND, 7.0), 0.0));
    assert_eq!(fold(&mut driver, 0, 3600 * SECOND, 8.0), Z_MAX);
    (3600..2 * 3600 + 1800).for_each(|second| {
        fold(&mut driver, 0, second * SECOND, 8.0);
    });
    let z = fold(&mut driver, 0, 9000 * SECOND, 8.0);
    assert!(z.abs() < 3.0, "{z}");
}

#[test]
fn after_nothing_but_zeros_a_new_level_becomes_usual_too() {
    let mut driver = driver();
    (0..3600).for_each(|second| assert_eq!(fold(&mut driver, 0, second * SECOND, 0.0), 0.0));
    assert_eq!(fold(&mut driver, 0, 3600 * SECOND, 1000.0), Z_MAX);
    (3600..3 * 3600).for_each(|second| {
        fold(&mut driver, 0, second * SECOND, 1000.0);
    });
    let z = fold(&mut driver, 0, 3 * HOUR, 1000.0);
    assert!(z.abs() < 3.0, "{z}");
}

#[test]
fn the_first_event_of_a_new_entity_is_judged_by_the_partition() {
    let mut driver = driver();
    run(&mut driver, 100.0, 0..3600);
    let z = fold(&mut driver, 1, 3600 * SECOND, 104.0);
    assert!((z - 4.0).abs() < 0.1, "{z}");
    assert_eq!(fold(&mut driver, 2, 3600 * SECOND, 1e6), Z_MAX);
}

#[test]
fn an_entity_of_another_level_soon_stands_alone() {
    let mut driver = driver();
    for second in 0..3600 {
        fold(&mut driver, 0, second * SECOND, regular(1e6, second) * 100.0);
        fold(&mut driver, 1, second * SECOND, regular(100.0, second));
    }
    run(&mut driver, 1e6, 3600..3601);
    let z = fold(&mut driver, 1, 3600 * SECOND, 110.0);
    assert!((z - 10.0).abs() < 0.5, "{z}");
}

#[test]
fn an_event_that_comes_late_weighs_less_and_time_does_not_go_back() {
    let (mut late, mut none) = (driver(), driver());
    for driver in [&mut late, &mut none] {
        run(driver, 100.0, 0..3600);
    }
    fold(&mut late, 0, -20 * 3600 * SECOND, 105.0);
    let (a, b) = (fold(&mut late, 0, 3600 * SECOND, 103.0), fold(&mut none, 0, 3600 * SECOND, 103.0));
    assert!((a - b).abs() < 1e-6, "{a} {b}");
}

/// Judged by its peers: entities of even number are of one kind, those of odd number of another.
fn with_peers() -> Driver {
    let over = Over::Baseline { length_micros: HOUR, season: None, peers: Some("kind".into()) };
    Driver::new(vec![
        spec("usual", measure("zscore", "x"), over),
        spec("plain", measure("zscore", "x"), baseline(HOUR)),
    ])
}

#[test]
fn an_entity_never_seen_before_is_judged_by_its_peers() {
    let mut driver = with_peers();
    for second in 0..3600 {
        for (entity, level) in [(0, 1000.0), (1, 10.0), (2, 1000.0), (3, 10.0)] {
            driver.fold(Event { entity, time: second * SECOND, inputs: vec![regular(level, second)] });
        }
    }
    let mut z = |entity, value| driver.fold(Event { entity, time: 3600 * SECOND, inputs: vec![value] });
    let (odd, even) = (z(5, 1000.0), z(6, 1000.0));
    assert_eq!(odd[0], Z_MAX, "strange for its kind");
    assert!(odd[1].abs() < 2.0, "and usual for the partition: {odd:?}");
    assert!(even[0].abs() < 0.1, "{even:?}");
    let third = z(7, 13.0);
    assert!((third[0] - 3.0).abs() < 1.0, "{third:?}");
}

#[test]
fn a_kind_never_seen_before_is_judged_by_the_partition() {
    let mut driver = with_peers();
    for second in 0..3600 {
        driver.fold(Event { entity: 0, time: second * SECOND, inputs: vec![regular(100.0, second)] });
    }
    let first = driver.fold(Event { entity: 1, time: 3600 * SECOND, inputs: vec![104.0] });
    assert!((first[0] - 4.0).abs() < 0.1 && (first[1] - 4.0).abs() < 0.1, "{first:?}");
}

/// The slow, obvious twin of an undisturbed baseline: weighs all values anew.
fn twin(past: &[(i64, f64)], now: i64, value: f64) -> f64 {
    let weight = |time: i64| (-((now - time) as f64) / HOUR as f64).exp();
    let sum = |of: &dyn Fn(f64) -> f64| past.iter().map(|(time, x)| weight(*time) * of(*x)).sum::<f64>();
    let mean = sum(&|x| x) / sum(&|_| 1.0);
    let variance = sum(&|x| (x - mean) * (x - mean)) / sum(&|_| 1.0);
    (value - mean) / variance.sqrt()
}

proptest! {
    #[test]
    fn it_agrees_with_its_twin_while_nothing_is_an_outlier(
        noise in prop::collection::vec((0..20 * SECOND, -1.0..1.0_f64), 60..120),
    ) {
        let mut driver = driver();
        let (mut past, mut now) = (Vec::new(), 0);
        for (index, (step, noise)) in noise.into_iter().enumerate() {
            now += step;
            let value = 50.0 + noise + regular(0.0, index as i64);
            let z = fold(&mut driver, 0, now, value);
            if index > 55 {
                let expected = twin(&past, now, value);
                prop_assert!((z - expected).abs() < 1e-6, "{} {}", z, expected);
            }
            past.push((now, value));
        }
    }

    #[test]
    fn no_value_and_no_time_makes_it_forget_how_to_count(
        events in prop::collection::vec((any::<i64>(), any::<f64>()), 1..50),
    ) {
        let mut driver = driver();
        for (time, value) in events {
            let z = fold(&mut driver, 0, time, value);
            prop_assert!(z.is_nan() || z.abs() <= Z_MAX);
            prop_assert_eq!(z.is_nan(), value.is_nan() || value.abs() > 1e120);
        }
    }
}
