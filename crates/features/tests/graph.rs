//! The compiled graph: what it accepts, how it is named, and that its state can be stopped and restored anywhere.

mod drive;

use drive::{Driver, Event, baseline, measure, spec, window};
use lapwing_features::{FeatureError, FeatureSpec, Fill, Graph, Measure, Nulls, Over, Season};
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};
use proptest::prelude::*;

fn mixed() -> Vec<FeatureSpec> {
    let kind = Over::Baseline { length_micros: HOUR, season: None, peers: Some("kind".into()) };
    vec![
        spec("usual_y", measure("zscore", "y"), baseline(HOUR)),
        spec("mean_x", measure("mean", "x"), window(MINUTE)),
        spec("events", measure("events", ""), window(10 * SECOND)),
        spec("spread_y", measure("std", "y"), window(MINUTE)),
        spec("strange_x", measure("zscore", "x"), window(10 * SECOND)),
        spec("usual_x", measure("zscore", "x"), baseline(HOUR)),
        spec("usual_x_again", measure("zscore", "x"), baseline(HOUR)),
        spec("largest_x", measure("max", "x"), window(MINUTE)),
        spec("kinds_x", measure("distinct", "x"), Over::Window { length_micros: MINUTE, panes: 4 }),
        spec("median_y", measure("median", "y"), Over::Window { length_micros: MINUTE, panes: 4 }),
        spec("surprise_x", measure("entropy", "x"), Over::Window { length_micros: MINUTE, panes: 1 }),
        spec("peers_x", measure("zscore", "x"), kind),
        spec("with_kind_x", measure("correlation", "x"), Over::Window { length_micros: MINUTE, panes: 5 }),
        spec(
            "season_y",
            measure("zscore", "y"),
            Over::Baseline { length_micros: HOUR, season: Some(Season::Day), peers: None },
        ),
        spec("robust_y", measure("robust_zscore", "y"), baseline(HOUR)),
        spec("smooth_y", measure("ewma", "y"), baseline(HOUR)),
        spec("rare_y", measure("rarity", "y"), baseline(HOUR)),
        spec("delta_y", measure("delta", "y"), Over::Past),
        spec("acceleration_y", measure("acceleration", "y"), Over::Past),
        spec("since", measure("since_event", ""), Over::Past),
        spec("first_y", measure("first_seen", "y"), Over::Past),
        spec("before_x", measure("sequence", "x"), Over::Past),
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
    assert_eq!(graph.shared_words(), 29, "four baselines of four words and a robust one of 13; equal ones are shared");
    assert_eq!((graph.peers(), graph.group_words(0)), (&["kind".to_owned()][..], 17));
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
    for change in 0..8 {
        let mut specs = mixed();
        match change {
            0 => specs.swap(0, 1),
            1 => specs[1].name.push('2'),
            2 => specs[1].measure = measure("sum", "x"),
            3 => specs[1].measure = measure("mean", "y"),
            4 => specs[1].nulls = Nulls::Zero,
            5 => specs[1].fill = Some(Fill::new(0.0)),
            6 => specs[1].over = Over::Window { length_micros: MINUTE, panes: 11 },
            _ => specs[1].over = window(MINUTE + 1),
        }
        variants.push(digest(specs));
    }
    variants.sort();
    variants.dedup();
    assert_eq!(variants.len(), 10);
    assert_eq!(
        digest(mixed()),
        "a2eb85ddb8e15ebeada30788c914eb2a",
        "a change here makes every stored snapshot be refused: raise LAYOUT_VERSION"
    );
}

fn refused(measure: Measure, over: Over) -> String {
    Graph::new(vec![spec("f", measure, over)]).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_computed_is_refused_with_its_name_and_the_remedy() {
    assert_eq!(
        refused(measure("count", "x"), baseline(HOUR)),
        "feature `f`: `count` does not exist over a baseline; use it over a `window`"
    );
    assert_eq!(
        refused(measure("zscore", "x"), Over::Past),
        "feature `f`: `zscore` does not exist over a past; use it over a `window` or `baseline`"
    );
    let season = Over::Baseline { length_micros: HOUR, season: Some(Season::Day), peers: None };
    assert_eq!(
        refused(measure("ewma", "x"), season),
        "feature `f`: `season` does not exist for `ewma`; use another measure, or leave it out"
    );
    for length_micros in [0, -1, SECOND - 1, 366 * DAY + 1, i64::MAX, i64::MIN] {
        for over in [window(length_micros), baseline(length_micros)] {
            let text = refused(measure("zscore", "x"), over);
            assert!(text.starts_with("feature `f`: a ") && text.ends_with("choose between 1s and 366d"), "{text}");
        }
    }
    for panes in [0, 61, usize::MAX] {
        let text = refused(measure("sum", "x"), Over::Window { length_micros: MINUTE, panes });
        assert!(text.ends_with("panes is not possible; choose between 1 and 60"), "{text}");
    }
    let quantile = refused(Measure::Quantile { column: "x".into(), q_ppm: 1_000_001 }, window(MINUTE));
    assert!(quantile.ends_with("choose between 0 and 1"), "{quantile}");
    let sequence = refused(Measure::Sequence { column: "x".into(), length: 0 }, Over::Past);
    assert!(sequence.ends_with("choose between 1 and 64"), "{sequence}");
}

#[test]
fn names_are_needed_and_each_only_once_those_of_a_sequence_too() {
    let twice = Graph::new(vec![mixed().remove(1), mixed().remove(1)]).unwrap_err();
    assert_eq!(twice, FeatureError::DuplicateName { name: "mean_x".into() });
    let unnamed = Graph::new(vec![spec("", measure("events", ""), window(MINUTE))]).unwrap_err();
    assert_eq!(unnamed, FeatureError::EmptyName { number: 1 });
    let sequence = || spec("f", measure("sequence", "x"), Over::Past);
    let graph = Graph::new(vec![sequence()]).unwrap();
    assert_eq!(graph.names(), ["f_1", "f_2", "f_3"]);
    let hidden = Graph::new(vec![sequence(), spec("f_2", measure("events", ""), window(MINUTE))]).unwrap_err();
    assert_eq!(hidden, FeatureError::DuplicateName { name: "f_2".into() });
}

#[test]
fn a_fill_stands_where_the_feature_does_not_exist_and_a_null_may_count_as_zero() {
    let mut filled = spec("mean", measure("mean", "x"), window(MINUTE));
    filled.fill = Some(Fill::new(-1.0));
    let mut zero = spec("zero", measure("mean", "x"), window(MINUTE));
    zero.nulls = Nulls::Zero;
    let mut driver = Driver::new(vec![filled.clone(), zero]);
    let mut fold = |value| driver.fold(Event { entity: 0, time: 0, inputs: vec![value] });
    assert_eq!(fold(f64::NAN), [-1.0, 0.0]);
    assert_eq!(fold(6.0), [6.0, 3.0]);
    assert_eq!(fold(f64::INFINITY), [6.0, 3.0], "infinite is not null, and still skipped");
    filled.fill = Some(Fill::new(f64::NAN));
    assert_eq!(Graph::new(vec![filled]).unwrap_err(), FeatureError::Fill { name: "mean".into() });
}
