//! Events go out in batches, at their pace, and what was told of is durable.

use std::cell::Cell;
use std::ops::ControlFlow;

use lapwing_produce::{Clock, DriveOptions, Label, ProduceError, Produced, Progress, TokenBucket, produce};
use lapwing_vocabulary::port::Producer;
use lapwing_vocabulary::{EventTime, OutputRecord, PortError};

/// A clock that only sleeping moves.
struct Hands(Cell<i64>);

impl Clock for Hands {
    fn now_micros(&self) -> i64 {
        self.0.get()
    }

    fn sleep(&self, micros: i64) {
        assert!(micros > 0, "a wait of nothing is a busy loop");
        self.0.set(self.0.get() + micros);
    }
}

#[derive(Default)]
struct Topic {
    batches: Vec<Vec<OutputRecord>>,
    durable: usize,
    refuses: bool,
}

impl Topic {
    fn len(&self) -> usize {
        self.batches.iter().map(Vec::len).sum()
    }
}

impl Producer for Topic {
    fn append(&mut self, records: Vec<OutputRecord>) -> Result<(), PortError> {
        if self.refuses {
            return Err(PortError::Storage("append t: disk full".into()));
        }
        self.batches.push(records);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PortError> {
        self.durable = self.len();
        Ok(())
    }
}

fn event(number: u64) -> Result<Produced, ProduceError> {
    let label = if number.is_multiple_of(10) { Label::from_name("odd") } else { Label::Normal };
    Ok(Produced { key: Some(b"host-0001".to_vec()), value: vec![b'x'; 100], time: EventTime(0), label })
}

fn go_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn batches_are_bounded_by_records_and_by_bytes() {
    let clock = Hands(Cell::new(77));
    for (batch_records, batch_bytes, expected) in [(10, 1 << 20, 10), (1000, 500, 5)] {
        let mut topic = Topic::default();
        let options = DriveOptions { batch_records, batch_bytes, ..DriveOptions::new("t") };
        let progress = produce((0..25).map(event), &mut topic, options, &clock, &mut go_on).unwrap();
        assert_eq!((progress.events, progress.anomalies, progress.bytes), (25, 3, 2_500));
        assert_eq!((topic.batches[0].len(), topic.durable), (expected, 25));
        let record = &topic.batches[0][0];
        assert_eq!((&*record.topic, record.key.as_deref(), record.timestamp), ("t", Some(&b"host-0001"[..]), 77));
    }
}

#[test]
fn a_pace_is_kept_and_progress_is_told_each_second() {
    let clock = Hands(Cell::new(0));
    let mut topic = Topic::default();
    let options = DriveOptions { pace: Some(TokenBucket::steady(100.0).unwrap()), ..DriveOptions::new("t") };
    let mut told = Vec::new();
    let progress = produce((0..1000).map(event), &mut topic, options, &clock, &mut |progress| {
        told.push(*progress);
        ControlFlow::Continue(())
    });
    assert_eq!(progress.unwrap().events, 1000);
    assert!((9_990_000..=10_100_000).contains(&clock.now_micros()), "{}", clock.now_micros());
    assert!((9..=10).contains(&told.len()), "{told:?}");
    for progress in told {
        let expected = progress.elapsed_micros as f64 / 1e4;
        assert!((progress.events as f64 - expected).abs() <= 6.0, "{progress:?}");
    }
}

#[test]
fn the_caller_can_stop_what_has_no_end_even_while_it_waits() {
    for rate in [0.01, 1e6] {
        let clock = Hands(Cell::new(0));
        let mut topic = Topic::default();
        let options = DriveOptions { pace: Some(TokenBucket::steady(rate).unwrap()), ..DriveOptions::new("t") };
        let mut stop = |_: &Progress| ControlFlow::Break(());
        produce((0..).map(event), &mut topic, options, &clock, &mut stop).unwrap();
        assert!(clock.now_micros() <= 1_200_000);
        assert_eq!(topic.durable, topic.len());
    }
}

#[test]
fn what_came_before_a_fault_is_durable() {
    let mut topic = Topic::default();
    let fault = ProduceError::Option { option: "test", problem: "a fault".into() };
    let events = (0..5).map(event).chain([Err(fault)]);
    let error = produce(events, &mut topic, DriveOptions::new("t"), &Hands(Cell::new(0)), &mut go_on).unwrap_err();
    assert!(matches!(error, ProduceError::Option { option: "test", .. }));
    assert_eq!(topic.durable, 5);
}

#[test]
fn a_topic_that_refuses_is_told_to_the_caller() {
    let mut topic = Topic { refuses: true, ..Topic::default() };
    let outcome = produce((0..5).map(event), &mut topic, DriveOptions::new("t"), &Hands(Cell::new(0)), &mut go_on);
    assert!(matches!(outcome, Err(ProduceError::Port(PortError::Storage(_)))));
}
