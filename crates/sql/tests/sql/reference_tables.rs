use std::fs;
use std::time::{Duration, SystemTime};

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use lapwing_sql::{Fingerprint, ReferenceTable, SqlError};
use parquet::arrow::ArrowWriter;

use crate::rows::{TELEMETRY, csv, events, hosts, integers, planned, texts};

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn every_format_gives_the_same_table() {
    let expected = hosts();
    let lines = "{\"host_id\":\"h0\",\"role\":\"web\",\"rank\":0}\n{\"host_id\":\"h1\",\"role\":\"db\",\"rank\":1}\n\
                 {\"host_id\":\"h2\",\"role\":\"web\",\"rank\":2}\n{\"host_id\":\"h3\",\"role\":\"mail\",\"rank\":3}\n\
                 {\"host_id\":\"h4\",\"role\":null,\"rank\":4}\n";
    let array = format!(" [{}]", lines.trim_end().replace('\n', ","));
    let folder = tempfile::tempdir().unwrap();
    for (file, bytes) in [
        ("hosts.jsonl", lines.as_bytes().to_vec()),
        ("hosts.ndjson", lines.as_bytes().to_vec()),
        ("hosts.json", array.into_bytes()),
        ("hosts.PARQUET", parquet(expected.batch())),
    ] {
        let path = folder.path().join(file);
        fs::write(&path, bytes).unwrap();
        let table = ReferenceTable::read("hosts", &path).unwrap();
        assert_eq!(table.rows(), 5, "{file}");
        for name in ["host_id", "role"] {
            assert_eq!(texts(table.batch(), name), texts(expected.batch(), name), "{file}");
        }
        assert_eq!(integers(table.batch(), "rank"), integers(expected.batch(), "rank"), "{file}");
    }
}

#[test]
fn the_digest_is_that_of_the_bytes() {
    let table = csv("t", "a\n1\n");
    // printf 'a\n1\n' | sha256sum
    assert_eq!(table.digest(), "309b0e45a73d3fc5325e2b6ed0a01ef8b9cde6b05a5633c1f893f970d52bfddc");
    assert_ne!(table.digest(), csv("t", "a\n2\n").digest());
    let same = |text| ReferenceTable::from_batch("t", csv("t", text).batch().clone()).unwrap().digest().to_owned();
    assert_eq!(same("a\n1\n"), same("a\n1\n"));
    assert_ne!(same("a\n1\n"), same("a\n2\n"));
}

#[test]
fn a_table_that_cannot_be_read_says_which_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = ReferenceTable::read("hosts", &folder.path().join("no.csv")).unwrap_err().to_string();
    assert!(missing.starts_with("read reference table `hosts`: ") && missing.contains("no.csv"), "{missing}");
    for (ending, bytes) in [
        ("csv", &b"a,b\n1\n"[..]),
        ("csv", b"a\n\xff\xfe\n"),
        ("csv", b""),
        ("json", b"[{\"a\":1}"),
        ("json", b"{\"a\":1"),
        ("json", b"[1]"),
        ("parquet", b"PAR1"),
        ("parquet", b""),
        ("parquet", b"PAR1\xff\xff\xff\xffPAR1"),
        ("xlsx", b"PK"),
        ("", b""),
    ] {
        let read = ReferenceTable::from_bytes("hosts", ending, bytes);
        assert!(matches!(read, Err(SqlError::Table { .. })), "{ending} {bytes:?}: {read:?}");
    }
}

#[test]
fn a_truncated_parquet_file_is_an_error_at_every_length() {
    let bytes = parquet(hosts().batch());
    for length in 0..bytes.len() {
        assert!(ReferenceTable::from_bytes("hosts", "parquet", &bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_damaged_parquet_file_never_brings_the_program_down() {
    let bytes = parquet(hosts().batch());
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            // Some damage changes a value only; what counts is that an answer comes.
            let _ = ReferenceTable::from_bytes("hosts", "parquet", &damaged).map(|table| table.rows());
        }
    }
}

#[test]
fn a_change_of_the_file_is_noticed() {
    let path = tempfile::tempdir().unwrap().keep().join("hosts.csv");
    fs::write(&path, "host_id,role\nh0,web\n").unwrap();
    let table = ReferenceTable::read("hosts", &path).unwrap();
    let before = table.fingerprint().unwrap().clone();
    assert!(!before.changed().unwrap());
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    assert!(before.changed().unwrap());
    let touched = Fingerprint::of(&path).unwrap();
    fs::write(&path, "host_id,role\nh0,web\nh1,db\n").unwrap();
    assert!(touched.changed().unwrap());
    fs::remove_file(&path).unwrap();
    assert!(touched.changed().is_err());
    fs::remove_dir(path.parent().unwrap()).unwrap();
}

#[test]
fn a_new_version_of_a_table_counts_from_the_next_batch_on() {
    for query in [TELEMETRY.to_owned(), format!("{TELEMETRY} WHERE dst_bytes >= (SELECT min(rank) FROM hosts)")] {
        let mut enricher = planned(&query, &[hosts()]);
        let role = |enriched: lapwing_sql::Enriched| texts(&enriched.rows, "role");
        assert_eq!(role(enricher.run(&events(1, 2)).unwrap()), [Some("db".to_owned())]);
        enricher.replace_table(csv("hosts", "host_id,role,rank\nh1,cache,1\n")).unwrap();
        assert_eq!(role(enricher.run(&events(1, 2)).unwrap()), [Some("cache".to_owned())]);
        assert_eq!(role(enricher.run(&events(2, 3)).unwrap()), [None]);
        assert_eq!(enricher.tables()[0].rows(), 1);
    }
}

#[test]
fn a_version_with_other_columns_is_accepted_only_if_the_output_stays() {
    let mut enricher = planned(TELEMETRY, &[hosts()]);
    enricher.replace_table(csv("hosts", "role,host_id,owner\ncache,h1,me\n")).unwrap();
    let changed = enricher.replace_table(csv("hosts", "host_id,role\nh1,5\n")).unwrap_err();
    let text = changed.to_string();
    assert_eq!(text, "replace reference table `hosts`: column `role` Utf8 becomes `role` Int64");
    let gone = enricher.replace_table(csv("hosts", "host_id,rolle\nh1,web\n")).unwrap_err();
    assert!(matches!(&gone, SqlError::Changed { difference, .. } if difference.contains("`role`")), "{gone}");
    let unknown = enricher.replace_table(csv("host", "host_id,role\nh1,web\n")).unwrap_err();
    assert!(matches!(unknown, SqlError::Unknown { what: "table", .. }), "{unknown}");
    // After all these errors the last good version is still in use.
    assert_eq!(texts(&enricher.run(&events(1, 2)).unwrap().rows, "role"), [Some("cache".to_owned())]);
}

#[test]
fn an_empty_table_gives_nulls_only() {
    let empty = hosts().batch().slice(0, 0);
    let mut enricher = planned(TELEMETRY, &[ReferenceTable::from_batch("hosts", empty).unwrap()]);
    assert_eq!(texts(&enricher.run(&events(0, 2)).unwrap().rows, "role"), [None, None]);
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_first_name_and_late_types_are_seen() {
    let mut text = "\u{feff}port,word\n".to_owned();
    (0..20_000).for_each(|i| text.push_str(&format!("{i},w\n")));
    text.push_str("1.5,w\n");
    let table = csv("t", &text);
    assert_eq!(table.schema().field(0).name(), "port");
    assert_eq!(*table.schema().field(0).data_type(), DataType::Float64);
    assert_eq!(table.rows(), 20_001);
}
