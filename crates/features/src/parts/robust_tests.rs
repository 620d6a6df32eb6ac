use super::super::drive::{Noise, driver, events, near, wild};
use super::*;
use lapwing_vocabulary::time::{HOUR, SECOND};
use proptest::prelude::*;

fn part(peers: bool) -> RobustBaseline {
    RobustBaseline { input: 0, length_micros: HOUR, peers, outputs: vec![0] }
}

/// Runs one value a second; answers all scores.
fn run(
    driver: &mut super::super::drive::Driver,
    seconds: std::ops::Range<i64>,
    mut of: impl FnMut(i64) -> f64,
) -> Vec<f64> {
    seconds.map(|second| driver.fold(second * SECOND, &[of(second)])[0]).collect()
}

fn share(scores: &[f64], of: impl Fn(f64) -> bool) -> f64 {
    scores.iter().filter(|z| of(**z)).count() as f64 / scores.len() as f64
}

#[test]
fn scores_of_normal_values_are_nearly_standard_normal() {
    for seed in 0..4 {
        let part = part(false);
        let (mut driver, mut noise) = (driver!(part, 1), Noise::new(seed));
        let scores = run(&mut driver, 0..20_000, |_| 500.0 + 7.0 * noise.normal());
        let scores = &scores[500..];
        let mean = scores.iter().map(|z| z.abs()).sum::<f64>() / scores.len() as f64;
        assert!((mean - 0.798).abs() < 0.04, "seed {seed}: mean |z| is {mean}, of a normal variable 0.798");
        let beyond = [1.0, 2.0, 3.0].map(|limit| share(scores, |z| z.abs() > limit));
        assert!((beyond[0] - 0.317).abs() < 0.03 && (beyond[1] - 0.0455).abs() < 0.012, "seed {seed}: {beyond:?}");
        assert!(beyond[2] < 0.01, "seed {seed}: {beyond:?}");
        assert!(scores.iter().all(|z| z.abs() < 6.0));
    }
}

#[test]
fn a_drifting_level_is_normal() {
    let part = part(false);
    let (mut driver, mut noise) = (driver!(part, 1), Noise::new(1));
    let scores = run(&mut driver, 0..40_000, |second| second as f64 / 3600.0 + noise.normal());
    let mean = scores[4000..].iter().sum::<f64>() / 36_000.0;
    assert!(mean < 1.3, "one standard deviation per time constant: it lags by about as much ({mean})");
    assert!(share(&scores[4000..], |z| z.abs() > 4.0) < 0.01);
}

#[test]
fn no_outlier_moves_it_by_more_than_a_step() {
    let part = part(false);
    for wild in [1e3, 1e9, 1e100, -1e100] {
        let (mut driver, mut noise) = (driver!(part, 1), Noise::new(2));
        run(&mut driver, 0..7200, |_| 100.0 + noise.normal());
        let (median, mad) = (driver.own[1], driver.own[2]);
        assert_eq!(driver.fold(7200 * SECOND, &[wild])[0].abs(), 50.0);
        assert!((driver.own[1] - median).abs() < 0.001 && driver.own[2] / mad < 1.004, "{wild}");
        run(&mut driver, 7200..7230, |_| wild);
        assert!((driver.own[1] - median).abs() < 0.03 && driver.own[2] / mad < 1.12, "{wild}");
    }
}

#[test]
fn wild_values_at_the_start_do_not_matter() {
    let part = part(false);
    let (mut driver, mut noise) = (driver!(part, 1), Noise::new(3));
    let scores = run(&mut driver, 0..2000, |second| if second % 7 == 0 && second < 20 { 1e12 } else { noise.normal() });
    assert!(scores[8..].iter().zip(8..).all(|(z, second)| (z.abs() == 50.0) == (second == 14)), "{:?}", &scores[..30]);
    assert!(share(&scores[100..], |z| z.abs() > 3.0) < 0.01);
}

#[test]
fn a_level_that_shifts_becomes_usual() {
    for shift in [20.0, 1000.0, -1e6] {
        let part = part(false);
        let (mut driver, mut noise) = (driver!(part, 1), Noise::new(4));
        run(&mut driver, 0..7200, |_| 100.0 + noise.normal());
        let scores = run(&mut driver, 7200..7200 + 40_000, |_| 100.0 + shift + noise.normal());
        assert!(scores[..60].iter().all(|z| z.abs() > 10.0), "{shift}");
        assert!(
            scores[5400..].iter().all(|z| z.abs() < 7.0),
            "{shift}: after one and a half time constants nothing is wild"
        );
        assert!(scores[3 * 3600..].iter().all(|z| z.abs() < 5.0), "{shift}");
        let settled = share(&scores[36_000..], |z| z.abs() > 1.0);
        assert!((settled - 0.317).abs() < 0.15 || shift.abs() > 1000.0, "{shift}: {settled}");
    }
}

#[test]
fn a_constant_can_be_left_and_a_new_constant_becomes_usual() {
    for (old, new) in [(7.0, 8.0), (0.0, 1000.0), (1e9, 0.0)] {
        let part = part(false);
        let mut driver = driver!(part, 1);
        assert!(run(&mut driver, 0..7200, |_| old).iter().all(|z| *z == 0.0));
        let scores = run(&mut driver, 7200..5 * 3600, |_| new);
        assert_eq!(scores[0].abs(), 50.0);
        assert!(scores[9000].abs() < 3.0, "{old} {new}: {}", scores[9000]);
    }
}

#[test]
fn a_new_entity_is_judged_by_its_peers() {
    let part = part(true);
    let (mut driver, mut noise) = (driver!(part, 1), Noise::new(5));
    run(&mut driver, 0..7200, |_| 100.0 + noise.normal());
    let mut other = driver!(part, 1);
    other.group.clone_from(&driver.group);
    let z = other.fold(7200 * SECOND, &[105.0])[0];
    assert!((z - 5.0).abs() < 0.7, "{z}");
    run(&mut other, 7200..7500, |_| 1000.0 + noise.normal());
    let z = other.fold(7500 * SECOND, &[1010.0])[0];
    assert!((z - 10.0).abs() < 4.0, "an entity of another level soon stands alone: {z}");
}

/// The slow, obvious twin at the start: median and MAD of all values.
fn twin(values: &[f64]) -> (f64, f64) {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
    };
    let median = middle(values.to_vec());
    (median, middle(values.iter().map(|value| (value - median).abs()).collect()))
}

proptest! {
    #[test]
    fn the_first_scores_are_those_of_the_values_so_far(events in events(-9.0..9.0_f64, 8, 12)) {
        let part = part(false);
        let mut driver = driver!(part, 1);
        let mut taken = Vec::new();
        for (time, value) in events {
            let out = driver.fold(time, &[value])[0];
            if value.is_nan() {
                prop_assert!(out.is_nan());
                continue;
            }
            let (median, mad) = if taken.len() < 5 { (value, 1.0) } else { twin(&taken) };
            prop_assert!(near(out, ((value - median) / (1.4826 * mad)).clamp(-50.0, 50.0), 1e-6));
            taken.push(value);
        }
    }

    /// The slow, obvious twin later on: median and MAD of all values, which the steps have to come near.
    #[test]
    fn it_comes_near_the_median_and_mad_of_everything(
        seed in any::<u64>(), level in -1e3..1e3_f64, scale in 0.01..100.0_f64, skew in 0.0..0.5_f64,
    ) {
        let part = RobustBaseline { length_micros: i64::MAX, ..part(false) };
        let (mut driver, mut noise) = (driver!(part, 1), Noise::new(seed));
        let mut taken = Vec::new();
        run(&mut driver, 0..1500, |_| {
            let normal = noise.normal();
            taken.push(level + scale * (normal + skew * normal.abs()));
            taken[taken.len() - 1]
        });
        let (median, mad) = twin(&taken);
        prop_assert!((driver.own[1] - median).abs() < 0.3 * mad, "{} {median} {mad}", driver.own[1]);
        prop_assert!((driver.own[2] / mad - 1.0).abs() < 0.3, "{} {mad}", driver.own[2]);
    }

    #[test]
    fn no_value_and_no_time_makes_it_forget_how_to_count(peers in any::<bool>(), events in wild()) {
        let part = part(peers);
        let mut driver = driver!(part, 1);
        for (time, value, _) in events {
            let z = driver.fold(time, &[value])[0];
            prop_assert!(z.is_nan() != (z.abs() <= 50.0));
            prop_assert_eq!(z.is_nan(), !usable(value));
            prop_assert!(driver.own.iter().chain(&driver.group).all(|word| word.is_finite()));
        }
    }
}
