//! The snapshot format: read back, refused when not whole or not ours, and readable for ever.

use lapwing_state::snapshot::{FORMAT_VERSION, decode, encode};
use lapwing_state::{EntityTable, Header, Identity, StateError};
use proptest::prelude::*;

fn identity() -> Identity {
    Identity {
        pipeline: "telemetry".into(),
        topic: "sensor_messages".into(),
        partition: 3,
        graph_digest: "00112233445566778899aabbccddeeff".into(),
    }
}

fn header() -> Header {
    Header { identity: identity(), offset: 8812 }
}

fn small() -> Vec<u8> {
    let mut table = EntityTable::new(vec![0.0, f64::INFINITY, 0.0]);
    table.slot(b"host-1");
    let (slot, _) = table.slot("höst-2".as_bytes());
    table.words_mut(slot).copy_from_slice(&[-0.0, 0.1, f64::MAX]);
    let mut entities = Vec::new();
    table.encode(&mut entities).unwrap();
    encode(&header(), &[("entities", &entities), ("shared", &[]), ("watermark", &[1, 2, 3])]).unwrap()
}

/// The bytes with a new checksum, as only a writer with a fault, or with a purpose, would leave them.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..body]);
    bytes[body..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn what_is_written_is_read_back() {
    let snapshot = decode(small(), &identity()).unwrap();
    assert_eq!(snapshot.header(), &header());
    assert_eq!(snapshot.names().collect::<Vec<_>>(), ["entities", "shared", "watermark"]);
    assert_eq!(
        (snapshot.section("shared").unwrap(), snapshot.section("watermark").unwrap()),
        (&[][..], &[1, 2, 3][..])
    );
    let missing = snapshot.section("baselines").unwrap_err().to_string();
    assert!(missing.contains("it has no section `baselines`"), "{missing}");
    let table = EntityTable::decode(snapshot.section("entities").unwrap(), vec![0.0; 3]).unwrap();
    assert_eq!((table.len(), table.words(1)[0].to_bits(), table.words(1)[1]), (2, 1 << 63, 0.1));
}

#[test]
fn format_1_stays_readable_and_is_what_is_written() {
    let golden = include_bytes!("golden/snapshot-1.bin");
    assert_eq!(small(), golden, "the format changed: raise FORMAT_VERSION and keep the old reader");
    assert_eq!(decode(golden.to_vec(), &identity()).unwrap().header(), &header());
}

#[test]
fn torn_at_any_byte_it_is_refused_as_torn() {
    let whole = small();
    for length in 0..whole.len() {
        match decode(whole[..length].to_vec(), &identity()) {
            Err(StateError::Torn { found, .. }) => assert_eq!(found, length as u64),
            other => panic!("cut to {length} bytes: {other:?}"),
        }
    }
    let longer = [&whole[..], &[0]].concat();
    let found = decode(longer, &identity()).unwrap_err();
    assert!(matches!(found, StateError::Torn { .. }), "{found}");
}

#[test]
fn any_byte_that_differs_is_noticed() {
    let whole = small();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let fault = decode(damaged, &identity()).unwrap_err();
        let right = match at {
            0..8 => matches!(fault, StateError::NotASnapshot),
            8..10 => matches!(fault, StateError::Newer { .. }),
            10..18 => matches!(fault, StateError::Torn { .. }),
            _ => matches!(fault, StateError::Checksum { .. }),
        };
        assert!(right, "byte {at}: {fault}");
    }
}

#[test]
fn a_newer_format_is_named() {
    let mut newer = small();
    newer[8..10].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    match decode(sealed(newer), &identity()) {
        Err(StateError::Newer { found: 2, known: 1 }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_snapshot_of_another_is_refused() {
    for change in 0..3 {
        let mut other = identity();
        match change {
            0 => other.pipeline = "logs".into(),
            1 => other.topic = "lines".into(),
            _ => other.partition = 4,
        }
        let text = decode(small(), &other).unwrap_err().to_string();
        assert!(text.starts_with("read snapshot: it is of telemetry sensor_messages[3], not of "), "{text}");
    }
    let features = Identity { graph_digest: "other".into(), ..identity() };
    let fault = decode(small(), &features).unwrap_err();
    assert!(matches!(fault, StateError::OtherFeatures { .. }), "{fault}");
}

#[test]
fn names_that_do_not_fit_are_refused_when_written() {
    let long = Header { identity: Identity { pipeline: "p".repeat(65_536), ..identity() }, offset: 0 };
    let fault = encode(&long, &[]).unwrap_err();
    assert!(matches!(fault, StateError::TooLong { length: 65_536, longest: 65_535, .. }), "{fault}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_even_with_a_right_checksum(
        at in 18..120_usize,
        noise in prop::collection::vec(any::<u8>(), 1..24),
    ) {
        let mut bytes = small();
        let end = bytes.len().min(at + noise.len());
        let at = at.min(end);
        bytes[at..end].copy_from_slice(&noise[..end - at]);
        let _ = decode(sealed(bytes), &identity());
    }
}
