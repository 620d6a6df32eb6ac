//! The scenario of a cluster's logs tells the stories it promises.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use lapwing_produce::logs::{AnomalyKind, AnomalyOptions, LABELS_HEADER, Labelled, Records};
use lapwing_produce::{Label, Logs, LogsOptions, ProduceError, Produced};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};

/// Words by which a message is known, apart from those of the scenario: all must be in the line.
const WORDS: [(&str, &[&str]); 30] = [
    ("E1", &["Adding an already existing block"]),
    ("E2", &["Verification succeeded for"]),
    ("E3", &[" Served block ", " to /"]),
    ("E4", &["Got exception while serving"]),
    ("E5", &["Receiving block", "src: ", "dest: "]),
    ("E6", &["Received block", "src: ", "dest: ", "of size"]),
    ("E7", &["writeBlock", "received exception"]),
    ("E8", &["PacketResponder", "Interrupted"]),
    ("E9", &["Received block", "of size", " from /"]),
    ("E10", &["PacketResponder", "Exception"]),
    ("E11", &["PacketResponder", "terminating"]),
    ("E12", &["Exception writing block", "to mirror"]),
    ("E13", &["Receiving empty packet for block"]),
    ("E14", &["Exception in receiveBlock for block"]),
    ("E15", &["Changing block file offset of block", "meta file offset to"]),
    ("E16", &["Transmitted block"]),
    ("E17", &["Failed to transfer", " got "]),
    ("E18", &["Starting thread to transfer block"]),
    ("E19", &["Reopen Block"]),
    ("E20", &["Unexpected error trying to delete block", "BlockInfo not found in volumeMap"]),
    ("E21", &["Deleting block", " file /"]),
    ("E22", &["NameSystem.allocateBlock:"]),
    ("E23", &["NameSystem.delete:", "is added to invalidSet of"]),
    ("E24", &["Removing block", "from neededReplications"]),
    ("E25", &["BLOCK* ask", "to replicate", "to datanode(s)"]),
    ("E26", &["blockMap updated:", "is added to"]),
    ("E27", &["Redundant addStoredBlock request received for"]),
    ("E28", &["addStoredBlock request received for", "But it does not belong to any file"]),
    ("E29", &["PendingReplicationMonitor timed out block"]),
    ("ask", &["BLOCK* ask", " to delete blk_"]),
];

/// What blocks in order say.
const ORDINARY: [&str; 16] =
    ["E2", "E3", "E4", "E5", "E6", "E9", "E11", "E13", "E16", "E18", "E21", "E22", "E23", "E25", "E26", "ask"];

/// What stands before and after the name of a block.
const SEPARATORS: [char; 5] = [' ', '.', ':', '/', ','];

/// The number of the message of a line; `new` if it has none.
fn number(line: &str) -> &'static str {
    let message = line.split_once(": ").unwrap().1;
    let found: Vec<&str> = WORDS
        .into_iter()
        .filter(|(_, words)| words.iter().all(|word| message.contains(word)))
        .map(|(number, _)| number)
        .collect();
    assert!(found.len() <= 1, "{found:?}: {line}");
    found.first().copied().unwrap_or("new")
}

/// Four hours of a working day with many anomalies.
fn busy() -> LogsOptions {
    LogsOptions {
        start: EventTime::parse("2026-06-01T09:00:00Z").unwrap(),
        span_micros: 4 * HOUR,
        blocks_per_second: 0.5,
        anomalies: anomalies(0.1),
        ..LogsOptions::default()
    }
}

fn anomalies(share: f64) -> AnomalyOptions {
    AnomalyOptions { share, kinds: AnomalyKind::ALL.to_vec() }
}

fn records(options: LogsOptions) -> Vec<Produced> {
    Logs::new(options).unwrap().collect()
}

fn text(record: &Produced) -> &str {
    std::str::from_utf8(&record.value).unwrap()
}

fn name(record: &Produced) -> &str {
    std::str::from_utf8(record.key.as_ref().unwrap()).unwrap()
}

/// A block's lines: time in microseconds and number.
#[derive(Debug, Default)]
struct Block {
    label: String,
    lines: Vec<(i64, &'static str)>,
}

impl Block {
    fn count(&self, number: &str) -> usize {
        self.lines.iter().filter(|line| line.1 == number).count()
    }

    fn first(&self, number: &str) -> Option<usize> {
        self.lines.iter().position(|line| line.1 == number)
    }

    fn last(&self, number: &str) -> Option<usize> {
        self.lines.iter().rposition(|line| line.1 == number)
    }

    fn has_only_ordinary_lines(&self) -> bool {
        self.lines.iter().all(|line| ORDINARY.contains(&line.1))
    }

    /// What is out of order, if anything is, as far as one can tell by the `end` of the stream.
    fn fault(&self, end: i64) -> Option<&'static str> {
        let copies = self.count("E6");
        if !self.has_only_ordinary_lines() {
            return Some("new or wrong line");
        }
        if (self.count("E22"), self.count("E11"), self.count("E9")) != (1, 3, 3) || self.count("E26") < 3 {
            return Some("not stored three times");
        }
        if !(3 + copies..=3 + self.count("E25")).contains(&self.count("E5")) {
            return Some("received too seldom or too often");
        }
        if self
            .first("E23")
            .is_some_and(|deleted| ["E5", "E9", "E26"].map(|one| self.last(one) > Some(deleted)).contains(&true))
        {
            return Some("deleted while it was written");
        }
        let time = |place: Option<usize>| place.map_or(end, |place| self.lines[place].0);
        if self.count("E25") > 0 && time(self.last("E6")) - time(self.first("E25")) > 5 * MINUTE {
            return Some("copied late");
        }
        None
    }
}

fn blocks(records: &[Produced]) -> BTreeMap<String, Block> {
    let mut blocks: BTreeMap<String, Block> = BTreeMap::new();
    for record in records {
        let block = blocks.entry(name(record).to_owned()).or_default();
        block.label = record.label.name().to_owned();
        block.lines.push((record.time.0, number(text(record))));
    }
    blocks
}

/// The busy hours: many stories, told once for all tests that look for one.
static BUSY: LazyLock<BTreeMap<String, Block>> = LazyLock::new(|| blocks(&records(busy())));

fn of_kind(label: &str) -> Vec<&'static Block> {
    BUSY.values().filter(|block| block.label == label).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let few = |options| Logs::new(options).unwrap().take(3_000).collect::<Vec<_>>();
    let first = few(busy());
    assert!(first == few(busy()));
    assert!(first != few(LogsOptions { seed: 8, ..busy() }));
}

#[test]
fn the_first_lines_are_the_golden_ones() {
    let start = EventTime::parse("2008-11-09T20:35:18Z").unwrap();
    let first = Logs::new(LogsOptions { start, ..LogsOptions::default() }).unwrap().take(12);
    let lines: Vec<String> = first.map(|record| String::from_utf8(record.value).unwrap()).collect();
    assert_eq!(lines.join("\n") + "\n", include_str!("golden/logs.txt"));
}

#[test]
fn every_line_has_the_header_of_its_time_in_order_and_names_its_block() {
    let options = LogsOptions { span_micros: HOUR, ..busy() };
    let (mut before, end) = (options.start, options.end());
    for record in records(options) {
        let line = text(&record);
        let header: Vec<&str> = line.split(' ').take(5).collect();
        let stamp: String = record.time.to_rfc3339().chars().filter(char::is_ascii_digit).skip(2).take(12).collect();
        assert_eq!(format!("{}{}", header[0], header[1]), stamp);
        assert!(header[2].parse::<u32>().is_ok() && ["INFO", "WARN", "ERROR"].contains(&header[3]), "{line}");
        assert!(header[4].starts_with("dfs.") && header[4].ends_with(':'), "{line}");
        assert!(before <= record.time && record.time < end && record.time.0 % SECOND == 0, "{line}");
        assert!(line.split(SEPARATORS).any(|word| word == name(&record)), "{line}");
        before = record.time;
    }
}

#[test]
fn a_line_comes_once_for_each_block_that_it_names_or_once_for_all() {
    let options = LogsOptions { span_micros: 2 * HOUR, ..busy() };
    let per_block = records(options.clone());
    let per_line = records(LogsOptions { records: Records::PerLine, ..options });
    let mut rest = per_block.iter();
    let mut most = 0;
    for line in &per_line {
        let message = text(line).split_once(": ").unwrap().1;
        let named: Vec<&str> = message.split(SEPARATORS).filter(|word| word.starts_with("blk_")).collect();
        let distinct: BTreeSet<&str> = named.iter().copied().collect();
        let group: Vec<&Produced> = rest.by_ref().take(distinct.len()).collect();
        assert!(group.iter().all(|record| record.value == line.value && record.time == line.time));
        assert_eq!(group.iter().map(|record| name(record)).collect::<BTreeSet<_>>(), distinct);
        assert_eq!(line.label.is_anomaly(), group.iter().any(|record| record.label.is_anomaly()));
        most = most.max(distinct.len());
    }
    assert_eq!(rest.count(), 0);
    assert!((5..=100).contains(&most), "{most}");
}

#[test]
fn blocks_are_allocated_at_the_rate_asked_for_more_by_day_than_by_night() {
    let options = LogsOptions { span_micros: 7 * DAY, blocks_per_second: 0.02, anomalies: anomalies(0.0), ..busy() };
    let mut hours = [0_u32; 24];
    for record in records(options).iter().filter(|record| number(text(record)) == "E22") {
        hours[(record.time.0.rem_euclid(DAY) / HOUR) as usize] += 1;
    }
    let seen = f64::from(hours.iter().sum::<u32>()) / (7.0 * 86_400.0);
    assert!((0.0194..0.0206).contains(&seen), "{seen}");
    assert!(hours[14] > 2 * hours[2], "{hours:?}");
}

#[test]
fn the_share_of_anomalous_blocks_is_as_asked_for_and_every_kind_has_its_part() {
    for share in [0.0, 0.03, 0.2] {
        let records = records(LogsOptions { anomalies: anomalies(share), ..busy() });
        let blocks: BTreeMap<&str, &Label> = records.iter().map(|record| (name(record), &record.label)).collect();
        let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
        for label in blocks.values().filter(|label| label.is_anomaly()) {
            *counts.entry(label.name()).or_default() += 1.0;
        }
        let seen = counts.values().sum::<f64>();
        let wanted = share * blocks.len() as f64;
        assert!((seen - wanted).abs() <= 3.5 * wanted.sqrt(), "{seen} of {wanted}: {counts:?}");
        for kind in AnomalyKind::ALL {
            let part = counts.get(kind.name()).copied().unwrap_or(0.0);
            assert!((part - seen / 6.0).abs() <= 1.0 + 0.05 * seen, "{kind:?}: {counts:?}");
        }
    }
}

#[test]
fn anomalies_are_shared_out_over_time_after_the_quiet_part() {
    let options = LogsOptions { quiet_micros: HOUR, ..busy() };
    let start = options.start.0;
    let mut hours: HashMap<(i64, String), u32> = HashMap::new();
    for block in blocks(&records(options)).into_values().filter(|block| block.label != "normal") {
        *hours.entry(((block.lines[0].0 - start) / HOUR, block.label)).or_default() += 1;
    }
    assert!(hours.keys().all(|(hour, _)| (1..4).contains(hour)), "{hours:?}");
    let least = hours.values().min().copied().unwrap_or(0);
    assert!(hours.len() == 18 && least >= 15, "{hours:?}");
}

#[test]
fn only_the_kinds_asked_for_happen() {
    let anomalies = AnomalyOptions { share: 0.1, kinds: vec![AnomalyKind::DeleteRace] };
    let found = blocks(&records(LogsOptions { anomalies, span_micros: HOUR, ..busy() }));
    let labels: BTreeSet<&str> = found.values().map(|block| block.label.as_str()).collect();
    assert_eq!(labels, BTreeSet::from(["delete_race", "normal"]));
    let none = AnomalyOptions { share: 0.1, kinds: Vec::new() };
    assert!(
        records(LogsOptions { anomalies: none, span_micros: HOUR, ..busy() }).iter().all(|one| !one.label.is_anomaly())
    );
}

#[test]
fn a_block_that_is_out_of_order_is_an_anomaly_and_the_other_way_round() {
    let end = busy().end().0;
    assert!(BUSY.len() > 7_000);
    for (name, block) in &*BUSY {
        assert_eq!(block.fault(end).is_some(), block.label != "normal", "{name}: {:?}, {block:?}", block.fault(end));
    }
}

#[test]
fn even_a_short_stream_shows_whatever_it_labels() {
    let options = LogsOptions { span_micros: 10 * MINUTE, blocks_per_second: 2.0, anomalies: anomalies(0.3), ..busy() };
    let end = options.end().0;
    let blocks = blocks(&records(options));
    assert!(blocks.values().all(|block| block.fault(end).is_some() == (block.label != "normal")));
    let labels: BTreeSet<&str> = blocks.values().map(|block| block.label.as_str()).collect();
    assert_eq!(labels.len(), 7, "{labels:?}");
}

#[test]
fn blocks_live_for_seconds_to_hours_and_are_deleted_at_all_their_nodes() {
    let normal = of_kind("normal");
    let lasting = |block: &Block| block.lines[block.lines.len() - 1].0 - block.lines[0].0;
    assert!(normal.iter().any(|block| lasting(block) < 20 * SECOND));
    assert!(normal.iter().any(|block| lasting(block) > 2 * HOUR));
    let end = busy().end().0 - MINUTE;
    let deleted: Vec<_> =
        normal.iter().filter(|block| block.first("E23").is_some_and(|at| block.lines[at].0 < end)).collect();
    assert!(deleted.len() * 2 > normal.len(), "{} of {}", deleted.len(), normal.len());
    for block in deleted {
        let copies = block.count("E26");
        assert_eq!((block.count("E23"), block.count("ask"), block.count("E21")), (copies, copies, copies), "{block:?}");
    }
}

#[test]
fn few_blocks_have_most_of_the_reads() {
    let mut reads: Vec<usize> = of_kind("normal").iter().map(|block| block.count("E3") + block.count("E4")).collect();
    reads.sort_unstable_by(|one, other| other.cmp(one));
    let (all, head) = (reads.iter().sum::<usize>(), reads[..reads.len() / 100].iter().sum::<usize>());
    assert!(5 * head > 2 * all, "{head} of {all}");
    assert!(reads[reads.len() / 2] == 0 && reads[0] > 50);
}

#[test]
fn a_failed_write_is_told_by_exceptions_and_leaves_two_copies_or_none() {
    let stories = of_kind("write_failure");
    for block in &stories {
        assert!(block.count("E14") > 0 && block.count("E7") > 0 && block.count("E8") + block.count("E10") > 0);
        assert!(matches!((block.count("E9"), block.count("E12")), (2, 1) | (0, 0)), "{block:?}");
    }
    let shortened = stories.iter().filter(|block| block.count("E9") == 2).count();
    assert!(shortened > stories.len() / 3 && shortened < stories.len(), "{shortened} of {}", stories.len());
    assert!(stories.iter().any(|block| block.count("E9") == 2 && block.count("E25") > 0));
}

#[test]
fn a_lost_replica_is_told_by_nothing_but_missing_lines() {
    let stories = of_kind("lost_replica");
    assert!(stories.iter().all(|block| block.has_only_ordinary_lines() && block.count("E9") == block.count("E11")));
    let seen: BTreeSet<(usize, usize)> = stories.iter().map(|block| (block.count("E5"), block.count("E9"))).collect();
    assert_eq!(seen, BTreeSet::from([(2, 2), (3, 0), (3, 2)]));
}

#[test]
fn redundant_copies_are_reported_besides_the_three() {
    let stories = of_kind("redundant_store");
    assert!(stories.iter().all(|block| (1..=4).contains(&block.count("E27")) && block.count("E9") == 3));
    assert!(stories.iter().any(|block| block.count("E1") > 0));
}

#[test]
fn deletion_overtakes_writing_in_three_ways() {
    let stories = of_kind("delete_race");
    let unknown = stories.iter().filter(|block| block.count("E20") > 0);
    assert!(unknown.clone().all(|block| block.count("E9") == 3 && block.count("E21") < 3));
    let late = stories.iter().filter(|block| block.count("E28") > 0);
    assert!(late.clone().all(|block| block.count("E26") == 2 && block.last("E28") > block.first("E23")));
    let subtle = stories.iter().filter(|block| block.has_only_ordinary_lines());
    assert!(subtle.clone().all(|block| block.last("E26") > block.last("E21").min(block.first("E21"))));
    assert!(subtle.clone().all(|block| (block.count("E9"), block.count("E26"), block.count("E21")) == (3, 3, 3)));
    let parts = [unknown.count(), late.count(), subtle.count()];
    assert_eq!(parts.iter().sum::<usize>(), stories.len());
    assert!(parts.iter().all(|part| part * 6 > stories.len()), "{parts:?}");
}

#[test]
fn a_slow_copy_times_out_or_takes_ten_minutes_without_a_word() {
    let stories = of_kind("slow_replication");
    let (timed_out, silent): (Vec<&Block>, Vec<&Block>) = stories.into_iter().partition(|block| block.count("E29") > 0);
    assert!(timed_out.iter().all(|block| block.count("E25") >= 2 && block.last("E25") > block.first("E29")));
    assert!(timed_out.iter().any(|block| block.count("E17") > 0));
    assert!(!silent.is_empty() && !timed_out.is_empty());
    for block in silent {
        assert!(block.has_only_ordinary_lines());
        let wait = block.lines[block.last("E6").unwrap()].0 - block.lines[block.first("E25").unwrap()].0;
        assert!((10 * MINUTE - SECOND..51 * MINUTE).contains(&wait), "{block:?}");
    }
}

#[test]
fn unknown_messages_have_no_number_and_come_to_no_other_block() {
    let has_new = |block: &&Block| block.count("new") > 0;
    assert!(of_kind("unknown_message").iter().all(has_new));
    assert_eq!(BUSY.values().filter(has_new).count(), of_kind("unknown_message").len());
}

#[test]
fn the_labels_go_aside_a_row_for_each_block_at_its_first_line() {
    let options = LogsOptions { span_micros: HOUR, ..busy() };
    let mut file = Vec::new();
    let labelled: Vec<Produced> =
        Labelled::new(Logs::new(options.clone()).unwrap(), &mut file).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(labelled == records(options));
    let text = String::from_utf8(file).unwrap();
    let mut rows = text.lines();
    assert_eq!(rows.next(), Some(LABELS_HEADER));
    let mut expected = Vec::new();
    let mut seen = BTreeSet::new();
    for record in labelled.iter().filter(|record| seen.insert(name(record))) {
        let label = if record.label.is_anomaly() { format!("1,{}", record.label.name()) } else { "0,".to_owned() };
        expected.push(format!("{},{label}", name(record)));
    }
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

#[test]
fn labels_that_cannot_be_written_stop_the_stream() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let refused = Labelled::new(Logs::new(busy()).unwrap(), Full).map(|_| ()).unwrap_err();
    assert!(matches!(refused, ProduceError::Write { what: "labels", .. }), "{refused}");
}

#[test]
fn a_stream_without_end_goes_on() {
    let options = LogsOptions { span_micros: i64::MAX, blocks_per_second: 0.005, anomalies: anomalies(0.2), ..busy() };
    let later = EventTime(options.start.0 + 10 * DAY);
    let is_late_anomaly = |record: &Produced| record.time > later && record.label.is_anomaly();
    assert!(Logs::new(options).unwrap().take(150_000).any(|record| is_late_anomaly(&record)));
}

#[test]
fn senseless_options_are_refused_by_name() {
    let cases = [
        ("nodes", LogsOptions { nodes: 7, ..busy() }),
        ("start", LogsOptions { start: EventTime(0), ..busy() }),
        ("span", LogsOptions { span_micros: 0, ..busy() }),
        ("span", LogsOptions { span_micros: 80 * 366 * DAY, ..busy() }),
        ("blocks per second", LogsOptions { blocks_per_second: f64::NAN, ..busy() }),
        ("quiet", LogsOptions { quiet_micros: -1, ..busy() }),
        ("anomaly share", LogsOptions { anomalies: anomalies(0.6), ..busy() }),
    ];
    for (name, options) in cases {
        let refused = Logs::new(options).map(|_| ()).unwrap_err();
        assert!(matches!(refused, ProduceError::Option { option, .. } if option == name), "{name}: {refused}");
    }
}
