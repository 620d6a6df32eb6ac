//! Surprises at columns and at other features, and what a feature may learn.

mod drive;

use drive::{Driver, Event, baseline, measure, spec, window};
use lapwing_features::{FeatureSpec, Graph, Learn};
use lapwing_vocabulary::time::{HOUR, MINUTE, SECOND};

fn surprise(name: &str, of: &str) -> FeatureSpec {
    spec(name, measure("surprise", of), baseline(24 * HOUR))
}

#[test]
fn more_events_than_ever_surprise_though_each_is_ordinary() {
    let specs = vec![surprise("burst", "count_1m"), spec("count_1m", measure("events", ""), window(MINUTE))];
    let mut driver = Driver::new(specs);
    assert!(driver.graph.columns().is_empty(), "a surprise at a feature needs no column");
    let event = |time: i64| Event { entity: 0, time, inputs: vec![] };
    let calm: Vec<f64> = (0..2000).map(|second| driver.fold(event(second * SECOND))[0]).collect();
    assert!(calm[200..].iter().all(|bits| *bits < 8.0));
    let burst: Vec<f64> = (0..50).map(|step| driver.fold(event(2000 * SECOND + step * 1000))[0]).collect();
    let most = burst.iter().copied().fold(0.0, f64::max);
    assert!(most > 10.0, "{most}");
}

#[test]
fn what_cannot_be_surprised_at_is_refused_by_name() {
    let refused = |specs: Vec<FeatureSpec>| Graph::new(specs).unwrap_err().to_string();
    let text = refused(vec![surprise("a", "b"), surprise("b", "x")]);
    assert!(text.contains("`a`") && text.contains("a surprise itself"), "{text}");
    let sequence = spec("s", measure("sequence", "x"), lapwing_features::Over::Past);
    let text = refused(vec![surprise("a", "s"), sequence]);
    assert!(text.contains("many numbers"), "{text}");
    let windowed = FeatureSpec { learn: Learn::Off, ..spec("w", measure("mean", "x"), window(HOUR)) };
    assert!(refused(vec![windowed]).contains("`learn`"));
    let ewma = FeatureSpec { learn: Learn::All, ..spec("e", measure("ewma", "x"), baseline(HOUR)) };
    assert!(refused(vec![ewma]).contains("learn = all"));
}

/// z-scores of a level of 0 ± 1 for two hours, then of 100 ± 1, with a policy.
fn shift(learn: Learn) -> (f64, f64) {
    let learnt = |learn| vec![FeatureSpec { learn, ..spec("z", measure("zscore", "x"), baseline(HOUR)) }];
    let mut driver = Driver::new(learnt(Learn::Robust));
    let value = |second: i64| [-1.0, 0.0, 1.0][second as usize % 3];
    let fold = |driver: &mut Driver, second: i64, level: f64| {
        driver.fold(Event { entity: 0, time: second * SECOND, inputs: vec![level + value(second)] })[0]
    };
    for second in 0..7200 {
        fold(&mut driver, second, 0.0);
    }
    // The memory is carried over to the other policy.
    let mut driver = Driver::carry(learnt(learn), &driver);
    let first = fold(&mut driver, 7200, 100.0);
    let later = (7201..7300).map(|second| fold(&mut driver, second, 100.0)).last().unwrap();
    (first, later)
}

#[test]
fn outliers_move_a_robust_baseline_little_a_plain_one_much_and_a_frozen_one_not_at_all() {
    let [robust, all, off] = [Learn::Robust, Learn::All, Learn::Off].map(shift);
    assert_eq!((robust.0, all.0, off.0), (50.0, 50.0, 50.0), "each policy keeps what was known");
    assert_eq!(off.1, 50.0);
    assert!(all.1 < 8.0 && robust.1 > 2.0 * all.1, "{} and {}", robust.1, all.1);
}

#[test]
fn a_frozen_feature_leaves_every_word_as_it_was() {
    let frozen = |spec: FeatureSpec| FeatureSpec { learn: Learn::Off, ..spec };
    let specs = || {
        ["zscore", "robust_zscore", "ewma", "rarity", "surprise"]
            .map(|word| frozen(spec(word, measure(word, "x"), baseline(HOUR))))
            .to_vec()
    };
    let mut driver = Driver::new(specs());
    let fold = |driver: &mut Driver, time: i64| driver.fold(Event { entity: 0, time, inputs: vec![time as f64] });
    fold(&mut driver, 0);
    let before = driver.state();
    (1..50).for_each(|time| drop(fold(&mut driver, time)));
    assert_eq!(driver.state(), before);
}

#[test]
fn a_surprise_whose_feature_changes_its_meaning_starts_afresh() {
    let of = |length| vec![spec("n", measure("events", ""), window(length)), surprise("burst", "n")];
    let old = Graph::new(of(MINUTE)).unwrap().layout();
    let carry = Graph::new(of(HOUR)).unwrap().carry_over(&old);
    assert_eq!(carry.fresh, ["n", "burst"]);
    let same = Graph::new(of(MINUTE)).unwrap().carry_over(&old);
    assert_eq!(same.kept, ["n", "burst"]);
}
