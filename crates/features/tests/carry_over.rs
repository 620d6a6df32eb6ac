//! Memory is carried over to another set of features: what both have goes on as if nothing had changed.

mod drive;

use drive::{Driver, Event, baseline, measure, spec, window};
use lapwing_features::{FeatureError, FeatureSpec, Graph, Layout, Measure, Over, Season};
use lapwing_vocabulary::time::{HOUR, MINUTE, SECOND};
use proptest::prelude::*;

const WINDOW_WORDS: [&str; 17] = [
    "events",
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "std",
    "zscore",
    "event_rate",
    "rate",
    "distinct",
    "median",
    "iqr_position",
    "entropy",
    "share",
    "first_seen",
    "correlation",
];
const BASELINE_WORDS: [&str; 4] = ["zscore", "robust_zscore", "ewma", "rarity"];
const PAST_WORDS: [&str; 8] =
    ["last", "delta", "velocity", "acceleration", "since_event", "since_last", "first_seen", "sequence"];

/// Every measure of a window over windows of two kinds, and every baseline, of two columns.
fn every_feature() -> Vec<FeatureSpec> {
    let mut specs = Vec::new();
    for column in ["x", "y"] {
        for (place, panes) in [12, 5].into_iter().enumerate() {
            for word in WINDOW_WORDS {
                let over = Over::Window { length_micros: MINUTE, panes };
                specs.push(spec(&format!("{word}_{column}_{place}"), measure(word, column), over));
            }
        }
        for (place, season, peers) in [
            (0, None, None),
            (1, None, Some("kind")),
            (2, Some(Season::Day), None),
            (3, Some(Season::Week), Some("rank")),
        ] {
            let over = Over::Baseline { length_micros: HOUR, season, peers: peers.map(str::to_owned) };
            specs.push(spec(&format!("usual_{column}_{place}"), measure("zscore", column), over));
        }
        for word in BASELINE_WORDS {
            specs.push(spec(&format!("{word}_{column}_baseline"), measure(word, column), baseline(HOUR)));
        }
        for word in PAST_WORDS {
            specs.push(spec(&format!("{word}_{column}_past"), measure(word, column), Over::Past));
        }
    }
    let [latitude, longitude] = ["x", "y"].map(str::to_owned);
    let distance = Measure::GeoDistance { latitude: latitude.clone(), longitude: longitude.clone() };
    specs.push(spec("distance", distance, Over::Past));
    specs.push(spec("speed", Measure::GeoSpeed { latitude, longitude }, Over::Past));
    specs
}

fn event() -> impl Strategy<Value = (usize, i64, [f64; 2])> {
    let value = || prop_oneof![9 => (-40..40_i32).prop_map(|whole| f64::from(whole) / 4.0), 1 => Just(f64::NAN)];
    let step = prop_oneof![8 => 0..3 * SECOND, 1 => -20 * SECOND..0, 1 => 0..70 * SECOND];
    (0..3_usize, step, value(), value()).prop_map(|(entity, step, x, y)| (entity, step, [x, y]))
}

/// Events for a graph, whichever of the columns x and y it reads in whichever order.
fn inputs(graph: &Graph, [x, y]: [f64; 2]) -> Vec<f64> {
    graph.columns().iter().map(|column| if column == "x" { x } else { y }).collect()
}

fn fold(driver: &mut Driver, entity: usize, time: i64, values: [f64; 2]) -> Vec<(String, u64)> {
    let inputs = inputs(&driver.graph, values);
    let out = driver.fold(Event { entity, time, inputs });
    driver.graph.names().iter().cloned().zip(out.into_iter().map(f64::to_bits)).collect()
}

/// Some of all features.
fn chosen() -> impl Strategy<Value = Vec<FeatureSpec>> {
    let all = every_feature();
    prop::sample::subsequence(all.clone(), 1..all.len().min(12)).prop_shuffle()
}

proptest! {
    #[test]
    fn what_both_have_goes_on_as_if_nothing_had_changed(
        before in chosen(),
        removed in any::<prop::sample::Index>(),
        added in prop::sample::subsequence(every_feature(), 1..4),
        events in prop::collection::vec(event(), 2..80),
        change in 0..80_usize,
    ) {
        let mut after = before.clone();
        after.remove(removed.index(before.len()));
        after.extend(added.into_iter().filter(|spec| before.iter().all(|old| old.name != spec.name)));
        let (mut whole, mut changed) = (Driver::new(before.clone()), Driver::new(before));
        let mut time = 1_700_000_000 * SECOND;
        for (index, (entity, step, values)) in events.into_iter().enumerate() {
            if index == change {
                changed = Driver::carry(after.clone(), &changed);
            }
            time += step;
            let expected = fold(&mut whole, entity, time, values);
            for (name, got) in fold(&mut changed, entity, time, values) {
                if let Some((_, expected)) = expected.iter().find(|(known, _)| *known == name) {
                    prop_assert_eq!(f64::from_bits(got).to_string(), f64::from_bits(*expected).to_string(), "{}", name);
                    prop_assert_eq!(got, *expected, "{}", name);
                }
            }
        }
    }

    #[test]
    fn carried_over_to_the_same_features_in_another_order_and_back_nothing_changes(
        specs in chosen(),
        turn in 0..12_usize,
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut driver = Driver::new(specs.clone());
        let mut time = 0;
        for (entity, step, values) in events {
            time += step;
            fold(&mut driver, entity, time, values);
        }
        let same = driver.graph.carry_over(&driver.graph.layout());
        prop_assert!(same.is_identity() && same.fresh.is_empty() && same.dropped.is_empty());
        let mut turned = specs.clone();
        turned.rotate_left(turn % specs.len());
        let there = Driver::carry(turned, &driver);
        let back = Driver::carry(specs, &there);
        prop_assert_eq!(back.state(), driver.state());
    }

    #[test]
    fn a_new_feature_that_shares_nothing_starts_as_if_there_had_been_no_event(
        new in prop::sample::select(every_feature()),
        events in prop::collection::vec(event(), 2..60),
        change in 1..30_usize,
    ) {
        let old = spec("old", measure("sum", "z"), Over::Window { length_micros: HOUR, panes: 7 });
        let both = vec![old.clone(), new.clone()];
        let (mut carried, mut fresh) = (Driver::new(vec![old]), Driver::new(vec![new]));
        let mut time = 0;
        for (index, (entity, step, values)) in events.into_iter().enumerate() {
            time += step;
            if index == change {
                carried = Driver::carry(both.clone(), &carried);
            }
            let got = fold(&mut carried, entity, time, values);
            if index >= change {
                let expected = fold(&mut fresh, entity, time, values);
                prop_assert_eq!(got.last(), expected.last());
            }
        }
    }
}

#[test]
fn what_is_kept_new_and_gone_is_named() {
    let old = vec![
        spec("a", measure("sum", "x"), window(MINUTE)),
        spec("b", measure("max", "x"), window(MINUTE)),
        spec("c", measure("max", "y"), window(MINUTE)),
    ];
    let mut new = old.clone();
    new[0].name = "renamed".into();
    new[1].over = window(HOUR);
    new.swap_remove(2);
    let carry = Graph::new(new).unwrap().carry_over(&Graph::new(old).unwrap().layout());
    assert_eq!(carry.group_from(0), None);
    assert_eq!(
        (carry.kept, carry.fresh, carry.dropped),
        (vec!["renamed".into()], vec!["b".into()], vec!["b".into(), "c".into()])
    );
}

#[test]
fn an_extreme_that_joins_a_window_starts_from_empty_panes() {
    let (sum, max) =
        (spec("sum", measure("sum", "x"), window(MINUTE)), spec("max", measure("max", "x"), window(MINUTE)));
    let mut driver = Driver::new(vec![sum.clone()]);
    driver.fold(Event { entity: 0, time: 0, inputs: vec![9.0] });
    let mut driver = Driver::carry(vec![sum, max], &driver);
    assert_eq!(driver.fold(Event { entity: 0, time: 0, inputs: vec![-3.0] }), [6.0, -3.0]);
}

#[test]
fn a_deviation_that_joins_a_sum_does_not_exist_until_the_window_has_passed_over_the_events_before() {
    let (sum, std) =
        (spec("sum", measure("sum", "x"), window(MINUTE)), spec("std", measure("std", "x"), window(MINUTE)));
    let mut driver = Driver::new(vec![sum.clone()]);
    driver.fold(Event { entity: 0, time: 0, inputs: vec![9.0] });
    let mut driver = Driver::carry(vec![sum, std], &driver);
    let mut at = |second, value| driver.fold(Event { entity: 0, time: second * SECOND, inputs: vec![value] });
    assert!(at(30, 1.0)[1].is_nan());
    let both = at(50, 3.0);
    assert!(both[0] == 13.0 && both[1].is_nan(), "{both:?}");
    assert_eq!(at(64, 2.0), [6.0, 1.0]);
}

#[test]
fn memory_that_its_layout_does_not_describe_is_refused() {
    let graph = Graph::new(vec![spec("sum", measure("sum", "x"), window(MINUTE))]).unwrap();
    let mut layout = graph.layout();
    let carry = graph.carry_over(&layout);
    let given = vec![0.0; 14];
    assert_eq!(
        carry.entity(&given).unwrap_err(),
        FeatureError::CarriedWords { what: "an entity", given: 14, expected: 15 }
    );
    layout.entity.iter_mut().for_each(|block| block.words = u32::MAX);
    assert!(graph.carry_over(&layout).entity(&given).is_err());
    let nothing = graph.carry_over(&Layout::default());
    assert_eq!(nothing.entity(&[]).unwrap().len(), 15);
}
