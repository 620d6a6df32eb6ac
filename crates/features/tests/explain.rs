//! What stands behind the features of an entity.

mod drive;

use drive::{Driver, Event, measure, spec};
use lapwing_features::{FeatureSpec, FeatureState, Learn, Measure, Over, Season};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{HOUR, SECOND};

fn x() -> String {
    "x".to_owned()
}

fn window() -> Over {
    Over::Window { length_micros: 60 * SECOND, panes: 12 }
}

fn baseline() -> Over {
    Over::Baseline { length_micros: HOUR, season: None, peers: None }
}

/// Each value of entity 0 a second after the one before; what is behind the only feature then.
fn behind(measure: Measure, over: Over, values: &[f64]) -> FeatureState {
    let mut driver = Driver::new(vec![spec("f", measure, over)]);
    for (second, value) in values.iter().enumerate() {
        driver.fold(Event { entity: 0, time: second as i64 * SECOND, inputs: vec![*value] });
    }
    let now = EventTime(values.len() as i64 * SECOND);
    driver.explain(0, now).remove(0)
}

#[test]
fn a_window_says_how_many_values_lie_in_it_and_in_how_many_panes() {
    let mean = behind(Measure::Mean { column: x() }, window(), &[1.0, 2.0, f64::NAN, 3.0, 4.0, 5.0]);
    assert_eq!((mean.value, mean.samples, mean.panes), (Some(3.0), Some(5.0), Some((2, 12))));
    let largest = behind(Measure::Max { column: x() }, window(), &[1.0, 2.0]);
    assert_eq!((largest.value, largest.samples), (Some(2.0), None), "a maximum does not count");
}

#[test]
fn what_needs_values_before_an_event_cannot_exist_without_them() {
    let zscore = |values: &[f64]| behind(Measure::Zscore { column: x() }, window(), values);
    assert!(zscore(&[4.0]).cannot_exist() && zscore(&[4.0]).usual.is_none());
    let known = zscore(&[4.0, 6.0]);
    let usual = known.usual.unwrap();
    assert!(!known.cannot_exist());
    assert_eq!((usual.mean, usual.spread, usual.weight), (5.0, 2.0_f64.sqrt(), 2.0));
    let delta = |values: &[f64]| behind(Measure::Delta { column: x() }, Over::Past, values);
    assert!(delta(&[f64::NAN]).cannot_exist() && !delta(&[1.0]).cannot_exist());
    let acceleration = |values: &[f64]| behind(Measure::Acceleration { column: x() }, Over::Past, values);
    assert!(acceleration(&[1.0]).cannot_exist() && !acceleration(&[1.0, 2.0]).cannot_exist());
    assert_eq!(delta(&[1.0, 2.0]).newest, Some(EventTime(SECOND)));
}

#[test]
fn a_young_entity_is_judged_by_the_partition_and_an_old_one_alone() {
    for measure in [Measure::Zscore { column: x() }, Measure::RobustZscore { column: x() }] {
        let mut driver = Driver::new(vec![spec("f", measure.clone(), baseline())]);
        let mut fold = |entity, time, value| {
            driver.fold(Event { entity, time, inputs: vec![value] });
            driver.explain(entity, EventTime(time)).remove(0)
        };
        assert!(fold(0, 0, 100.0).is_young(), "{measure:?}: nothing is known yet");
        let old = (0..50).fold(None, |_, second| Some(fold(0, second * 1000, 100.0 + (second % 3) as f64))).unwrap();
        assert_eq!((old.own_share, old.is_young()), (Some(1.0), false), "{measure:?}");
        let young = (0..9).fold(None, |_, second| Some(fold(1, second * 1000, 101.0))).unwrap();
        let (usual, all) = (young.usual.unwrap(), young.usual_of_all.unwrap());
        assert!(young.is_young() && young.own_share.is_some_and(|share| (0.1..0.9).contains(&share)), "{young:?}");
        assert_eq!((usual.mean, usual.spread), (101.0, 0.0), "{measure:?}");
        assert!((8.9..=9.0).contains(&usual.weight), "{measure:?}: {usual:?}");
        assert!((100.0..102.0).contains(&all.mean) && all.spread > 0.0 && all.weight > 50.0, "{measure:?}: {all:?}");
    }
}

#[test]
fn what_learns_nothing_more_says_so() {
    let zscore = Measure::Zscore { column: x() };
    let frozen = FeatureSpec { learn: Learn::Off, ..spec("f", zscore.clone(), baseline()) };
    let driver = |spec| {
        let mut driver = Driver::new(vec![spec]);
        driver.fold(Event { entity: 0, time: 0, inputs: vec![1.0] });
        driver.explain(0, EventTime(0)).remove(0)
    };
    assert!(driver(frozen).is_frozen && !driver(spec("f", zscore, baseline())).is_frozen);
}

fn every_measure() -> Vec<FeatureSpec> {
    let words = "events count sum mean min max std event_rate rate distinct median iqr_position entropy share zscore \
                 robust_zscore first_seen correlation";
    let mut specs: Vec<FeatureSpec> =
        words.split_whitespace().map(|word| spec(&format!("{word}_window"), measure(word, "x"), window())).collect();
    for word in ["zscore", "robust_zscore", "ewma", "rarity", "surprise"] {
        specs.push(spec(&format!("{word}_usual"), measure(word, "x"), baseline()));
    }
    for (word, season) in [("zscore", Season::Day), ("zscore", Season::Week), ("surprise", Season::Day)] {
        let over = Over::Baseline { length_micros: HOUR, season: Some(season), peers: Some("kind".to_owned()) };
        let over = if word == "surprise" { baseline() } else { over };
        specs.push(spec(&format!("{word}_{}", season.name()), measure(word, "y"), over));
    }
    for word in "last delta velocity acceleration since_event since_last first_seen sequence".split_whitespace() {
        specs.push(spec(&format!("{word}_past"), measure(word, "x"), Over::Past));
    }
    let [latitude, longitude] = ["x", "y"].map(str::to_owned);
    specs.push(spec("way", Measure::GeoDistance { latitude, longitude }, Over::Past));
    specs
}

#[test]
fn looking_at_every_measure_changes_nothing_and_every_column_is_told() {
    let mut driver = Driver::new(every_measure());
    let columns = driver.graph.columns().len();
    for second in 0..200 {
        let inputs = (0..columns as i64).map(|column| ((second * 7 + column * 3) % 11) as f64).collect();
        driver.fold(Event { entity: second as usize % 3, time: second * SECOND, inputs });
    }
    let before = driver.state();
    let told = driver.explain(1, EventTime(10 * HOUR));
    assert_eq!(driver.state(), before);
    let names: Vec<&String> = told.iter().map(|feature| &feature.name).collect();
    assert_eq!(names, driver.graph.names().iter().collect::<Vec<_>>());
    let finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
    for feature in &told {
        let level = |level: Option<lapwing_features::Level>| {
            level.is_none_or(|level| level.spread >= 0.0 && level.weight > 0.0)
        };
        assert!(finite(feature.value) && finite(feature.samples), "{feature:?}");
        assert!(level(feature.usual) && level(feature.usual_of_all), "{feature:?}");
    }
}
