//! Snapshots on an S3 endpoint.
//!
//! `scripts/s3 start && LAPWING_S3=$(scripts/s3 url) cargo test -p lapwing-connect --features real-s3 --test s3`

use std::collections::BTreeMap;
use std::io::{self, Read};

use lapwing_connect::object_store::ObjectPlace;
use lapwing_state::{SnapshotPlace, StateError};
use lapwing_vocabulary::PortError;

/// More than two parts, and not a whole number of them.
const LARGE_BYTES: usize = (8 << 20) * 2 + 12_345;

fn options() -> BTreeMap<String, String> {
    #[expect(clippy::disallowed_methods, reason = "the one setting of this test")]
    let endpoint = std::env::var("LAPWING_S3").expect(
        "LAPWING_S3 is not set: start an endpoint with `scripts/s3 start` and set it to its address, \
         for example LAPWING_S3=http://127.0.0.1:19500",
    );
    let given = [
        ("endpoint", endpoint.as_str()),
        ("allow_http", "true"),
        ("access_key_id", "AKIDTEST"),
        ("secret_access_key", "hunter2hunter2"),
    ];
    given.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// A place for one test alone; what an earlier run left is removed.
fn place(subject: &str) -> ObjectPlace {
    let place = ObjectPlace::open(&format!("s3://lapwing-test/tests/{subject}"), &options()).unwrap();
    for name in place.list("").unwrap() {
        place.delete(&name).unwrap();
    }
    place
}

fn put(place: &ObjectPlace, name: &str, bytes: &[u8]) {
    place.put(name, Box::new(|out| out.write_all(bytes))).unwrap();
}

fn get(place: &ObjectPlace, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    place.get(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn names(place: &ObjectPlace, prefix: &str) -> Vec<String> {
    let mut names = place.list(prefix).unwrap();
    names.sort();
    names
}

#[test]
fn files_of_every_size_come_back_as_they_were_written() {
    let place = place("sizes");
    for length in [0, 1, 100_000, 8 << 20, (8 << 20) + 1, LARGE_BYTES] {
        let sent = bytes(length);
        put(&place, "one", &sent);
        assert!(get(&place, "one") == sent, "{length} bytes");
    }
    assert_eq!(place.describe(), "s3://lapwing-test/tests/sizes");
}

#[test]
fn names_are_listed_by_their_beginning_and_deleted_once_or_twice() {
    let place = place("names");
    for name in ["partition-00001-offset-1", "partition-00001-offset-2", "partition-00002-offset-1"] {
        put(&place, name, b"x");
    }
    assert_eq!(names(&place, "partition-00001-"), ["partition-00001-offset-1", "partition-00001-offset-2"]);
    assert_eq!(names(&place, "").len(), 3);
    place.delete("partition-00001-offset-1").unwrap();
    place.delete("partition-00001-offset-1").unwrap();
    assert_eq!(names(&place, "partition-00001-"), ["partition-00001-offset-2"]);
}

#[test]
fn a_writer_that_fails_leaves_the_file_that_was_there() {
    let place = place("failing");
    put(&place, "one", b"old");
    let large = bytes(LARGE_BYTES);
    let outcome = place.put(
        "one",
        Box::new(|out| {
            out.write_all(&large)?;
            Err(io::Error::other("the writer gives up"))
        }),
    );
    assert!(outcome.unwrap_err().to_string().contains("the writer gives up"));
    assert_eq!((get(&place, "one"), names(&place, "")), (b"old".to_vec(), vec!["one".to_string()]));
    // A fault of the state crate comes out as it was.
    let outcome = place.put("two", Box::new(|_| Err(io::Error::other(StateError::NotASnapshot))));
    assert!(matches!(outcome, Err(StateError::NotASnapshot)), "{outcome:?}");
    assert_eq!(names(&place, ""), ["one"]);
}

#[test]
fn a_file_that_is_not_there_is_missing() {
    let outcome = place("missing").get("nothing").map(|_| ());
    let Err(StateError::Missing { name, place }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((name.as_str(), place.as_str()), ("nothing", "s3://lapwing-test/tests/missing"));
}

#[test]
fn a_file_that_is_replaced_while_it_is_read_is_not_mixed() {
    let place = place("replaced");
    put(&place, "one", &bytes(LARGE_BYTES));
    let mut reader = place.get("one").unwrap();
    reader.read_exact(&mut [0; 100]).unwrap();
    put(&place, "one", &vec![7; LARGE_BYTES]);
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    let fault = StateError::storage("read", "here", error);
    assert!(matches!(fault, StateError::Missing { .. }), "{fault}");
}

#[test]
fn what_cannot_be_opened_says_why_and_shows_no_secret() {
    let refused = |url: &str, name: &str, value: &str| {
        let mut options = options();
        options.insert(name.to_string(), value.to_string());
        match ObjectPlace::open(url, &options) {
            Err(PortError::Operator(text) | PortError::Unreachable(text)) => {
                assert!(!text.contains("hunter2"), "{text}");
                text
            }
            other => panic!("{other:?}"),
        }
    };
    let text = refused("s3://no-such-bucket/p", "region", "us-east-1");
    assert!(text.contains("s3://no-such-bucket/p") && text.contains("make the bucket"), "{text}");
    assert!(refused("s3://lapwing-test/p", "regoin", "x").contains("did you mean `region`"));
    assert!(refused("s3://lapwing-test/p", "allow_http", "false").contains("allow_http"));
    let text = refused("s3://lapwing-test/p", "endpoint", "http://127.0.0.1:1");
    assert!(text.contains("check that the store answers"), "{text}");
    assert!(refused("hdfs://127.0.0.1:1/p", "dfs.replication", "1").contains("hdfs"));
}
