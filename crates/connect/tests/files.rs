//! Files beyond what the suite asks of every transport.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lapwing_connect::files::{FileOptions, FileTransport, HEADER_OVERSIZE, first_line};
use lapwing_vocabulary::{Epoch, OutputRecord, Polled, PortError, Records, Transport};
use tempfile::{TempDir, tempdir};

const WAIT: Duration = Duration::from_millis(100);
const POLLS_MAX: usize = 300;
const NOW: i64 = 1_700_000_000_000_000;

fn options(inputs: Vec<PathBuf>) -> FileOptions {
    FileOptions {
        inputs,
        csv: false,
        csv_header: false,
        csv_delimiter: b',',
        begins: None,
        outputs: None,
        follow: false,
        stdout_topic: "alerts".to_owned(),
        record_bytes_max: 1 << 20,
        clock: || NOW,
    }
}

/// A folder with one input file.
fn input(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn open(options: FileOptions) -> FileTransport {
    let mut transport = FileTransport::open(options).unwrap();
    let Polled::Assigned(list) = transport.poll(1, WAIT).unwrap() else { panic!("no assignment") };
    for one in list {
        transport.resume(one.partition, one.committed.unwrap_or(one.earliest)).unwrap();
    }
    transport
}

/// Polls until something other than idleness comes.
fn poll(transport: &mut FileTransport, records_max: usize) -> Result<Polled, PortError> {
    for _ in 0..POLLS_MAX {
        match transport.poll(records_max, WAIT)? {
            Polled::Idle => {}
            other => return Ok(other),
        }
    }
    panic!("nothing came")
}

fn next(transport: &mut FileTransport) -> Records {
    match poll(transport, 1000).unwrap() {
        Polled::Records(records) => records,
        other => panic!("expected records, got {other:?}"),
    }
}

fn text(records: &Records, index: usize) -> String {
    String::from_utf8_lossy(records.value(index)).into_owned()
}

/// Every record up to the end, as input and text; offsets must count from `first` in each input.
fn all(transport: &mut FileTransport) -> Result<Vec<(i32, String)>, PortError> {
    let mut found: Vec<(i32, String)> = Vec::new();
    loop {
        match poll(transport, 3)? {
            Polled::Records(records) => {
                for index in 0..records.len() {
                    let before = found.iter().filter(|(partition, _)| *partition == records.partition()).count();
                    assert_eq!((records.offset(index), records.timestamp(index)), (before as i64, NOW));
                    found.push((records.partition(), text(&records, index)));
                }
            }
            Polled::End => return Ok(found),
            other => panic!("{other:?}"),
        }
    }
}

fn lines(transport: &mut FileTransport) -> Vec<String> {
    all(transport).unwrap().into_iter().map(|(_, line)| line).collect()
}

fn output(topic: &str, value: &str) -> OutputRecord {
    OutputRecord { topic: topic.into(), partition: None, key: None, value: value.into(), headers: vec![], timestamp: 0 }
}

fn error<T>(outcome: Result<T, PortError>) -> PortError {
    outcome.err().expect("it fails")
}

#[test]
fn inputs_are_read_one_after_another_and_the_last_line_needs_no_end() {
    let (_first, one) = input("one", b"a\nb\nc\nd");
    let (_second, two) = input("two", b"");
    let (_third, three) = input("three", b"e\n");
    let mut transport = open(options(vec![one.clone(), two, three]));
    let found = all(&mut transport).unwrap();
    assert_eq!(found.iter().map(|(partition, _)| *partition).collect::<Vec<_>>(), [0, 0, 0, 0, 2]);
    assert_eq!(found.into_iter().map(|(_, line)| line).collect::<String>(), "abcde");
    assert!(matches!(transport.poll(1, WAIT).unwrap(), Polled::End));
    assert_eq!(transport.backlog().unwrap().records, 0);
    transport.resume(0, 3).unwrap();
    let again = next(&mut transport);
    assert_eq!((again.offset(0), text(&again, 0), &**again.topic()), (3, "d".to_owned(), &*one.to_string_lossy()));
}

#[test]
fn the_header_of_a_csv_file_is_no_record_but_known() {
    let (_folder, path) = input("a.csv", b"\xef\xbb\xbfid,\"na\nme\"\r\n1,\"x\ny\"\r\n2,z\r\n");
    let csv = FileOptions { csv: true, csv_header: true, ..options(vec![path.clone()]) };
    let mut transport = open(csv.clone());
    assert_eq!(lines(&mut transport), ["1,\"x\ny\"", "2,z"]);
    assert_eq!(transport.header(0), Some(&b"id,\"na\nme\""[..]));
    assert_eq!(first_line(&path).unwrap().unwrap(), b"id,\"na\nme\"");
    assert_eq!(lines(&mut open(FileOptions { csv_header: false, ..csv.clone() })).len(), 3);
    let mut transport = open(csv);
    transport.resume(0, 1).unwrap();
    assert_eq!(text(&next(&mut transport), 0), "2,z");
    let (_folder, empty) = input("empty.csv", b"");
    assert_eq!(first_line(&empty).unwrap(), None);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(text: &str) -> Vec<u8> {
    zstd::stream::encode_all(text.as_bytes(), 1).unwrap()
}

#[test]
fn compressed_files_of_several_members_are_read_whole() {
    let (left, right): (String, String) =
        ((0..5000).map(|n| format!("line {n}\n")).collect(), (5000..9000).map(|n| format!("line {n}\n")).collect());
    for (name, pack) in [("a.gz", gzip as fn(&str) -> Vec<u8>), ("a.zst", zstandard)] {
        let (_folder, path) = input(name, &[pack(&left), pack(&right)].concat());
        let expected: Vec<String> = (0..9000).map(|n| format!("line {n}")).collect();
        let mut transport = open(options(vec![path.clone()]));
        let mut found = Vec::new();
        while let Polled::Records(records) = poll(&mut transport, usize::MAX).unwrap() {
            found.extend((0..records.len()).map(|index| text(&records, index)));
        }
        assert_eq!(found, expected, "{name}");
        assert_eq!(first_line(&path).unwrap().unwrap(), b"line 0");
    }
}

#[test]
fn a_compressed_file_that_ends_early_is_damaged_after_its_last_whole_record() {
    let text: String = (0..200_000).map(|n: u64| format!("{}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    for (name, packed) in [("a.gz", gzip(&text)), ("a.zst", zstandard(&text))] {
        let (_folder, path) = input(name, &packed[..packed.len() / 2]);
        let mut transport = open(options(vec![path.clone()]));
        let mut read = 0;
        let outcome = loop {
            match poll(&mut transport, usize::MAX) {
                Ok(Polled::Records(records)) => read += records.len(),
                other => break other,
            }
        };
        let PortError::Corrupt(told) = error(outcome) else { panic!("another error") };
        assert!(told.contains(&*path.to_string_lossy()) && told.contains(&format!("record {read}")), "{told}");
        assert!(read > 50_000, "{name}: {read}");
    }
}

#[test]
fn a_line_that_is_too_long_is_cut_and_marked() {
    let long = "x".repeat(300_000);
    let (_folder, path) = input("a", format!("short\n{long}\nafter\n").as_bytes());
    let mut transport = open(FileOptions { record_bytes_max: 100_000, ..options(vec![path]) });
    let records = next(&mut transport);
    assert_eq!((records.len(), records.value(1).len(), text(&records, 2)), (3, 64 << 10, "after".to_owned()));
    let header = &records.headers(1)[0];
    assert_eq!((&*header.name, &*header.value), (HEADER_OVERSIZE, &b"300000"[..]));
    assert!(records.headers(0).is_empty() && records.headers(2).is_empty());
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_followed_file_is_read_as_it_grows_line_by_line() {
    let (_folder, path) = input("a", b"one\ntw");
    let mut transport = open(FileOptions { follow: true, ..options(vec![path.clone()]) });
    assert_eq!(text(&next(&mut transport), 0), "one");
    assert!(matches!(transport.poll(1, WAIT).unwrap(), Polled::Idle), "half a line is no record");
    append(&path, "o\nthree\n");
    let mut found = Vec::new();
    while found.len() < 2 {
        let records = next(&mut transport);
        found.extend((0..records.len()).map(|index| (records.offset(index), text(&records, index))));
    }
    assert_eq!(found, [(1, "two".to_owned()), (2, "three".to_owned())]);
}

#[test]
fn a_followed_file_that_is_cut_or_replaced_says_so() {
    let (_folder, path) = input("a", b"one\ntwo\n");
    let followed = FileOptions { follow: true, ..options(vec![path.clone()]) };
    let mut transport = open(followed.clone());
    next(&mut transport);
    fs::write(&path, "x\n").unwrap();
    let PortError::Operator(text) = error(poll(&mut transport, 1)) else { panic!("another error") };
    assert!(text.contains("was cut after record 2"), "{text}");

    let mut transport = open(followed.clone());
    next(&mut transport);
    fs::rename(&path, path.with_extension("1")).unwrap();
    fs::write(&path, "a new file, longer than the last\n").unwrap();
    let PortError::Operator(text) = error(poll(&mut transport, 1)) else { panic!("another error") };
    assert!(text.contains("was replaced after record 1"), "{text}");

    let (_folder, packed) = input("a.gz", &gzip("a\n"));
    let mut transport = open(FileOptions { inputs: vec![packed], ..followed });
    assert!(matches!(error(poll(&mut transport, 1)), PortError::Operator(text) if text.contains("follow")));
}

#[test]
fn an_epoch_is_written_to_a_file_per_topic_and_the_positions_resume() {
    let (folder, path) = input("in", b"a\nb\nc\n");
    let out = folder.path().join("out");
    let written = FileOptions { outputs: Some(out.clone()), ..options(vec![path.clone()]) };
    let mut transport = open(written.clone());
    next(&mut transport);
    let outputs = vec![output("alerts", "{\"n\":1}"), output("enriched", "{}"), output("alerts", "{\"n\":2}")];
    transport.commit(Epoch { outputs, positions: vec![(0, 2)] }).unwrap();
    assert_eq!(fs::read_to_string(out.join("alerts.jsonl")).unwrap(), "{\"n\":1}\n{\"n\":2}\n");
    assert_eq!(fs::read_to_string(out.join("enriched.jsonl")).unwrap(), "{}\n");
    let PortError::Operator(text) = error(FileTransport::open(written.clone()).map(|_| ())) else { panic!("open") };
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    drop(transport);

    let mut transport = open(written.clone());
    let records = next(&mut transport);
    assert_eq!((records.offset(0), records.len()), (2, 1));
    drop(transport);
    // The input was replaced by a shorter one.
    fs::write(&path, "a\n").unwrap();
    let mut transport = open(written);
    let PortError::Operator(text) = error(poll(&mut transport, 1)) else { panic!("another error") };
    assert!(text.contains("only 1 records"), "{text}");
}

#[test]
fn the_tail_of_an_epoch_that_was_not_committed_is_cut_off() {
    let (folder, path) = input("in", b"a\nb\n");
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("alerts.jsonl"), "kept from before\n").unwrap();
    let written = FileOptions { outputs: Some(out.clone()), ..options(vec![path]) };
    let mut transport = open(written.clone());
    transport.commit(Epoch { outputs: vec![output("alerts", "1")], positions: vec![(0, 1)] }).unwrap();
    drop(transport);
    append(&out.join("alerts.jsonl"), "2\n{\"torn");
    fs::write(out.join("positions.next"), "half of what was to be").unwrap();

    let mut transport = open(written.clone());
    assert_eq!(fs::read_to_string(out.join("alerts.jsonl")).unwrap(), "kept from before\n1\n");
    assert_eq!(next(&mut transport).offset(0), 1);
    transport.commit(Epoch { outputs: vec![output("alerts", "2")], positions: vec![(0, 2)] }).unwrap();
    assert_eq!(fs::read_to_string(out.join("alerts.jsonl")).unwrap(), "kept from before\n1\n2\n");
    drop(transport);

    fs::write(out.join("alerts.jsonl"), "short").unwrap();
    assert!(
        matches!(error(FileTransport::open(written.clone()).map(|_| ())), PortError::Corrupt(text) if text.contains("5 bytes"))
    );
    fs::write(out.join("positions"), "lapwing positions 1\ncrc32 00000000\n").unwrap();
    assert!(
        matches!(error(FileTransport::open(written).map(|_| ())), PortError::Corrupt(text) if text.contains("checksum"))
    );
}

#[test]
fn a_topic_whose_name_leaves_the_folder_is_refused_and_nothing_of_its_epoch_is_written() {
    let (folder, path) = input("in", b"a\n");
    let out = folder.path().join("out");
    let mut transport = open(FileOptions { outputs: Some(out.clone()), ..options(vec![path]) });
    let outputs = vec![output("../escaped", "1"), output("alerts", "1")];
    let refused = transport.commit(Epoch { outputs, positions: vec![(0, 1)] });
    assert!(matches!(error(refused), PortError::Operator(text) if text.contains("`../escaped`")));
    assert!(!folder.path().join("escaped.jsonl").exists() && !out.join("alerts.jsonl").exists());
}

#[test]
fn outputs_without_a_place_are_counted_and_a_missing_input_is_named() {
    let (folder, path) = input("in", b"a\n");
    let mut transport = open(options(vec![path]));
    transport.commit(Epoch { outputs: vec![output("alerts", "1")], positions: vec![(0, 1)] }).unwrap();
    assert_eq!(transport.unplaced(), 1);
    let missing = folder.path().join("missing");
    let PortError::Operator(text) = error(FileTransport::open(options(vec![missing])).map(|_| ())) else { panic!() };
    assert!(text.contains("missing") && text.contains("check the path"), "{text}");
}
