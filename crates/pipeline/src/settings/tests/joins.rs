use lapwing_vocabulary::time::{MINUTE, SECOND};

use super::{accepted, assert_fault, parse, small_with};
use crate::settings::{JoinKind, Joined, Matches, Pipeline, Role};

/// A join with these settings.
fn join(settings: &str) -> String {
    format!("[join.x]\ntopic = \"x\"\nkey = \"k\"\ntime = \"t\"\nschema = {{ k = \"text\", t = \"time\" }}\n{settings}")
}

fn what(settings: &str) -> Joined {
    accepted(&small_with(&join(settings))).joins[0].what
}

#[test]
fn an_interval_waits_for_what_may_come_after_the_event_and_for_nothing_else() {
    let interval = |before_micros, after_micros, wait_micros| {
        let matches = Matches::Last;
        Joined::Interval { before_micros, after_micros, wait_micros, matches }
    };
    // The watermark is a minute by default.
    assert_eq!(what("within = \"5m\""), interval(5 * MINUTE, 5 * MINUTE, 6 * MINUTE));
    assert_eq!(what("before = \"5m\""), interval(5 * MINUTE, 0, 0));
    assert_eq!(what("after = \"5m\""), interval(0, 5 * MINUTE, 6 * MINUTE));
    assert_eq!(what("before = \"1m\"\nwait = \"10s\""), interval(MINUTE, 0, 10 * SECOND));
    assert_eq!(what("within = \"5m\"\nwait = \"0s\""), interval(5 * MINUTE, 5 * MINUTE, 0));
    assert_eq!(what("table = true"), Joined::Table { ttl_micros: None });
}

#[test]
fn a_join_has_defaults_and_names_its_columns() {
    let pipeline = accepted(&small_with(&join("within = \"5m\"")));
    let join = &pipeline.joins[0];
    assert_eq!((join.on.as_str(), join.kind, join.rows_max), ("host", JoinKind::Left, 1_000_000));
    assert_eq!(join.columns, ["x_k", "x_t"]);
    assert!(join.is_by_entity("host") && !join.is_by_entity("user"));
    assert_eq!(pipeline.repartitioned_topic().as_deref(), Some("small.repartitioned"));
    assert_eq!(pipeline.marker_topic().as_deref(), Some("small.markers"));
}

#[test]
fn the_topic_of_a_table_is_made_compacted() {
    let pipeline = accepted(&small_with(&format!("{}\n[topics.joined]\npartitions = 2\n", join("table = true"))));
    let joined = pipeline.topics_used().into_iter().find(|(role, _, _)| *role == Role::Joined).unwrap();
    assert_eq!((joined.1.as_str(), joined.2.partitions, joined.2.compact), ("x", 2, true));
}

#[test]
fn what_is_resolved_reads_back_the_same() {
    let csv = "format = \"csv\"\nkind = \"inner\"\nmatch = \"all\"\non = \"user\"\nwithin = \"5m\"\nmax_rows = 7\nmax_bytes = \"3MiB\"\n\
               csv = { header = false, columns = [\"k\", \"t\"], delimiter = \";\" }";
    for settings in [csv, "table = true\nttl = \"7d\"", "before = \"1m\""] {
        let pipeline = accepted(&small_with(&join(settings)));
        let again = Pipeline::parse(&pipeline.resolved(), pipeline.file());
        assert_eq!(again.unwrap_or_else(|faults| panic!("{faults}\n{}", pipeline.resolved())), pipeline);
    }
}

#[test]
fn everything_that_decides_what_is_joined_decides_state_and_nothing_else_does() {
    let digest = |text: &str| accepted(&small_with(text)).digest();
    let usual = digest(&join("within = \"5m\""));
    for other in [
        join("within = \"6m\""),
        join("within = \"5m\"\nwait = \"0s\""),
        join("within = \"5m\"\nmatch = \"all\""),
        join("within = \"5m\"\nkind = \"inner\""),
        join("within = \"5m\"\non = \"user\""),
        join("table = true"),
        join("within = \"5m\"").replace("join.x", "join.y"),
        join("within = \"5m\"").replace("k = \"text\"", "k = \"int\""),
        String::new(),
    ] {
        assert_ne!(digest(&other), usual, "{other}");
    }
    assert_eq!(digest(&join("within = \"5m\"\nmax_rows = 5\nmax_bytes = \"1MiB\"")), usual);
    assert_eq!(digest(&join("within = \"5m\"").replace("topic = \"x\"", "topic = \"other\"")), usual);
    let table = digest(&join("table = true"));
    assert_eq!(digest(&join("table = true\nttl = \"7d\"")), table);
}

#[test]
fn a_join_that_says_too_little_or_too_much_is_refused() {
    assert_fault(
        &join(""),
        "1:7 `join.x.within` is missing: how far apart may a record and an event lie? | within = \"5m\", or before and \
         after; for the last value of each key, table = true",
    );
    assert_fault(
        &join("within = \"5m\"\nafter = \"1m\""),
        "7:1 `join.x.within` and `join.x.after` say the same twice & 6:1 | `within` is both `before` and `after`",
    );
    assert_fault(
        &join("table = true\nwithin = \"5m\""),
        "7:1 `join.x.within` is of no use with a table | a table gives the last value of each key; remove it, or `table`",
    );
    assert_fault(
        &join("within = \"5m\"\nttl = \"1h\""),
        "7:1 `join.x.ttl` is of a table | records of a stream are forgotten by `before` or `within`; write table = true, \
         or remove it",
    );
    assert_fault(
        &join("within = \"5m\"").replace("join.x", "join.x-y"),
        "1:7 a join cannot be called `x-y` | letters, digits and underscores, not a digit first: it begins the names of \
         columns",
    );
    assert_fault(
        &join("within = \"5m\"\nformat = \"csv\"\ncsv = { delimiter = \";\" }"),
        "8:1 `join.x.csv` needs `header = false` and `columns` | a topic has no header line",
    );
}

#[test]
fn a_join_must_fit_its_own_fields_and_those_of_the_event() {
    assert_fault(
        &join("within = \"5m\"").replace("key = \"k\"", "key = \"kk\""),
        "3:7 `join.x.key` is `kk`, which is not in its schema | did you mean `k`?",
    );
    assert_fault(
        &join("within = \"5m\"").replace("t = \"time\" }", "t = \"int\" }"),
        "4:8 `join.x.time` is `t`, which is int & 5:28 | give it the type \"time\"",
    );
    let schema = "[schema]\nhost = \"int\"\nutc = \"time\"\nx_t = \"text\"\n";
    let faults = super::faults(&small_with(&format!("{}\n{schema}", join("within = \"5m\""))));
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(faults.iter().any(|fault| fault.contains("`join.x.on` is int, but `join.x.key` is text")), "{faults:#?}");
    assert!(faults.iter().any(|fault| fault.contains("a column `x_t` a second time")), "{faults:#?}");
    let faults = super::faults(&small_with(&format!(
        "{}\n[schema]\nhost = \"text\"\nutc = \"time\"\n",
        join("within = \"5m\"\non = \"hots\"")
    )));
    assert!(faults[0].contains("`join.x.on` is `hots`, which is not a field of the event | did you mean `host`?"));
}

#[test]
fn topics_of_joins_differ_and_files_cannot_be_joined() {
    let faults = super::faults(&small_with(&join("within = \"5m\"").replace("topic = \"x\"", "topic = \"events\"")));
    assert!(faults[0].contains("`source.topic` and `join.x.topic` are the same topic, `events`"), "{faults:#?}");
    let two = format!("{}\n{}", join("within = \"5m\""), join("table = true").replace("join.x", "join.y"));
    let faults = super::faults(&small_with(&two));
    assert!(faults[0].contains("`join.x.topic` and `join.y.topic` are the same topic, `x`"), "{faults:#?}");
    let files = format!("{}\n[connect.files]\ninputs = [\"a\"]\n", join("within = \"5m\""));
    let faults = parse(&small_with(&files)).expect_err("it must be refused").to_string();
    assert!(faults.contains("`join` needs topics, but the events come from files"), "{faults}");
}
