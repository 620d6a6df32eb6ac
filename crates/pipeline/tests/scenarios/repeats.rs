use lapwing_pipeline::status::get;
use lapwing_vocabulary::time::{HOUR, MINUTE};

use crate::outputs::of_topic;
use crate::setup::{DETECT, HEAD, by_hand, plan};
use crate::stream::{Event, START};

fn event(id: &str, at: i64) -> Vec<u8> {
    Event { id: id.into(), host: "a".into(), at, bytes: 1, errors: 0.0, service: "dns" }.json()
}

#[test]
fn a_repeat_of_an_id_is_dropped_and_counted_and_changes_nothing() {
    let plan = plan(&format!("{HEAD}{DETECT}\n[outputs]\nfeatures = true"), &[]);
    let mut hand = by_hand(&plan, &[], None);
    hand.feed(&[event("1", START), event("2", START + 1), event("1", START), event("3", START + 2)]).unwrap();
    let enriched = of_topic(&hand.outputs, "small.enriched");
    assert_eq!(enriched.len(), 3);
    let last: serde_json::Value = serde_json::from_slice(&enriched[2].value).unwrap();
    assert_eq!(last["events_1m"], 3.0, "the repeat is not in the features of the others");
    assert_eq!((get(&hand.status.repeats), get(&hand.status.processed)), (1, 3));
}

#[test]
fn an_id_that_comes_again_after_the_horizon_is_another_event() {
    let plan = plan(&format!("{HEAD}{DETECT}"), &[]);
    let mut hand = by_hand(&plan, &[], None);
    hand.feed(&[event("1", START), event("2", START + 5 * MINUTE), event("1", START + 5 * MINUTE)]).unwrap();
    assert_eq!(get(&hand.status.repeats), 1);
    hand.feed(&[event("3", START + HOUR), event("1", START + HOUR)]).unwrap();
    assert_eq!(get(&hand.status.repeats), 1);
}

#[test]
fn without_dedup_repeats_count() {
    let plan = plan(&format!("{}{DETECT}", HEAD.replace("[source]", "[source]\ndedup = \"0s\"")), &[]);
    let mut hand = by_hand(&plan, &[], None);
    hand.feed(&[event("1", START), event("1", START)]).unwrap();
    assert_eq!((get(&hand.status.repeats), get(&hand.status.processed)), (0, 2));
}
