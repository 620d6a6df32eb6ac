use lapwing_vocabulary::time::{DAY, HOUR};

use crate::outputs::{json, of_topic};
use crate::setup::{HEAD, by_hand, plan};
use crate::stream::{Event, START};

fn event(number: i64, host: &str, at: i64) -> Vec<u8> {
    Event { id: format!("e{number}"), host: host.into(), at, bytes: 7, errors: 0.0, service: "dns" }.json()
}

fn pipeline(ttl: &str) -> String {
    format!("{HEAD}[features]\nlast_bytes = {{ last = \"bytes\" }}\n[outputs]\nfeatures = true\n[state]\nttl = {ttl}\n")
}

#[test]
fn an_entity_without_events_is_forgotten_after_its_time_to_live() {
    let plan = plan(&pipeline("\"1d\""), &[]);
    let mut hand = by_hand(&plan, &[], None);
    hand.clock.set(START + 40 * DAY);
    let feed = |hand: &mut lapwing_pipeline::by_hand::ByHand, number, host: &str, at| {
        hand.feed(&[event(number, host, at)]).unwrap();
        json(of_topic(&hand.outputs, "small.enriched").last().unwrap())["last_bytes"].clone()
    };
    assert!(feed(&mut hand, 1, "a", START).is_null());
    assert_eq!(feed(&mut hand, 2, "a", START + 12 * HOUR), 7.0);
    assert_eq!(feed(&mut hand, 3, "b", START + 20 * DAY), serde_json::Value::Null);
    assert!(feed(&mut hand, 4, "a", START + 20 * DAY).is_null(), "what it had is forgotten");
    assert_eq!(feed(&mut hand, 5, "a", START + 20 * DAY), 7.0);
}

#[test]
fn forgotten_entities_take_no_memory() {
    let plan = plan(&pipeline("\"1d\""), &[]);
    let mut hand = by_hand(&plan, &[], None);
    hand.clock.set(START + 400 * DAY);
    // Ten hosts a day, none of which ever comes again.
    let values: Vec<Vec<u8>> =
        (0..3_000).map(|number| event(number, &format!("h{number}"), START + number * DAY / 10)).collect();
    hand.feed(&values).unwrap();
    let entities = hand.task().aggregate().entities();
    assert!((10..40).contains(&entities), "{entities} entities are remembered");
}

#[test]
fn with_ttl_false_nothing_is_forgotten() {
    let plan = plan(&pipeline("false"), &[]);
    let mut hand = by_hand(&plan, &[], None);
    hand.clock.set(START + 400 * DAY);
    hand.feed(&[event(1, "a", START), event(2, "b", START + 300 * DAY), event(3, "a", START + 300 * DAY)]).unwrap();
    assert_eq!(json(of_topic(&hand.outputs, "small.enriched")[2])["last_bytes"], 7.0);
}
