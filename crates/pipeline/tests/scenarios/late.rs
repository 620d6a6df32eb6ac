use lapwing_pipeline::status::get;
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{MINUTE, SECOND};

use crate::outputs::{header, of_topic};
use crate::setup::{DETECT, HEAD, by_hand, fitted, plan, records_of};
use crate::stream::{Event, NOW, START, ordinary};

fn with_features() -> String {
    format!("{HEAD}{DETECT}\n[outputs]\nfeatures = true")
}

fn event(number: i64, at: i64) -> Event {
    Event { id: format!("e{number}"), host: "a".into(), at, bytes: 10 * number, errors: 0.0, service: "dns" }
}

#[test]
fn an_event_behind_the_watermark_goes_to_late_as_it_came_and_says_by_how_much() {
    let plan = plan(&with_features(), &[]);
    let mut hand = by_hand(&plan, &[], None);
    let values = [event(1, START + MINUTE), event(2, START + 30 * SECOND - 1)].map(|event| event.json());
    hand.feed(&values).unwrap();
    let late = of_topic(&hand.outputs, "small.late");
    assert_eq!(late.len(), 1);
    assert_eq!((&late[0].value, late[0].key.as_ref(), late[0].timestamp), (&values[1], None, NOW));
    assert_eq!(header(late[0], "lapwing.source").as_deref(), Some("events[0]@1"));
    assert_eq!(header(late[0], "lapwing.late_by_micros").as_deref(), Some("1"));
    assert_eq!(of_topic(&hand.outputs, "small.enriched").len(), 1);
    assert_eq!((get(&hand.status.late), get(&hand.status.processed)), (1, 1));
}

#[test]
fn a_late_event_keeps_its_key_and_its_own_headers() {
    use lapwing_pipeline::{by_hand::HandClock, status::Status, task::Task};
    let plan = plan(&with_features(), &[]);
    let mut records = records_of(&[event(1, START + MINUTE).json()]);
    let own = lapwing_vocabulary::Header { name: "trace".into(), value: b"t-1".to_vec() };
    records.push(7, NOW, Some(b"k"), &event(2, START).json(), vec![own.clone()]);
    let mut task = Task::new(&plan, 0, &[]).unwrap();
    let product = task.process(&records, 0..2, &Status::default(), &HandClock::at(NOW)).unwrap();
    let late = of_topic(&product.outputs, "small.late")[0];
    assert_eq!((late.key.as_deref(), &late.headers[0]), (Some(&b"k"[..]), &own));
    assert_eq!(header(late, "lapwing.source").as_deref(), Some("events[0]@7"));
}

#[test]
fn an_event_exactly_at_the_bound_counts() {
    let plan = plan(&with_features(), &[]);
    let mut hand = by_hand(&plan, &[], None);
    hand.feed(&[event(1, START + MINUTE), event(2, START + 30 * SECOND)].map(|event| event.json())).unwrap();
    assert_eq!((get(&hand.status.late), get(&hand.status.processed)), (0, 2));
    assert_eq!(hand.task().aggregate().watermark(), Some(EventTime(START + 30 * SECOND)));
}

#[test]
fn late_events_change_neither_features_nor_scores_of_the_others() {
    let plan = plan(&with_features(), &[]);
    let model = fitted(&plan, &[], 1);
    let on_time: Vec<Vec<u8>> = ordinary(600, 5).iter().map(Event::json).collect();
    let mut mixed = Vec::new();
    for (number, value) in on_time.iter().enumerate() {
        mixed.push(value.clone());
        if number > 100 && number % 7 == 0 {
            let of_past =
                Event { at: START, host: format!("h{}", number % 6), bytes: 1 << 40, ..event(number as i64, 0) };
            mixed.push(of_past.json());
        }
    }
    let run = |values: &[Vec<u8>]| {
        let mut hand = by_hand(&plan, &[], Some(model.clone()));
        hand.feed(values).unwrap();
        let enriched = of_topic(&hand.outputs, "small.enriched").into_iter().map(|record| record.value.clone());
        (enriched.collect::<Vec<_>>(), get(&hand.status.late))
    };
    let (pure, mixed) = (run(&on_time), run(&mixed));
    assert_eq!((pure.1, mixed.1), (0, 71));
    assert!(pure.0 == mixed.0, "features or scores differ");
}

#[test]
fn late_events_are_only_counted_when_their_topic_is_off() {
    let plan = plan(&format!("{HEAD}{DETECT}\n[outputs]\nlate = false"), &[]);
    let mut hand = by_hand(&plan, &[], None);
    hand.feed(&[event(1, START + MINUTE), event(2, START)].map(|event| event.json())).unwrap();
    assert_eq!(get(&hand.status.late), 1);
    assert_eq!(hand.outputs.len(), 1);
}
