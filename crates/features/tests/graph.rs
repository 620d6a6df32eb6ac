//! The compiled graph: what it accepts, how it is named, and that its state can be stopped and restored anywhere.

mod drive;

use drive::{Driver, Event, spec};
use lapwing_features::{FeatureError, FeatureSpec, Graph, Measure, Over};
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};
use proptest::prelude::*;

const WINDOW: Over = Over::Window { length_micros: MINUTE };
const BASELINE: Over = Over::Baseline { length_micros: HOUR };

fn mixed() -> Vec<FeatureSpec> {
    vec![
        spec("usual_y", Measure::Zscore, Some("y"), BASELINE),
        spec("mean_x", Measure::Mean, Some("x"), WINDOW),
        spec("events", Measure::Count, None, Over::Window { length_micros: 10 * SECOND }),
        spec("spread_y", Measure::StandardDeviation, Some("y"), WINDOW),
        spec("strange_x", Measure::Zscore, Some("x"), Over::Window { length_micros: 10 * SECOND }),
        spec("usual_x", Measure::Zscore, Some("x"), BASELINE),
        spec("usual_x_again", Measure::Zscore, Some("x"), BASELINE),
        spec("largest_x", Measure::Max, Some("x"), WINDOW),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let value = || prop_oneof![9 => -1e6..1e6_f64, 1 => Just(f64::NAN)];
    (0..4_usize, 0..100 * SECOND, value(), value()).prop_map(|(entity, time, x, y)| Event {
        entity,
        time,
        inputs: vec![y, x],
    })
}

proptest! {
    #[test]
    fn stopped_anywhere_and_restored_it_gives_the_same_bits(
        events in prop::collection::vec(event(), 1..120),
        stop in 0..120_usize,
    ) {
        let mut whole = Driver::new(mixed());
        let mut parted = Driver::new(mixed());
        for (index, event) in events.into_iter().enumerate() {
            if index == stop {
                parted = Driver::restore(mixed(), &parted);
            }
            let bits = |out: Vec<f64>| out.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            prop_assert_eq!(bits(whole.fold(event.clone())), bits(parted.fold(event)));
            prop_assert_eq!(whole.state(), parted.state());
        }
    }
}

#[test]
fn columns_are_listed_once_in_the_order_of_their_first_use() {
    let graph = Graph::new(mixed()).unwrap();
    assert_eq!(graph.columns(), ["y", "x"]);
    assert_eq!(graph.names()[..3], ["usual_y", "mean_x", "events"]);
    assert_eq!(graph.shared_words(), 8, "two baselines of four words; equal ones are shared");
}

#[test]
fn entities_do_not_share_their_windows() {
    let mut driver = Driver::new(mixed());
    for entity in [0, 0, 1] {
        driver.fold(Event { entity, time: 0, inputs: vec![1.0, 2.0] });
    }
    assert_eq!(driver.fold(Event { entity: 0, time: 0, inputs: vec![1.0, 2.0] })[2], 3.0);
    assert_eq!(driver.fold(Event { entity: 1, time: 0, inputs: vec![1.0, 2.0] })[2], 2.0);
}

#[test]
fn no_features_are_a_graph_too() {
    let mut driver = Driver::new(vec![]);
    assert_eq!((driver.graph.entity_words(), driver.graph.shared_words()), (0, 0));
    assert_eq!(driver.fold(Event { entity: 0, time: 0, inputs: vec![] }), Vec::<f64>::new());
}

#[test]
fn the_digest_tells_features_apart_and_stays_for_ever() {
    let digest = |specs| Graph::new(specs).unwrap().digest().to_owned();
    assert_eq!(digest(mixed()), digest(mixed()));
    let mut variants = vec![digest(mixed()), digest(vec![])];
    for change in 0..5 {
        let mut specs = mixed();
        match change {
            0 => specs.swap(0, 1),
            1 => specs[1].name.push('2'),
            2 => specs[1].measure = Measure::Sum,
            3 => specs[1].column = Some("y".into()),
            _ => specs[1].over = Over::Window { length_micros: MINUTE + 1 },
        }
        variants.push(digest(specs));
    }
    variants.sort();
    variants.dedup();
    assert_eq!(variants.len(), 7);
    assert_eq!(
        digest(mixed()),
        "28946bb8ea638e85d454e57cd3f62524",
        "a change here makes every stored snapshot be refused: raise LAYOUT_VERSION"
    );
}

#[test]
fn what_cannot_be_computed_is_refused_with_its_name_and_the_remedy() {
    let refused = |spec: FeatureSpec| Graph::new(vec![spec]).unwrap_err();
    let name = || "f".to_owned();
    let sum = spec("f", Measure::Sum, None, WINDOW);
    assert_eq!(refused(sum), FeatureError::MissingColumn { name: name(), measure: "sum" });
    let count = spec("f", Measure::Count, None, BASELINE);
    assert_eq!(refused(count), FeatureError::NotOverBaseline { name: name(), measure: "count" });
    assert_eq!(refused(spec("", Measure::Count, None, WINDOW)), FeatureError::EmptyName { number: 1 });
    for length_micros in [0, -1, SECOND - 1, 366 * DAY + 1, i64::MAX, i64::MIN] {
        for over in [Over::Window { length_micros }, Over::Baseline { length_micros }] {
            let text = refused(spec("f", Measure::Zscore, Some("x"), over)).to_string();
            assert!(text.starts_with("feature `f`: a ") && text.ends_with("choose between 1s and 366d"), "{text}");
        }
    }
    let twice = Graph::new(vec![mixed().remove(1), mixed().remove(1)]).unwrap_err();
    assert_eq!(twice, FeatureError::DuplicateName { name: "mean_x".into() });
}
