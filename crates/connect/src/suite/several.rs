use std::collections::BTreeMap;

use lapwing_vocabulary::position::lane_parts;
use lapwing_vocabulary::{PortError, Transport};

use super::Fixture;
use super::worker::{Worker, committed, numbered, operator, record};

/// Opens a transport that reads several topics as one, for the group `several`.
pub type OpenSeveral<F> = fn(&mut F, topics: &[&str]) -> Result<Box<dyn Transport>, PortError>;

/// Runs the cases of a transport that can read several topics as one.
pub fn run_several<F: Fixture>(mut fixture: impl FnMut() -> F, open: OpenSeveral<F>) {
    one_epoch_commits_positions_of_all(&mut fixture(), open);
    one_that_is_missing_is_named(&mut fixture(), open);
}

fn worker<F: Fixture>(fixture: &mut F, open: OpenSeveral<F>, topics: &[&str]) -> Worker {
    let transport = open(fixture, topics).unwrap_or_else(|error| panic!("open {topics:?}: {error}"));
    let mut worker = Worker { transport, held: BTreeMap::new(), seen: Vec::new(), ended: false };
    worker.until("its assignment", |worker| {
        worker.step(1);
        worker.held.len() == 3
    });
    worker
}

fn one_epoch_commits_positions_of_all<F: Fixture>(fixture: &mut F, open: OpenSeveral<F>) {
    let (events, logins) = (fixture.create("several-events", 2), fixture.create("several-logins", 1));
    let output = fixture.create("several-out", 1);
    fixture.produce(numbered(&events, 0..40));
    fixture.produce(numbered(&logins, 100..120));
    let mut first = worker(fixture, open, &[&events, &logins]);
    first.read(25, 5);
    first.commit(vec![record(&output, "k", "one")]);
    let before = first.seen.clone();
    // Read, worked on, and then the process dies before it commits.
    first.read(40, 5);
    drop(first);
    assert_eq!(committed(fixture, &output), ["one"]);
    let mut second = worker(fixture, open, &[&events, &logins]);
    second.read(35, 50);
    second.expect_quiet();
    let mut of_topics = [Vec::new(), Vec::new()];
    for seen in before.iter().chain(&second.seen) {
        let number: usize = String::from_utf8_lossy(&seen.value).parse().expect("the suite produced numbers");
        of_topics[lane_parts(seen.partition).0].push(number);
    }
    of_topics.iter_mut().for_each(|numbers| numbers.sort_unstable());
    assert_eq!(of_topics, [(0..40).collect::<Vec<_>>(), (100..120).collect()], "each once, and under its own topic");
}

fn one_that_is_missing_is_named<F: Fixture>(fixture: &mut F, open: OpenSeveral<F>) {
    let events = fixture.create("several-there", 1);
    let text = operator(open(fixture, &[&events, "several-nowhere"]));
    assert!(text.contains("several-nowhere"), "{text}");
}
