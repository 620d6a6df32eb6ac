use std::collections::BTreeSet;
use std::sync::Arc;

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::decode::OVERSIZE_HEADER;
use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::status::Status;
use lapwing_pipeline::task::{Product, Task};
use lapwing_vocabulary::dead_letter::{HEADER_CLASS, HEADER_MESSAGE, HEADER_STAGE};
use lapwing_vocabulary::{Header, Reason, Records};

use crate::outputs::{by_origin, header, of_topic};
use crate::setup::{DETECT, HEAD, plan};
use crate::stream::{NOW, ordinary};

fn named(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.as_bytes().to_vec() }
}

/// Runs one record that lies at `events[3]@8812`, with a key and a header of its own.
fn run(plan: &Arc<Plan>, value: &[u8], own: Header) -> (Product, Status) {
    let mut records = Records::new("events".into(), 3);
    records.push(8812, NOW, Some(b"its key"), value, vec![own]);
    let status = Status::default();
    let mut task = Task::new(plan, 3, &[]).expect("the plan has no tables");
    let product = task.process(&records, 0..1, &status, &HandClock::at(NOW + 5)).expect("input never stops a pipeline");
    (product, status)
}

/// A record that is refused, with what is said of it.
type Case = (Reason, Vec<u8>, &'static str);

fn cases() -> Vec<Case> {
    let record = |pairs: &str| format!("{{{pairs}}}").into_bytes();
    let at = r#""at":"2026-01-01T00:00:00Z""#;
    vec![
        (
            Reason::Malformed,
            record(r#""host":"a","bytes":1"#)[..18].to_vec(),
            "not JSON at byte 18: expected a closing quote, found the end",
        ),
        (Reason::Malformed, b"{\"host\":\"\xff\"}".to_vec(), "the record is not valid UTF-8"),
        (
            Reason::WrongType,
            record(&format!(r#""host":"a",{at},"bytes":"many""#)),
            "field `bytes` is not a whole number of 64 bits: `many`",
        ),
        (Reason::MissingKey, record(&format!(r#"{at},"bytes":1"#)), "the key field `host` is missing or null"),
        (Reason::MissingKey, record(&format!(r#""host":null,{at}"#)), "the key field `host` is missing or null"),
        (Reason::MissingTime, record(r#""host":"a","bytes":1"#), "the time field `at` is missing or null"),
        (Reason::MissingTime, record(r#""host":"a","at":"soon""#), "field `at` is not a time"),
        (
            Reason::FutureTime,
            record(r#""host":"a","at":"2026-01-02T00:11:00Z""#),
            "event time 2026-01-02T00:11:00.000000Z is 660 s ahead of the record's own time",
        ),
        (Reason::TooLarge, record(&" ".repeat(600)), "the record has 602 bytes; `max_record_bytes` allows 500"),
    ]
}

#[test]
fn every_reason_of_decode_keeps_key_bytes_and_headers_and_says_where_and_why() {
    let plan = plan(&format!("{HEAD}{DETECT}"), &[]);
    let mut met = BTreeSet::new();
    for (reason, value, said) in cases() {
        let (product, status) = run(&plan, &value, named("trace", "t-1"));
        let [letter] = &product.outputs[..] else { panic!("{reason}: {} outputs", product.outputs.len()) };
        assert_eq!((&*letter.topic, letter.timestamp), ("small.dead_letters", NOW + 5));
        assert_eq!((letter.key.as_deref(), &letter.value), (Some(&b"its key"[..]), &value), "{reason}");
        let message = letter.headers.last().map(|header| String::from_utf8_lossy(&header.value).into_owned());
        let message = message.expect("the message is the last header");
        assert!(message.starts_with("decode events[3]@8812: ") && message.contains(said), "{reason}: {message}");
        let expected = [
            named("trace", "t-1"),
            named("__connect.errors.topic", "events"),
            named("__connect.errors.partition", "3"),
            named("__connect.errors.offset", "8812"),
            named("__connect.errors.stage", "decode"),
            named("__connect.errors.exception.class.name", reason.name()),
            named("__connect.errors.exception.message", &message),
        ];
        assert_eq!(letter.headers, expected);
        let counted = status.dead_letters().into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>();
        assert_eq!(counted, [(reason, 1)]);
        met.insert(reason);
    }
    let of_others = [Reason::QueryFailed, Reason::TableFull];
    let of_decode = Reason::ALL.into_iter().filter(|reason| !of_others.contains(reason));
    assert_eq!(met, of_decode.collect());
}

#[test]
fn an_event_on_which_the_query_fails_is_set_aside_and_the_others_go_on() {
    let query = "[enrich]\nquery = \"SELECT e.*, 100 / e.bytes AS share FROM events e\"\n";
    let plan = plan(&format!("{HEAD}{query}{DETECT}"), &[]);
    let mut records = Records::new("events".into(), 3);
    for (offset, bytes) in [(1, 4), (2, 0), (3, 5)] {
        let value = format!("{{\"host\":\"a\",\"at\":\"2026-01-01T00:00:00Z\",\"bytes\":{bytes}}}");
        records.push(offset, NOW, None, value.as_bytes(), Vec::new());
    }
    let status = Status::default();
    let mut task = Task::new(&plan, 3, &[]).expect("the plan has no tables");
    let product = task.process(&records, 0..3, &status, &HandClock::at(NOW)).expect("input never stops a pipeline");
    let letters = of_topic(&product.outputs, "small.dead_letters");
    assert_eq!(letters.len(), 1);
    let told = |name: &str| header(letters[0], name);
    assert_eq!(told(HEADER_STAGE).as_deref(), Some("enrich"));
    assert_eq!(told(HEADER_CLASS).as_deref(), Some("query_failed"));
    assert_eq!(told("__connect.errors.offset").as_deref(), Some("2"));
    assert_eq!(of_topic(&product.outputs, "small.enriched").len(), 2);
    assert_eq!(lapwing_pipeline::status::get(&status.filtered), 0);
}

#[test]
fn a_record_that_the_transport_cut_says_how_large_it_was() {
    let plan = plan(&format!("{HEAD}{DETECT}"), &[]);
    let (product, _) = run(&plan, b"{\"host\":\"a", named(OVERSIZE_HEADER, "99000000"));
    let letter = &product.outputs[0];
    assert_eq!(header(letter, HEADER_CLASS).as_deref(), Some("too_large"));
    assert!(letter.headers.last().is_some_and(|last| {
        String::from_utf8_lossy(&last.value).ends_with("the record has 99000000 bytes; `max_record_bytes` allows 500")
    }));
}

#[test]
fn a_record_without_key_stays_without_key() {
    let plan = plan(&format!("{HEAD}{DETECT}"), &[]);
    let mut hand = crate::setup::by_hand(&plan, &[], None);
    hand.feed(&["no json"]).unwrap();
    assert_eq!((hand.outputs[0].key.clone(), &hand.outputs[0].value[..]), (None, &b"no json"[..]));
}

#[test]
fn an_event_for_which_the_query_fails_is_set_aside_and_the_others_go_on() {
    let query = r#"
[enrich]
query = "SELECT e.*, 1000 / (e.bytes - 700) AS share FROM events e"
"#;
    let plan = plan(&format!("{HEAD}{query}"), &[]);
    let mut hand = crate::setup::by_hand(&plan, &[], None);
    let mut events = ordinary(5, 1);
    events[2].bytes = 700;
    let values: Vec<Vec<u8>> = events.iter().map(|event| event.json()).collect();
    hand.feed(&values).unwrap();
    assert_eq!(of_topic(&hand.outputs, "small.enriched").len(), 4, "{:?}", by_origin(&hand.outputs).keys());
    let letters = of_topic(&hand.outputs, "small.dead_letters");
    assert_eq!(letters.len(), 1, "the event whose `share` divides by zero is neither dropped nor counted as filtered");
    assert_eq!(letters[0].value, values[2]);
    assert_eq!(header(letters[0], HEADER_STAGE).as_deref(), Some("enrich"));
    assert_eq!(hand.status.dead_letters_total(), 1);
}

#[test]
fn a_time_that_is_wrong_by_a_known_mistake_is_told_which() {
    let plan = plan(&format!("{HEAD}{DETECT}"), &[]);
    let value = br#"{"id":"1","host":"a","at":"2026-01-02T02:00:00Z"}"#;
    let (product, _) = run(&plan, value, named("trace", "t-1"));
    let message = header(&product.outputs[0], HEADER_MESSAGE).unwrap();
    assert!(message.contains("UTC+2"), "{message}");
}
