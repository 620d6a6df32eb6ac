use super::{assert_fault, faults, small_with};

/// Each value just outside its bounds, and what is said of it.
#[test]
fn values_outside_their_bounds_are_refused_with_what_is_allowed() {
    for (text, expected) in [
        ("workers = 0", "`workers` is 0 | allowed: 1 to 1024"),
        ("workers = \"2\"", "`workers` must be a whole number, not a text"),
        ("commit_interval = \"999us\"", "`commit_interval` is 999us | allowed: 1ms to 1m"),
        ("commit_interval = \"61s\"", "`commit_interval` is 61s | allowed: 1ms to 1m"),
        ("max_batch_events = 1000001", "`max_batch_events` is 1000001 | allowed: 1 to 1000000"),
        ("max_record_bytes = \"0B\"", "`max_record_bytes` is 0B | allowed: 1B to 1GiB"),
        (
            "max_record_bytes = 1024",
            "`max_record_bytes` must be a size such as \"10MiB\", not a whole number \
             | write a whole number and one of B, KiB, MiB, GiB, kB, MB, GB",
        ),
        (
            "commit_interval = \"100\"",
            "`commit_interval` must be a length of time such as \"90s\" \
             | write a whole number and one of us, ms, s, m, h, d",
        ),
    ] {
        let all = faults(&format!("{text}\n{}", super::SMALL));
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].split_once(' ').map(|(_, rest)| rest), Some(expected), "{text}");
    }
}

#[test]
fn a_window_is_a_second_to_a_year() {
    for (length, shown) in [("999ms", "999ms"), ("367d", "367d")] {
        let more = format!("[features]\nx = {{ count = \"*\", over = \"{length}\" }}\n");
        assert_fault(&more, &format!("2:27 `features.x.over` is {shown} | allowed: 1s to 366d"));
    }
}

#[test]
fn an_alert_rate_is_a_share_of_normal_rows() {
    for rate in ["0", "0.51", "-0.1", "nan", "1"] {
        let all = faults(&small_with(&format!("[decide]\nalert_rate = {rate}\n")));
        assert!(all[0].starts_with("7:14 `decide.alert_rate` is "), "{all:?}");
    }
}

#[test]
fn a_forest_has_trees_and_samples_within_reason() {
    let more = "[detect.f]\nmethod = \"isolation_forest\"\ninputs = \"numeric\"\ntrees = 0\nsamples = 65537\n";
    let expected =
        ["9:9 `detect.f.trees` is 0 | allowed: 1 to 10000", "10:11 `detect.f.samples` is 65537 | allowed: 2 to 512"];
    assert_eq!(faults(&small_with(more)), expected);
}

#[test]
fn names_hold_only_what_the_outside_accepts() {
    for (more, message) in [
        ("[decide.types.Big]\nwhen = \"x\"\n", "an anomaly type cannot be called `Big`"),
        ("[detect.a-b]\nmethod = \"robust_zscore\"\ninputs = [\"x\"]\n", "a detector cannot be called `a-b`"),
        ("[features]\n\"1m\" = { count = \"*\", over = \"1m\" }\n", "a feature cannot be called `1m`"),
        ("[outputs]\nalerts = \"a b\"\n", "`outputs.alerts` cannot be `a b`"),
        ("[outputs]\nalerts = false\n", "`outputs.alerts` must be the name of a topic"),
        ("[outputs]\nlate = true\n", "`outputs.late` must be the name of a topic, or false"),
    ] {
        let all = faults(&small_with(more));
        assert!(all.len() == 1 && all[0].contains(message), "{all:?}");
    }
    assert!(
        faults("name = \"A\"\n[source]\ntopic = \"t\"\nkey = \"k\"\ntime = \"t\"\n")[0]
            .contains("`name` cannot be `A`")
    );
}

#[test]
fn a_wrong_word_is_answered_with_the_right_one() {
    let method = "[detect.d]\ninputs = [\"x\"]\nmethod = \"isolation_forrest\"\n";
    for (more, expected) in [
        ("format = \"xml\"\n", "1:10 `source.format` cannot be `xml` | allowed: json, csv, lines"),
        (
            method,
            "3:10 `detect.d.method` cannot be `isolation_forrest` \
             | did you mean `isolation_forest`? allowed: robust_zscore, iqr_fence, hbos, ecod, pca, surprise, isolation_forest, \
             extended_isolation_forest, unsupervised_forest, random_forest, gradient_boosting, autoencoder, …",
        ),
        (
            "[decide.types.t]\nwhen = \"x\"\nseverity = \"warn\"\n",
            "3:12 `decide.types.t.severity` cannot be `warn` \
             | did you mean `warning`? allowed: info, warning, error, critical",
        ),
        (
            "[schema]\nhost = \"text\"\nutc = \"tme\"\n",
            "3:7 `schema.utc` cannot be `tme` | did you mean `time`? allowed: int, float, text, bool, time",
        ),
        (
            "[encode]\na = \"onehot\"\n",
            "2:5 `encode.a` cannot be `onehot` | did you mean `one_hot`? allowed: one_hot, frequency",
        ),
        (
            "[topics.alert]\npartitions = 1\n",
            "1:9 unknown key `alert` in [topics] | did you mean `alerts`? allowed: partitions, replication, retention, \
             retention_bytes, compact, source, joined, alerts, enriched, dead_letters, late, markers, …",
        ),
    ] {
        assert_fault(more, expected);
    }
}

#[test]
fn a_key_in_the_wrong_table_is_told_where_it_belongs() {
    assert_fault(
        "workers = 2\n",
        "1:1 unknown key `workers` in [source] | `workers` belongs in the top of the file, before any table",
    );
    assert_fault(
        "[decide]\nsnapshot_interval = \"1s\"\n",
        "2:1 unknown key `snapshot_interval` in [decide] | `snapshot_interval` belongs in state",
    );
}

#[test]
fn a_table_is_a_table() {
    assert_fault("[features]\nx = 3\n", "2:5 `features.x` must be a table, not a whole number");
    assert_fault("[[detect]]\nx = 3\n", "1:3 `detect` must be a table, not a list of tables");
    assert_fault("[source.format]\nx = 3\n", "1:9 `source.format` must be a text in quotes, not a table");
}
