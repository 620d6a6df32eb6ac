//! The program on a real Kafka, end to end: exactly once, and the same alerts as on the embedded log.
//! Needs the address of a broker in LAPWING_KAFKA; `scripts/kafka start` runs one.

/// What the tests of the binary share.
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use lapwing_connect::kafka::{KafkaConnection, KafkaProducer, KafkaTopics};
use lapwing_vocabulary::port::{TopicLayout, Topics};
use world::{
    JoinedWorld, Kills, Outputs, Running, Shape, World, embedded, events_of, eventually, kill_again_and_again,
    topic_values,
};

/// Longest that outputs are waited for.
const LIMIT: Duration = Duration::from_secs(120);

fn address() -> String {
    #[expect(clippy::disallowed_methods, reason = "the one setting of this test")]
    std::env::var("LAPWING_KAFKA").expect(
        "LAPWING_KAFKA is not set: start a broker with `scripts/kafka start` and set it to host:port, \
         for example LAPWING_KAFKA=127.0.0.1:19092",
    )
}

fn connection() -> KafkaConnection {
    let properties = BTreeMap::from([("bootstrap.servers".to_owned(), address())]);
    KafkaConnection { properties, give_up_after: Duration::from_secs(20), max_record_bytes: 1 << 20 }
}

fn kafka() -> KafkaTopics {
    KafkaTopics::open(connection()).unwrap()
}

/// The section of a pipeline file. A dead process is noticed soon, or every kill would cost ten seconds.
fn connect() -> String {
    let timeouts = "\"session.timeout.ms\" = 2000\n\"heartbeat.interval.ms\" = 300\n";
    format!("[connect.kafka]\n\"bootstrap.servers\" = \"{}\"\n{timeouts}", address())
}

/// Creates a source topic that no earlier run has used.
fn fresh_topic() -> String {
    let mut topics = kafka();
    let taken = topics.list().unwrap();
    let layout =
        TopicLayout { partitions: 4, replication: None, retention_micros: None, retention_bytes: None, compact: false };
    let names = (1..).map(|number| format!("lapwing-cli-{number}")).filter(|name| !taken.contains(name));
    let mut created = names.filter(|name| topics.create(name, &layout).unwrap());
    created.next().expect("numbers do not run out")
}

/// A world with an empty source topic, and a model trained on the events that will come.
fn trained(events: usize) -> (World, Shape) {
    let (world, source) = (World::new(), fresh_topic());
    let shape = Shape { connect: connect(), batch: 50, run: source.clone(), source: Some(source), ..Shape::embedded() };
    let pipeline = world.pipeline("first.toml", &shape);
    world.produce_file(&pipeline, events, "events.jsonl");
    world.lapwing(&["train", &pipeline, "--input", "events.jsonl"]).succeeded();
    (world, shape)
}

/// Writes the pipeline of a run and makes its topics; returns the file's name.
fn prepare(world: &World, shape: &Shape) -> String {
    let pipeline = world.pipeline(&format!("{}.toml", shape.run), shape);
    world.lapwing(&["topics", "create", &pipeline]).succeeded();
    pipeline
}

fn uuids(shape: &Shape) -> Vec<String> {
    events_of(&mut kafka(), shape.source.as_ref().unwrap(), "uuid")
}

/// Waits until so many enriched events are committed while a run goes on.
fn until_enriched(running: &mut Running, shape: &Shape, events: usize) {
    let mut topics = kafka();
    eventually("all events are enriched", LIMIT, || {
        assert!(running.is_alive(), "the run has ended:\n{}", running.err());
        (topic_values(&mut topics, &shape.enriched()).len() >= events).then_some(())
    });
}

/// Runs a pipeline until all events are enriched; returns what came out.
fn run_to_end(world: &World, shape: &Shape, events: usize, workers: &str) -> Outputs {
    let pipeline = prepare(world, shape);
    let mut running = world.start(&["run", &pipeline, "--no-page", "--workers", workers]);
    until_enriched(&mut running, shape, events);
    running.interrupt().succeeded();
    Outputs::read(&mut kafka(), shape)
}

/// The alerts of the same pipeline over the same events on the embedded log.
fn alerts_on_the_embedded_log(world: &World, shape: &Shape, events: usize) -> Vec<Vec<u8>> {
    let shape = Shape { connect: Shape::embedded().connect, ..shape.run("embedded") };
    let pipeline = world.pipeline("embedded.toml", &shape);
    world.produce(&pipeline, events, &[]);
    world.lapwing(&["run", &pipeline, "--until-end", "--no-page"]).succeeded();
    Outputs::read(embedded(world).as_mut(), &shape).alerts
}

#[test]
fn kafka_and_the_embedded_log_give_the_same_alerts_whatever_the_batches_and_workers() {
    let (world, shape) = trained(5_000);
    world.produce("first.toml", 5_000, &[]);
    let expected = alerts_on_the_embedded_log(&world, &shape, 5_000);
    for (batch, commit, workers) in [(1, "50ms", "2"), (100, "1ms", "1"), (50_000, "1ms", "1"), (50_000, "1ms", "2")] {
        let run = format!("{}-batches-of-{batch}-by-{workers}", shape.run);
        let shape = Shape { batch, commit, ..shape.run(&run) };
        let outputs = run_to_end(&world, &shape, 5_000, workers);
        outputs.assert_exactly_once(&uuids(&shape));
        assert!(outputs.alerts == expected, "other alerts with batches of {batch} and {workers} workers");
    }
}

#[test]
fn a_model_is_trained_on_what_the_source_topic_holds() {
    let (world, shape) = trained(2_000);
    world.produce("first.toml", 2_000, &[]);
    assert_eq!(uuids(&shape).len(), 2_000);
    let said = world.lapwing(&["train", "first.toml"]).succeeded();
    assert!(said.starts_with("telemetry@2: 2 detectors fitted to "), "{said}");
}

#[test]
fn killed_twenty_times_nothing_is_lost_nothing_is_doubled_and_the_alerts_are_the_same_bytes() {
    let (world, shape) = trained(40_000);
    world.produce("first.toml", 40_000, &[]);
    let pipeline = prepare(&world, &shape);
    let kills = Kills { times: 20, epochs_max: 15, seed: 5 };
    kill_again_and_again(&world, &["run", &pipeline, "--workers", "2"], &kills);
    let left = 40_000 - topic_values(&mut kafka(), &shape.enriched()).len();
    assert!((1..40_000).contains(&left), "{left} events are left after the last kill: it was not in the middle");
    let outputs = run_to_end(&world, &shape, 40_000, "2");
    outputs.assert_exactly_once(&uuids(&shape));
    let expected = alerts_on_the_embedded_log(&world, &shape, 40_000);
    assert!(outputs.alerts == expected, "the alerts differ from those of an undisturbed run");
}

#[test]
fn two_processes_share_the_partitions_and_the_one_that_stays_takes_over_from_the_one_that_goes() {
    let (world, shape) = trained(20_000);
    let pipeline = prepare(&world, &shape);
    let run = ["run", &pipeline, "--workers", "1", "--listen", "127.0.0.1:0"];
    let (mut goes, mut stays) = (world.start(&run), world.start(&run));
    let pages = (goes.page(), stays.page());
    goes.until_ready(pages.0);
    stays.until_ready(pages.1);
    world.produce(&pipeline, 20_000, &[]);
    goes.until_metric(pages.0, "lapwing_epochs_total", 5.0);
    stays.until_metric(pages.1, "lapwing_epochs_total", 5.0);
    goes.interrupt().succeeded();
    until_enriched(&mut stays, &shape, 20_000);
    stays.interrupt().succeeded();
    let outputs = Outputs::read(&mut kafka(), &shape);
    outputs.assert_exactly_once(&uuids(&shape));
    let expected = alerts_on_the_embedded_log(&world, &shape, 20_000);
    assert!(outputs.alerts == expected, "the alerts differ from those of a single undisturbed run");
}

#[test]
fn topics_are_joined_and_kills_change_nothing() {
    let world = World::new();
    let joined = JoinedWorld { source: fresh_topic(), connect: connect() };
    world.file("joined.toml", joined.text());
    world.lapwing(&["topics", "create", "joined.toml"]).succeeded();
    let (mut topics, mut producer) = (kafka(), KafkaProducer::open(connection()).unwrap());
    let run = ["run", "joined.toml", "--workers", "2"];
    joined.produce_tables(&mut producer);
    let running = world.start(&run);
    eventually("the tables are forwarded", LIMIT, || joined.is_forwarded(&mut topics, false).then_some(()));
    running.kill();
    joined.produce_streams(&mut producer);
    kill_again_and_again(&world, &run, &Kills { times: 4, epochs_max: 8, seed: 13 });
    let mut running = world.start(&run);
    eventually("the streams are forwarded", LIMIT, || joined.is_forwarded(&mut topics, true).then_some(()));
    joined.produce_the_end(&mut producer);
    eventually("all payments are joined", LIMIT, || {
        assert!(running.is_alive(), "the run has ended:\n{}", running.err());
        (topic_values(&mut topics, &joined.enriched()).len() >= 3_000).then_some(())
    });
    running.interrupt().succeeded();
    joined.assert_joined(&mut topics);
}
