//! The transport, producer and topics against a real Kafka.
//!
//! `scripts/kafka start && LAPWING_KAFKA=$(scripts/kafka url) cargo test -p lapwing-connect --features real-kafka --test kafka`
//!
//! Nothing is deleted: every test makes topics of its own, so that a run finds a broker of any age good enough.

use std::sync::Arc;
use std::time::Duration;

use lapwing_connect::kafka::{KafkaConnection, KafkaOptions, KafkaProducer, KafkaTopics, KafkaTransport};
use lapwing_connect::partitioner::partition_of_key;
use lapwing_connect::suite::{self, Abilities, Committed, Fixture};
use lapwing_vocabulary::port::{Producer, TopicLayout, Topics};
use lapwing_vocabulary::{Epoch, Header, OutputRecord, Polled, PortError, Processing, Records, Transport};

mod kafka_support;
use kafka_support::*;

struct Kafka(Processing);

impl Fixture for Kafka {
    fn abilities(&self) -> Abilities {
        Abilities { metadata: true, several_workers: true, finite: false }
    }

    fn create(&mut self, subject: &str, partitions: i32) -> Arc<str> {
        fresh_topic(&format!("suite-{subject}"), partitions).into()
    }

    fn produce(&mut self, records: Vec<OutputRecord>) {
        let mut producer = KafkaProducer::open(connection()).unwrap();
        producer.append(records).unwrap();
        producer.flush().unwrap();
    }

    fn open(&mut self, topic: &str, group: &str, worker: usize, _: usize) -> Result<Box<dyn Transport>, PortError> {
        let own = options(topic, &format!("{group}-{worker}"));
        let group = format!("{topic}-{group}");
        Ok(Box::new(KafkaTransport::open(KafkaOptions { group, processing: self.0, ..own })?))
    }

    fn committed(&mut self, topic: &str) -> Vec<Committed> {
        let whole = |records: &Records, index: usize| Committed {
            key: records.key(index).map(<[u8]>::to_vec),
            value: records.value(index).to_vec(),
            headers: records.headers(index).to_vec(),
            timestamp: records.timestamp(index),
        };
        let batches = committed_batches(topic);
        batches.iter().flat_map(|batch| (0..batch.len()).map(move |index| whole(batch, index))).collect()
    }
}

#[test]
fn kafka_does_what_every_transport_must() {
    suite::run(|| Kafka(Processing::ExactlyOnce));
}

#[test]
fn kafka_reads_several_topics_as_one() {
    let fixture = || Kafka(Processing::ExactlyOnce);
    suite::run_several(fixture, |_, topics| {
        let own = KafkaOptions { group: format!("{}-several", topics[0]), ..options(topics[0], "several") };
        Ok(Box::new(KafkaTransport::open_with(own, &topics[1..])?))
    });
}

#[test]
fn kafka_does_it_at_least_once_too() {
    suite::run_at_least_once(|| Kafka(Processing::AtLeastOnce));
}

#[test]
fn records_come_back_with_key_headers_and_time_and_the_position_survives_a_restart() {
    let topic = fresh_topic("roundtrip", 1);
    let mut sent = record(&topic, "k", "one");
    sent.headers = vec![Header { name: "h".into(), value: b"v".to_vec() }, Header { name: "h".into(), value: vec![] }];
    let mut producer = KafkaProducer::open(connection()).unwrap();
    producer.append(vec![sent.clone(), record(&topic, "k", "two"), record(&topic, "k", "three")]).unwrap();
    producer.flush().unwrap();

    let mut transport = KafkaTransport::open(options(&topic, "a")).unwrap();
    assert_eq!(assigned(&mut transport), [(0, None, 0)]);
    transport.resume(0, 0).unwrap();
    let first = records(&mut transport);
    assert_eq!(texts(&first).collect::<Vec<_>>(), ["one", "two", "three"]);
    assert_eq!(
        (first.key(0), first.headers(0), first.timestamp(0)),
        (Some(&b"k"[..]), &sent.headers[..], sent.timestamp)
    );
    transport.commit(Epoch { outputs: vec![], positions: vec![(0, 2)] }).unwrap();
    drop(transport);

    let mut again = KafkaTransport::open(options(&topic, "a")).unwrap();
    assert_eq!(assigned(&mut again), [(0, Some(2), 0)]);
    again.resume(0, 2).unwrap();
    assert_eq!(texts(&records(&mut again)).collect::<Vec<_>>(), ["three"]);
    // Back to the beginning without a new assignment.
    again.resume(0, 0).unwrap();
    assert_eq!(texts(&records(&mut again)).collect::<Vec<_>>(), ["one", "two", "three"]);
}

#[test]
fn nothing_is_delivered_before_resume_and_the_backlog_counts_what_is_left() {
    let topic = fresh_topic("backlog", 1);
    produce(&topic, 0, 100);
    let mut transport = KafkaTransport::open(options(&topic, "a")).unwrap();
    assigned(&mut transport);
    for _ in 0..5 {
        assert!(matches!(transport.poll(10, WAIT).unwrap(), Polled::Idle), "nothing before resume");
    }
    transport.resume(0, 20).unwrap();
    assert_eq!(transport.backlog().unwrap().records, 80);
    let Polled::Records(first) = transport.poll(30, Duration::from_secs(10)).unwrap() else { panic!("no records") };
    assert_eq!((first.offset(0), transport.backlog().unwrap().records), (20, 80 - first.len() as u64));
    // Its own transaction marker is the last thing in the topic; it is no backlog.
    transport.commit(Epoch { outputs: vec![record(&topic, "k", "own")], positions: vec![(0, 50)] }).unwrap();
    let mut seen = first.len();
    while seen < 81 {
        seen += records(&mut transport).len();
    }
    for _ in 0..3 {
        transport.poll(10, WAIT).unwrap();
    }
    assert_eq!(transport.backlog().unwrap().records, 0);
}

#[test]
fn partitions_move_to_a_second_worker_and_back_and_nothing_is_lost_or_doubled() {
    let (input, output) = (fresh_topic("rebalance-in", 4), fresh_topic("rebalance-out", 2));
    produce(&input, 0, 2000);
    let mut first = Worker::open(options(&input, "a"), &output);
    first.work_until(|_, copied, _| copied > 300);
    assert_eq!(first.held.len(), 4);

    let joining = std::thread::spawn({
        let (options, output) = (options(&input, "b"), output.clone());
        move || {
            let mut second = Worker::open(options, &output);
            second.work_until(|worker, copied, idle| worker.held.len() == 2 && (copied > 300 || idle > 3));
        }
    });
    while !joining.is_finished() {
        first.step();
    }
    joining.join().unwrap();
    produce(&input, 2000, 500);
    first.work_until(|worker, _, idle| worker.held.len() == 4 && idle > 20);

    assert_each_once(&output, 2500);
}

#[test]
fn an_epoch_that_fails_is_never_visible_and_the_worker_begins_again() {
    let (input, output) = (fresh_topic("abort-in", 1), fresh_topic("abort-out", 1));
    produce(&input, 0, 3);
    let uncompressed = [("compression.type", "none")];
    let mut transport = KafkaTransport::open(options_with(&input, "a", &uncompressed)).unwrap();
    assigned(&mut transport);
    transport.resume(0, 0).unwrap();
    records(&mut transport);
    let huge = OutputRecord { value: vec![0; 1_040_000], ..record(&output, "k", "") };
    let mut outputs = vec![record(&output, "k", "never"); 1000];
    // The client takes it, the broker refuses its batch: the records before it are in the log by then.
    outputs.push(OutputRecord { key: Some(vec![b'k'; 10_000]), ..huge });
    let text = operator(transport.commit(Epoch { outputs, positions: vec![(0, 3)] }));
    assert!(text.contains("max.message.bytes"), "{text}");
    assert_eq!(committed(&output), Vec::<String>::new());

    assert_eq!(assigned(&mut transport), [(0, None, 0)], "announced again, nothing was committed");
    transport.resume(0, 0).unwrap();
    assert_eq!(records(&mut transport).len(), 3);
    transport.commit(Epoch { outputs: vec![record(&output, "k", "once")], positions: vec![(0, 3)] }).unwrap();
    assert_eq!(committed(&output), ["once"]);
}

#[test]
fn a_worker_whose_name_was_taken_over_is_fenced() {
    let (input, output) = (fresh_topic("fence-in", 1), fresh_topic("fence-out", 1));
    produce(&input, 0, 3);
    let mut old = KafkaTransport::open(options(&input, "same")).unwrap();
    assigned(&mut old);
    old.resume(0, 0).unwrap();
    records(&mut old);
    let _new = KafkaTransport::open(options(&input, "same")).unwrap();
    let epoch = Epoch { outputs: vec![record(&output, "k", "zombie")], positions: vec![(0, 3)] };
    let text = restart(old.commit(epoch));
    assert!(text.contains("fenced"), "{text}");
    assert_eq!(committed(&output), Vec::<String>::new());
}

#[test]
fn a_worker_of_an_old_generation_cannot_commit() {
    let (input, output) = (fresh_topic("generation-in", 1), fresh_topic("generation-out", 1));
    produce(&input, 0, 3);
    let short = [("session.timeout.ms", "1000"), ("max.poll.interval.ms", "1000")];
    let mut old = KafkaTransport::open(options_with(&input, "old", &short)).unwrap();
    assigned(&mut old);
    old.resume(0, 0).unwrap();
    records(&mut old);
    // It does not poll any more; the group gives its partition to another worker, which finishes the work.
    let mut new = Worker::open(options(&input, "new"), &output);
    new.work_until(|_, copied, _| copied == 3);
    let epoch = Epoch { outputs: vec![record(&output, "k", "zombie")], positions: vec![(0, 3)] };
    restart(old.commit(epoch));
    let mut values = committed(&output);
    values.sort();
    assert_eq!(values, ["0", "1", "2"]);
    assert_eq!(new.restarts, 0);
}

#[test]
fn at_least_once_a_worker_of_an_old_generation_repeats_outputs_but_moves_no_position() {
    let (input, output) = (fresh_topic("zombie-in", 1), fresh_topic("zombie-out", 1));
    produce(&input, 0, 3);
    let short = [("session.timeout.ms", "1000"), ("max.poll.interval.ms", "1000")];
    let at_least_once = |name: &str, properties: &[(&str, &str)]| KafkaOptions {
        processing: Processing::AtLeastOnce,
        ..options_with(&input, name, properties)
    };
    let mut old = KafkaTransport::open(at_least_once("old", &short)).unwrap();
    assigned(&mut old);
    old.resume(0, 0).unwrap();
    records(&mut old);
    let mut new = Worker::open(at_least_once("new", &[]), &output);
    new.work_until(|_, copied, _| copied == 3);
    let epoch = Epoch { outputs: vec![record(&output, "k", "zombie")], positions: vec![(0, 1)] };
    restart(old.commit(epoch));
    drop((old, new));
    let mut values = committed(&output);
    values.retain(|value| value != "zombie");
    values.sort();
    assert_eq!(values, ["0", "1", "2"]);
    let mut next = KafkaTransport::open(at_least_once("next", &[])).unwrap();
    assert_eq!(assigned(&mut next), [(0, Some(3), 0)]);
}

#[test]
fn a_partition_added_after_the_producer_began_is_found() {
    let topic = fresh_topic("grown", 1);
    let mut producer = KafkaProducer::open(connection()).unwrap();
    let to = |partition| OutputRecord { partition: Some(partition), ..record(&topic, "k", "v") };
    producer.append(vec![to(0)]).and_then(|()| producer.flush()).unwrap();
    let text = operator(producer.append(vec![to(2)]).and_then(|()| producer.flush()));
    assert!(text.contains("no partition 2, only 0"), "{text}");
    grow(&topic, 3);
    producer.append(vec![to(2)]).and_then(|()| producer.flush()).unwrap();
    let mut topics = KafkaTopics::open(connection()).unwrap();
    assert_eq!(topics.read(&topic, 2, 0, 10).unwrap().len(), 1);
}

#[test]
fn a_record_is_delivered_as_soon_as_it_is_there() {
    let topic = fresh_topic("soon", 1);
    let mut transport = KafkaTransport::open(options(&topic, "a")).unwrap();
    assigned(&mut transport);
    transport.resume(0, 0).unwrap();
    while !matches!(transport.poll(10, WAIT).unwrap(), Polled::Idle) {}
    let mut producer = KafkaProducer::open(connection()).unwrap();
    let mut spans = Vec::new();
    for _ in 0..20 {
        producer.append(vec![record(&topic, "k", "v")]).and_then(|()| producer.flush()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
        let began = std::time::Instant::now();
        // It would wait for a minute if nothing woke it.
        let Polled::Records(records) = transport.poll(10, Duration::from_secs(60)).unwrap() else { panic!("none") };
        assert_eq!(records.len(), 1);
        spans.push(began.elapsed());
    }
    spans.sort();
    assert!(spans[spans.len() / 2] < Duration::from_millis(40), "{spans:?}");
}

#[test]
fn a_property_is_passed_through_and_refused_ones_are_named() {
    let topic = fresh_topic("properties", 1);
    let mut transport = KafkaTransport::open(options_with(&topic, "a", &[("client.id", "mine")])).unwrap();
    assigned(&mut transport);
    for (name, value) in [("enable.auto.commit", "true"), ("group.id", "other"), ("fetch.wait.maxms", "1")] {
        let text = operator(KafkaTransport::open(options_with(&topic, "a", &[(name, value)])).map(|_| ()));
        assert!(text.contains(name) && text.contains("[connect.kafka]"), "{text}");
    }
    let text = operator(
        KafkaTransport::open(options_with(&topic, "a", &[("transaction.timeout.ms", "99999999")])).map(|_| ()),
    );
    assert!(text.contains("transaction"), "{text}");
}

#[test]
fn an_unreachable_broker_is_given_up_in_the_stated_time() {
    #[expect(clippy::disallowed_methods, reason = "the test is about real time")]
    let began = std::time::Instant::now();
    let mut nowhere = connection_with(&[("bootstrap.servers", "127.0.0.1:1")]);
    nowhere.give_up_after = Duration::from_secs(4);
    let Err(PortError::Unreachable(text)) = KafkaTopics::open(nowhere.clone()).map(|_| ()) else { panic!("reached") };
    assert!(text.contains("127.0.0.1:1") && text.contains("4 s"), "{text}");
    let mut options = options_with("t", "a", &[("bootstrap.servers", "127.0.0.1:1")]);
    options.give_up_after = nowhere.give_up_after;
    let Err(PortError::Unreachable(text)) = KafkaTransport::open(options).map(|_| ()) else { panic!("reached") };
    assert!(text.contains("127.0.0.1:1"), "{text}");
    let took = began.elapsed().as_secs_f64();
    assert!((8.0..14.0).contains(&took), "two times four seconds took {took}");
}

#[test]
fn an_unknown_topic_is_named_with_the_near_ones() {
    let topic = fresh_topic("nearby", 1);
    let text = operator(KafkaTransport::open(options(&topic.replace("nearby", "nearbi"), "a")).map(|_| ()));
    assert!(text.contains(&format!("`{topic}`")) && text.contains("lapwing topics create"), "{text}");
    let mut producer = KafkaProducer::open(connection()).unwrap();
    let text = operator(producer.append(vec![record("no-such-topic", "k", "v")]).and_then(|()| producer.flush()));
    assert!(text.contains("no-such-topic"), "{text}");
}

#[test]
fn topics_are_made_once_described_and_read_to_their_end() {
    let mut topics = KafkaTopics::open(connection()).unwrap();
    let name = fresh_topic("described", 3);
    assert!(!topics.create(&name, &layout(1)).unwrap(), "it exists");
    let compacted = format!("{name}-compacted");
    let kept = TopicLayout { retention_micros: Some(60_000_000), compact: true, ..layout(1) };
    topics.create(&compacted, &kept).unwrap();
    let state = topics.describe(&compacted).unwrap().unwrap();
    for expected in [("cleanup.policy", "compact,delete"), ("retention.ms", "60000"), ("replication.factor", "1")] {
        let expected = (expected.0.to_string(), expected.1.to_string());
        assert!(state.settings.contains(&expected), "{expected:?} in {:?}", state.settings);
    }
    produce(&name, 0, 30);
    let state = topics.describe(&name).unwrap().unwrap();
    assert_eq!(state.partitions.iter().map(|(first, end)| end - first).sum::<i64>(), 30);
    assert_eq!(committed(&name).len(), 30);
    let end = state.partitions[0].1;
    assert!(topics.read(&name, 0, end, 10).unwrap().is_empty());
    assert!(topics.read(&name, 0, end + 100, 10).unwrap().is_empty());
    assert!(topics.describe("no-such-topic").unwrap().is_none());
    assert!(operator(topics.read(&name, 7, 0, 10).map(|_| ())).contains("no partition 7"));
    assert!(topics.list().unwrap().contains(&name));
}

#[test]
fn settling_waits_for_the_end_of_a_transaction_that_another_one_has_open() {
    let topic = fresh_topic("settled", 1);
    let mut topics = KafkaTopics::open(connection()).unwrap();
    topics.settle(&topic, 0).unwrap();
    let open = OpenTransaction::with(&topic, "marker");
    assert!(topics.read(&topic, 0, 0, 10).unwrap().is_empty(), "nobody sees it yet");
    let ending = std::thread::spawn(move || open.commit_after(Duration::from_millis(700)));
    topics.settle(&topic, 0).unwrap();
    assert_eq!(topics.read(&topic, 0, 0, 10).unwrap().len(), 1, "it has waited");
    ending.join().unwrap();
    let _hanging = OpenTransaction::with(&topic, "never");
    let impatient = KafkaConnection { give_up_after: Duration::from_millis(500), ..connection() };
    let text = KafkaTopics::open(impatient).unwrap().settle(&topic, 0).unwrap_err().to_string();
    assert!(text.contains("still undecided") && text.contains("find-hanging"), "{text}");
}

#[test]
fn equal_keys_go_where_the_java_client_sends_them() {
    let topic = fresh_topic("partitioner", 5);
    let mut producer = KafkaProducer::open(connection()).unwrap();
    let keys = ["21", "foobar", "a-little-bit-long-string", "k"];
    producer.append(keys.iter().map(|key| record(&topic, key, key)).collect()).unwrap();
    producer.flush().unwrap();
    let mut topics = KafkaTopics::open(connection()).unwrap();
    for key in keys {
        let partition = partition_of_key(key.as_bytes(), 5);
        let found = topics.read(&topic, partition, 0, 10).unwrap();
        assert!(texts(&found).any(|text| text == key), "{key} is not in partition {partition}");
    }
}
