//! The embedded log beyond what the suite asks of every transport.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lapwing_connect::embedded::{EmbeddedLog, EmbeddedTransport, LogOptions};
use lapwing_vocabulary::port::{Producer, TopicLayout, Topics};
use lapwing_vocabulary::{Epoch, OutputRecord, Polled, PortError, Records, Transport};
use tempfile::tempdir;

const WAIT: Duration = Duration::from_secs(20);
const NO_WAIT: Duration = Duration::ZERO;

fn layout(partitions: i32) -> TopicLayout {
    TopicLayout { partitions, replication: None, retention_micros: None, retention_bytes: None, compact: false }
}

fn options() -> LogOptions {
    // A power failure is not what these tests are about.
    LogOptions { sync: false, ..LogOptions::default() }
}

fn open(folder: &Path) -> EmbeddedLog {
    EmbeddedLog::open(folder, options()).unwrap()
}

fn record(topic: &str, key: Option<&str>, value: &[u8], timestamp: i64) -> OutputRecord {
    OutputRecord {
        topic: topic.into(),
        partition: None,
        key: key.map(|key| key.as_bytes().to_vec()),
        value: value.to_vec(),
        headers: vec![],
        timestamp,
    }
}

fn numbered(topic: &str, numbers: std::ops::Range<i64>) -> Vec<OutputRecord> {
    numbers.map(|number| record(topic, Some("k"), number.to_string().as_bytes(), number)).collect()
}

fn values(records: &Records) -> Vec<String> {
    (0..records.len()).map(|index| String::from_utf8_lossy(records.value(index)).into_owned()).collect()
}

fn read(log: &EmbeddedLog, topic: &str, partition: i32) -> Records {
    log.topics().read(topic, partition, 0, usize::MAX).unwrap()
}

fn state(log: &EmbeddedLog, topic: &str) -> Vec<(i64, i64)> {
    log.topics().describe(topic).unwrap().unwrap().partitions
}

fn resumed(log: &EmbeddedLog, topic: &str) -> EmbeddedTransport {
    let mut transport = log.transport(topic, "g", 0, 1).unwrap();
    let Polled::Assigned(list) = transport.poll(1, NO_WAIT).unwrap() else { panic!("no assignment") };
    for one in list {
        transport.resume(one.partition, one.committed.unwrap_or(one.earliest)).unwrap();
    }
    transport
}

fn next(transport: &mut EmbeddedTransport, records_max: usize) -> Records {
    match transport.poll(records_max, WAIT).unwrap() {
        Polled::Records(records) => records,
        other => panic!("expected records, got {other:?}"),
    }
}

#[test]
fn a_waiting_poll_is_woken_by_an_append() {
    let folder = tempdir().unwrap();
    let log = open(folder.path());
    log.topics().create("t", &layout(1)).unwrap();
    let mut transport = resumed(&log, "t");
    let reader = std::thread::spawn(move || values(&next(&mut transport, 10)));
    log.producer().append(numbered("t", 0..2)).unwrap();
    assert_eq!(reader.join().unwrap(), ["0", "1"]);
}

#[test]
fn a_finite_read_ends_where_the_topic_ended_at_the_start() {
    let folder = tempdir().unwrap();
    let log = open(folder.path());
    log.producer().append(numbered("t", 0..5)).unwrap();
    let mut transport = log.transport("t", "g", 0, 1).unwrap().until_end();
    assert!(matches!(transport.poll(1, NO_WAIT).unwrap(), Polled::Assigned(_)));
    log.producer().append(numbered("t", 5..9)).unwrap();
    transport.resume(0, 1).unwrap();
    assert_eq!(transport.backlog().unwrap().records, 4);
    assert_eq!(values(&next(&mut transport, 100)), ["1", "2", "3", "4"]);
    assert!(matches!(transport.poll(1, NO_WAIT).unwrap(), Polled::End));
    transport.resume(0, 4).unwrap();
    assert_eq!(values(&next(&mut transport, 100)), ["4"]);
}

#[test]
fn reading_begins_in_the_middle_of_a_block_and_stops_at_the_size_asked_for() {
    let folder = tempdir().unwrap();
    let small = LogOptions { block_bytes_max: 300, ..options() };
    let log = EmbeddedLog::open(folder.path(), small).unwrap();
    log.producer().append(numbered("t", 0..1000)).unwrap();
    let mut transport = resumed(&log, "t");
    for start in [0, 1, 499, 500, 997] {
        transport.resume(0, start).unwrap();
        let mut expected = start;
        while expected < 1000 {
            let records = next(&mut transport, 7);
            assert!(records.len() <= 7);
            for index in 0..records.len() {
                assert_eq!((records.offset(index), records.timestamp(index)), (expected, expected));
                expected += 1;
            }
        }
    }
}

#[test]
fn topics_of_an_epoch_are_made_with_the_layout_of_the_options() {
    let folder = tempdir().unwrap();
    let layouts = BTreeMap::from([("wide".to_owned(), layout(4))]);
    let log = EmbeddedLog::open(folder.path(), LogOptions { layouts, layout: layout(2), ..options() }).unwrap();
    log.topics().create("t", &layout(3)).unwrap();
    let mut transport = resumed(&log, "t");
    let outputs = vec![record("wide", Some("k"), b"1", 0), record("other", None, b"2", 0)];
    transport.commit(Epoch { outputs, positions: vec![(1, 0)] }).unwrap();
    assert_eq!((state(&log, "wide").len(), state(&log, "other").len()), (4, 2));
    // Without a key a record goes with its source partition.
    assert_eq!(state(&log, "other"), [(0, 0), (0, 1)]);
    assert_eq!(log.topics().list().unwrap(), ["other", "t", "wide"]);
}

#[test]
fn a_copy_taken_while_the_log_runs_holds_every_committed_epoch_and_nothing_else() {
    let (folder, copy) = (tempdir().unwrap(), tempdir().unwrap());
    let log = open(folder.path());
    log.producer().append(numbered("in", 0..100)).unwrap();
    let mut transport = resumed(&log, "in");
    next(&mut transport, 40);
    transport.commit(Epoch { outputs: numbered("out", 0..40), positions: vec![(0, 40)] }).unwrap();
    next(&mut transport, 40);
    copy_folder(folder.path(), copy.path());

    let revived = open(copy.path());
    assert_eq!(read(&revived, "out", 0).len(), 40);
    let mut transport = resumed(&revived, "in");
    assert_eq!(next(&mut transport, 1).offset(0), 40);
    transport.commit(Epoch { outputs: numbered("out", 40..41), positions: vec![(0, 41)] }).unwrap();
    assert_eq!(values(&read(&revived, "out", 0)).len(), 41);
}

#[test]
fn a_commit_cut_off_in_the_middle_is_gone_after_the_restart() {
    let (folder, whole) = (tempdir().unwrap(), tempdir().unwrap());
    let log = open(folder.path());
    log.producer().append(numbered("in", 0..10)).unwrap();
    let mut transport = resumed(&log, "in");
    transport.commit(Epoch { outputs: numbered("out", 0..3), positions: vec![(0, 3)] }).unwrap();
    let before = journal_length(folder.path());
    transport.commit(Epoch { outputs: numbered("out", 3..9), positions: vec![(0, 9)] }).unwrap();
    let after = journal_length(folder.path());
    copy_folder(folder.path(), whole.path());
    for cut in (before..after).step_by(37) {
        let torn = tempdir().unwrap();
        copy_folder(whole.path(), torn.path());
        let journal = journal(torn.path());
        std::fs::OpenOptions::new().write(true).open(journal).unwrap().set_len(cut).unwrap();
        let log = open(torn.path());
        assert_eq!(values(&read(&log, "out", 0)), ["0", "1", "2"], "cut at {cut}");
        assert_eq!(next(&mut resumed(&log, "in"), 1).offset(0), 3, "cut at {cut}");
    }
    assert_eq!(read(&open(whole.path()), "out", 0).len(), 9);
}

fn journal(folder: &Path) -> std::path::PathBuf {
    let entries = std::fs::read_dir(folder.join("store")).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "jnl")).unwrap()
}

/// Bytes of the journal before the zeros it was laid out with.
fn journal_length(folder: &Path) -> u64 {
    let bytes = std::fs::read(journal(folder)).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy_folder(&path, &target) } else { _ = std::fs::copy(&path, &target).unwrap() }
    }
}

#[test]
fn a_second_opener_is_told_who_has_the_log_and_what_to_do() {
    let folder = tempdir().unwrap();
    let log = open(folder.path());
    let Err(PortError::Operator(text)) = EmbeddedLog::open(folder.path(), options()).map(|_| ()) else {
        panic!("opened twice")
    };
    let (place, process) = (folder.path().display().to_string(), format!("process {}", std::process::id()));
    assert!(text.contains(&place) && text.contains(&process) && text.contains("use Kafka"), "{text}");
    drop(log);
    open(folder.path());
}

#[test]
fn a_topic_that_is_not_there_is_named_with_the_near_ones() {
    let folder = tempdir().unwrap();
    let log = open(folder.path());
    log.topics().create("sensor_messages", &layout(1)).unwrap();
    let Err(PortError::Operator(text)) = log.transport("sensor_message", "g", 0, 1).map(|_| ()) else {
        panic!("found")
    };
    assert!(text.contains("`sensor_messages`") && text.contains("lapwing topics create PIPELINE"), "{text}");
    let Err(PortError::Operator(text)) = log.topics().read("nothing-like-it", 0, 0, 1).map(|_| ()) else {
        panic!("found")
    };
    assert!(!text.contains("there is"), "{text}");
}

#[test]
fn a_partition_is_kept_below_its_size_and_its_newest_block_stays() {
    let folder = tempdir().unwrap();
    let log = EmbeddedLog::open(folder.path(), LogOptions { block_bytes_max: 1000, ..options() }).unwrap();
    log.topics().create("t", &TopicLayout { retention_bytes: Some(8_000), ..layout(1) }).unwrap();
    let mut transport = resumed(&log, "t");
    for number in 0..200 {
        log.producer().append(vec![record("t", None, &[7; 500], number)]).unwrap();
    }
    let (earliest, end) = state(&log, "t")[0];
    assert_eq!(end, 200);
    assert!((12..17).contains(&(end - earliest)), "{earliest}");
    // A reader that was too slow goes on with what there is.
    assert_eq!(next(&mut transport, 1000).offset(0), earliest);
    log.producer().append(vec![record("t", None, &[7; 20_000], 200)]).unwrap();
    log.producer().append(vec![record("t", None, &[7; 20_000], 201)]).unwrap();
    assert_eq!(state(&log, "t"), [(201, 202)]);
    drop((transport, log));
    assert_eq!(state(&open(folder.path()), "t"), [(201, 202)]);
}

#[test]
fn age_is_judged_against_the_newest_record_of_the_partition() {
    let folder = tempdir().unwrap();
    let log = open(folder.path());
    log.topics().create("t", &TopicLayout { retention_micros: Some(1_600), ..layout(1) }).unwrap();
    for timestamp in [0, 1_000, 1_600, 1_700] {
        log.producer().append(vec![record("t", None, b"v", timestamp)]).unwrap();
    }
    assert_eq!(state(&log, "t"), [(0, 4)], "within the slack");
    log.producer().append(vec![record("t", None, b"v", 2_601)]).unwrap();
    assert_eq!(state(&log, "t"), [(2, 5)]);
    log.producer().append(vec![record("t", None, b"v", 1_000_000)]).unwrap();
    assert_eq!(state(&log, "t"), [(5, 6)]);
}

#[test]
fn a_compacted_topic_keeps_the_last_record_of_every_key() {
    let folder = tempdir().unwrap();
    let small = LogOptions { block_bytes_max: 400, compact_after_bytes: 4_000, ..options() };
    let log = EmbeddedLog::open(folder.path(), small).unwrap();
    log.topics().create("t", &TopicLayout { compact: true, ..layout(1) }).unwrap();
    let mut reader = resumed(&log, "t");
    let mut producer = log.producer();
    let mut last = BTreeMap::new();
    for number in 0..1000 {
        let key = format!("k{}", number % 17 * (number % 3));
        producer.append(vec![record("t", Some(&key), number.to_string().as_bytes(), number)]).unwrap();
        last.insert(key, number.to_string());
    }
    let records = read(&log, "t", 0);
    assert!(records.len() < 300, "{} records are left", records.len());
    let mut found = BTreeMap::new();
    for index in 0..records.len() {
        assert_eq!(records.offset(index).to_string().as_bytes(), records.value(index), "offsets stay");
        found.insert(String::from_utf8(records.key(index).unwrap().to_vec()).unwrap(), values(&records)[index].clone());
    }
    assert_eq!(found, last);
    assert_eq!(values(&next(&mut reader, 10_000)), values(&records));
    let refused = producer.append(vec![record("t", None, b"v", 0)]);
    assert!(matches!(&refused, Err(PortError::Operator(text)) if text.contains("no key")), "{refused:?}");
}

#[test]
fn a_damaged_journal_is_refused_and_not_taken_for_a_torn_end() {
    let folder = tempdir().unwrap();
    let log = open(folder.path());
    for number in 0..3 {
        log.producer().append(vec![record("t", None, &[b'x'; 10_000], number)]).unwrap();
    }
    drop(log);
    let path = journal(folder.path());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[15_000] ^= 0x55;
    std::fs::write(&path, bytes).unwrap();
    let Err(PortError::Corrupt(text)) = EmbeddedLog::open(folder.path(), options()).map(|_| ()) else {
        panic!("opened")
    };
    assert!(text.contains(&*folder.path().to_string_lossy()) && text.contains("restore"), "{text}");
}

#[test]
fn a_damaged_file_is_an_error_that_names_the_folder_and_never_a_panic() {
    let folder = tempdir().unwrap();
    let plain = LogOptions { compress: false, ..options() };
    let log = EmbeddedLog::open(folder.path(), plain.clone()).unwrap();
    let mut producer = log.producer();
    // Enough to have tables and block files beside the journal.
    for batch in 0..36 {
        let value = |number: i64| number.to_string().repeat(200).into_bytes();
        let records = (0..1000).map(|number| record("t", Some("k"), &value(batch * 1000 + number), number));
        producer.append(records.collect()).unwrap();
    }
    let expected = all_bytes(&log).unwrap();
    drop((producer, log));
    let mut refused = 0;
    for path in files(&folder.path().join("store")) {
        // Those of the keyspace that holds the blocks; every copy of the folder takes its time.
        if !path.components().any(|part| part.as_os_str() == "2") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 0x55;
        let copy = tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        let place = copy.path().join(path.strip_prefix(folder.path()).unwrap());
        std::fs::write(&place, damaged).unwrap();
        match EmbeddedLog::open(copy.path(), plain.clone()).and_then(|log| all_bytes(&log)) {
            Ok(read) => assert_eq!(read, expected, "{} does not matter", place.display()),
            Err(error) => {
                assert!(error.to_string().contains(&*copy.path().to_string_lossy()), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 3, "{refused}");
}

fn all_bytes(log: &EmbeddedLog) -> Result<(usize, usize), PortError> {
    let (mut count, mut bytes) = (0, 0);
    loop {
        let records = log.topics().read("t", 0, count as i64, 10_000)?;
        if records.is_empty() {
            return Ok((count, bytes));
        }
        count += records.len();
        bytes += records.value_bytes();
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
