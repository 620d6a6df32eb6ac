//! Snapshots on an S3 endpoint.
//!
//! `scripts/s3 start && LAPWING_S3=$(scripts/s3 url) cargo test -p lapwing-connect --features real-s3 --test s3`

use std::collections::BTreeMap;

use lapwing_connect::object_store::ObjectPlace;
use lapwing_state::SnapshotPlace;
use lapwing_vocabulary::PortError;

mod place_suite;

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

#[test]
fn s3_does_what_every_place_must() {
    place_suite::run(|name| ObjectPlace::open(&format!("s3://lapwing-test/tests/{name}"), &options()).unwrap());
    let place = ObjectPlace::open("s3://lapwing-test/tests/", &options()).unwrap();
    assert_eq!(place.describe(), "s3://lapwing-test/tests");
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
