use super::super::drive::{Driver, Noise, driver, events, near, wild};
use super::*;
use lapwing_vocabulary::time::{DAY, MINUTE, SECOND};
use proptest::prelude::*;

fn part(season: Season, length_micros: i64) -> Seasonal {
    Seasonal { input: 0, length_micros, season, winsorise: true, outputs: vec![0] }
}

/// Busy from 8 to 18 o'clock.
fn daily(time: i64) -> f64 {
    if (8..18).contains(&(time.rem_euclid(DAY) / HOUR)) { 100.0 } else { 10.0 }
}

fn run(driver: &mut Driver, minutes: std::ops::Range<i64>, mut of: impl FnMut(i64) -> f64) -> Vec<f64> {
    minutes.map(|minute| driver.fold(minute * MINUTE, &[of(minute * MINUTE)])[0]).collect()
}

#[test]
fn busy_at_night_is_unusual_and_busy_by_day_is_not() {
    let part = part(Season::Day, 7 * DAY);
    let (mut driver, mut noise) = (driver!(part, 1), Noise::new(1));
    let scores = run(&mut driver, 0..14 * 1440, |time| daily(time) + noise.normal());
    let late = &scores[7 * 1440..];
    assert!(late.iter().all(|z| z.abs() < 6.0));
    let beyond = late.iter().filter(|z| z.abs() > 3.0).count() as f64 / late.len() as f64;
    assert!(beyond < 0.01, "{beyond}");
    let night = driver.fold(14 * DAY + 3 * HOUR, &[100.0])[0];
    assert_eq!(night, 50.0);
    let noon = driver.fold(14 * DAY + 12 * HOUR, &[105.0])[0];
    assert!(near(noon, 5.0, 1.0), "{noon}");
    assert_eq!(driver.fold(14 * DAY + 12 * HOUR, &[10.0]), [-50.0]);
}

#[test]
fn the_week_knows_its_days() {
    let part = part(Season::Week, 28 * DAY);
    assert_eq!(part.entity_words(), 341);
    let (mut driver, mut noise) = (driver!(part, 1), Noise::new(2));
    // The epoch was a Thursday: days 2 and 3 of its week are Saturday and Sunday.
    let level = |time: i64| if [2, 3].contains(&(time.div_euclid(DAY) % 7)) { 10.0 } else { daily(time) };
    run(&mut driver, 0..28 * 1440, |time| level(time) + noise.normal());
    let saturday = driver.fold(30 * DAY + 12 * HOUR, &[100.0])[0];
    let thursday = driver.fold(28 * DAY + 12 * HOUR, &[100.0])[0];
    assert_eq!(saturday, 50.0);
    assert!(thursday.abs() < 2.0, "{thursday}");
}

#[test]
fn an_hour_that_knows_nothing_falls_back_on_the_entity_and_that_on_its_group() {
    let part = part(Season::Day, 7 * DAY);
    let (mut driver, mut noise) = (driver!(part, 1), Noise::new(3));
    run(&mut driver, 0..60, |_| 50.0 + noise.normal());
    let fresh = driver.fold(5 * HOUR, &[56.0])[0];
    assert!(near(fresh, 6.0, 1.5), "{fresh}");
    let mut other = driver!(part, 1);
    other.group.clone_from(&driver.group);
    let first = other.fold(5 * HOUR, &[44.0])[0];
    assert!(near(first, -6.0, 1.5), "{first}");
}

#[test]
fn outliers_hardly_move_an_hour() {
    let part = part(Season::Day, 7 * DAY);
    let (mut driver, mut noise) = (driver!(part, 1), Noise::new(4));
    run(&mut driver, 0..7 * 1440, |_| 50.0 + noise.normal());
    (0..3).for_each(|second| assert_eq!(driver.fold(7 * DAY + second * SECOND, &[1e9]), [50.0]));
    let z = driver.fold(7 * DAY + 5 * SECOND, &[55.0])[0];
    // Three values at the limit of six, among a weight of some 260: the variance grows by two fifths.
    assert!(near(z, 4.2, 0.5), "{z}");
}

#[test]
fn nothing_is_unusual_until_something_is_known() {
    let part = part(Season::Day, DAY);
    let mut driver = driver!(part, 1);
    assert_eq!(driver.fold(0, &[1e9]), [0.0]);
    assert_eq!(driver.fold(1, &[-5.0]), [0.0]);
    assert!(driver.fold(2, &[f64::NAN])[0].is_nan());
}

/// The slow, obvious twin of an undisturbed bucket: weighs all values of the hour anew.
fn twin(taken: &[(i64, f64)], time: i64, length: i64) -> (f64, f64, f64) {
    let newest = taken.iter().map(|(time, _)| *time).fold(time, i64::max);
    let hour = |time: i64| time.div_euclid(HOUR).rem_euclid(24);
    let weight = |time: i64| (-((newest - time) as f64) / length as f64).exp();
    let of_hour: Vec<_> = taken.iter().filter(|(before, _)| hour(*before) == hour(time)).collect();
    let sum = |of: &dyn Fn(f64) -> f64| of_hour.iter().map(|(time, value)| weight(*time) * of(*value)).sum::<f64>();
    let total = sum(&|_| 1.0);
    let mean = sum(&|value| value) / total;
    (total, mean, (sum(&|value| (value - mean) * (value - mean)) / total).sqrt())
}

proptest! {
    #[test]
    fn each_bucket_agrees_with_its_twin(days in 1..60_i64, events in events(-0.1..0.1_f64, 150, 40)) {
        let length = days * DAY;
        let part = part(Season::Day, length);
        let mut driver = driver!(part, 1);
        let mut taken: Vec<(i64, f64)> = Vec::new();
        // The times of the events are stretched to hours, so that each hour comes round a few times.
        for (index, (time, value)) in events.into_iter().enumerate() {
            let time = (time - 1_000_000_000) * (HOUR / 4);
            let value = 50.0 + value + [-1.0, 0.0, 1.0][index % 3];
            let out = driver.fold(time, &[value])[0];
            prop_assert_eq!(out.is_nan(), value.is_nan());
            if !value.is_nan() {
                taken.push((time, value));
                let hour = time.div_euclid(HOUR).rem_euclid(24) as usize;
                let (total, mean, deviation) = twin(&taken, time, length);
                let newest = taken.iter().map(|(time, _)| *time).max().expect("there were events");
                let now = (-((newest as f64 - driver.own[4]) / length as f64)).exp();
                let found = unpack(driver.own[HEAD + 2 * hour + 1]);
                prop_assert!(near(found.1 * now, total, 1e-5 * total), "weight {} {total}", found.1 * now);
                prop_assert!(near(driver.own[HEAD + 2 * hour], mean, 1e-4), "mean {} {mean}", driver.own[HEAD + 2 * hour]);
                prop_assert!(near(found.0, deviation, 1e-3), "deviation {} {deviation}", found.0);
            }
        }
    }

    #[test]
    fn no_value_and_no_time_makes_it_forget_how_to_count(length in 1..i64::MAX, events in wild()) {
        for season in [Season::Day, Season::Week] {
            let part = part(season, length);
            let mut driver = driver!(part, 1);
            for (time, value, _) in &events {
                let z = driver.fold(*time, &[*value])[0];
                prop_assert_eq!(z.is_nan(), !usable(*value));
                prop_assert!(z.is_nan() || z.abs() <= 50.0);
                prop_assert!(driver.own.iter().chain(&driver.group).all(|word| word.is_finite()));
            }
        }
    }
}
