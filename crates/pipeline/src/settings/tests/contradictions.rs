use lapwing_vocabulary::time::DAY;

use super::{SMALL, accepted, assert_fault, faults, parse, small_with};
use crate::settings::Pipeline;

const SCHEMA: &str = "[schema]\nhost = \"text\"\nutc = \"time\"\nbytes = \"int\"\nservice = \"text\"\n";

fn with_schema(more: &str) -> String {
    format!("{SCHEMA}{more}")
}

#[test]
fn a_pipeline_has_one_transport() {
    let more = "[connect.kafka]\n\"bootstrap.servers\" = \"b\"\n[connect.files]\ninputs = [\"-\"]\n";
    assert_fault(
        more,
        "3:10 a pipeline has one transport, not both [connect.kafka] and [connect.files] & 1:10 | keep one of them",
    );
}

#[test]
fn a_cluster_has_brokers() {
    assert_fault(
        "[connect.kafka]\n\"linger.ms\" = 5\n",
        "1:10 [connect.kafka] names no brokers | add \"bootstrap.servers\" = \"localhost:9092\"",
    );
}

#[test]
fn a_topic_is_left_out_only_with_files() {
    let expected =
        "2:2 `source.topic` is missing | the topic that is read; only with [connect.files] it may be left out";
    assert_eq!(faults(&SMALL.replace("topic = \"events\"\n", "")), [expected]);
}

#[test]
fn separated_values_options_do_not_go_with_json() {
    assert_fault(
        "format = \"json\"\n[source.csv]\nheader = true\n",
        "2:9 [source.csv] is given, but the format is json & 1:10 | write format = \"csv\", or remove [source.csv]",
    );
    let all = faults(&small_with("csv.header = true\n"));
    assert!(all[0].starts_with("6:1 [source.csv] is given, but the format is json & 2:2"), "{all:?}");
}

#[test]
fn columns_are_named_once() {
    assert_fault(
        "format = \"csv\"\n[source.csv]\nheader = true\ncolumns = [\"host\", \"utc\"]\n",
        "4:1 `source.csv.columns` is given, but the first line holds the names & 3:10 | write header = false, or remove columns",
    );
    assert_fault(
        "format = \"csv\"\n[source.csv]\nheader = false\n",
        "2:9 `source.csv.columns` is missing: without a header the columns have no names | name them in order, such as \
         columns = [\"time\", \"host\"], or write header = true",
    );
}

#[test]
fn the_fields_of_the_source_are_in_the_schema() {
    let all = faults(&small_with("id = \"uuid\"\n[schema]\nhots = \"text\"\nbytes = \"int\"\n"));
    let expected = [
        "4:7 `source.key` uses `host`, which is not a column | did you mean `hots`?",
        "5:8 `source.time` uses `utc`, which is not a column | there are: hots, bytes",
        "6:6 `source.id` uses `uuid`, which is not a column | there are: hots, bytes",
    ];
    assert_eq!(all, expected);
}

#[test]
fn the_fields_of_the_source_are_names_of_columns_not_their_paths() {
    let schema = "[schema]\nutc = \"time\"\nhost = { type = \"text\", path = \"meta.host\" }\n";
    accepted(&format!("{SMALL}{schema}"));
    let text = format!("{}{schema}", SMALL.replace("\"host\"", "\"meta.host\""));
    let refused = Pipeline::parse(&text, "pipelines/p.toml").unwrap_err().to_string();
    assert!(refused.contains("`source.key` uses `meta.host`, which is not a column"), "{refused}");
}

#[test]
fn the_fields_of_the_source_are_among_named_columns() {
    assert_fault(
        "format = \"csv\"\ncsv = { header = false, columns = [\"host\", \"at\"] }\n",
        "0:8 `source.time` uses `utc`, which is not a column | there are: host, at",
    );
}

#[test]
fn a_feature_does_not_have_the_name_of_a_field() {
    assert_fault(
        &with_schema("[features]\nbytes = { count = \"*\", over = \"1m\" }\n"),
        "7:1 the feature `bytes` has the name of a field & 4:1 | rename the feature",
    );
}

#[test]
fn a_feature_is_computed_from_a_field() {
    assert_fault(
        &with_schema("[features]\nsum_1m = { sum = \"byte\", over = \"1m\" }\n"),
        "7:18 the feature `sum_1m` uses `byte`, which is not a column | did you mean `bytes`?",
    );
    assert_fault(
        &with_schema("[features]\nsum_1m = { sum = \"service\", over = \"1m\" }\n"),
        "7:18 `sum` of `service` needs numbers & 5:11 | count, distinct, entropy, share, first_seen and rarity take any column",
    );
    accepted(&small_with(&with_schema("[features]\nn = { count = \"service\", over = \"1m\" }\n")));
    // What a query yields is not known here.
    accepted(&small_with(&with_schema(
        "[enrich]\nquery = \"SELECT 1\"\n[features]\ns = { sum = \"x\", over = \"1m\" }\n",
    )));
}

#[test]
fn an_encoded_column_is_a_field() {
    assert_fault(
        &with_schema("[encode]\nservce = \"one_hot\"\n"),
        "7:1 [encode] uses `servce`, which is not a column | did you mean `service`?",
    );
}

#[test]
fn a_feature_has_one_measure() {
    assert_fault(
        "[features]\nx = { sum = \"a\", over = \"1m\", max = \"a\" }\n",
        "2:7 a feature has one measure, not both `sum` and `max` & 2:31 \
         | declare another feature for the second",
    );
    let text = "[features]\nx = { over = \"1m\" }\n";
    let faults = parse(&small_with(text)).unwrap_err().to_string();
    assert!(faults.contains("a feature needs a measure") && faults.contains("exactly one of count, sum,"), "{faults}");
    assert_fault(
        "[features]\nx = { sum = \"*\", over = \"1m\" }\n",
        "2:13 `features.x.sum` needs a column, not `*` | only count, rate, since_last and correlation take `*`",
    );
}

#[test]
fn a_feature_has_one_span() {
    assert_fault(
        "[features]\nx = { zscore = \"a\", over = \"1m\", baseline = \"1h\" }\n",
        "2:21 a feature has one span, not both `over` and `baseline` & 2:34 \
         | `over` is a sliding window, `baseline` forgets slowly",
    );
    assert_fault(
        "[features]\nx = { zscore = \"a\" }\n",
        "2:1 a feature needs a span of time | add over = \"5m\" or baseline = \"24h\"",
    );
    assert_fault("[features]\nx = { max = \"a\" }\n", "2:1 a feature needs a span of time | add over = \"5m\"");
    assert_fault(
        "[features]\nx = { max = \"a\", baseline = \"1h\" }\n",
        "2:18 `baseline` does not go with max | add over = \"5m\"",
    );
    assert_fault(
        "[features]\nx = { last = \"a\", over = \"1h\" }\n",
        "2:19 `over` does not go with last | leave it out: it looks at the entity's last event",
    );
}

#[test]
fn an_option_that_does_nothing_is_refused() {
    for (feature, fault) in [
        ("{ sum = \"a\", over = \"1h\", q = 0.5 }", "2:31 `features.x.q` does nothing here | it goes with quantile"),
        (
            "{ ewma = \"a\", baseline = \"1h\", season = \"day\" }",
            "2:36 `features.x.season` does nothing here | it goes with zscore, surprise",
        ),
        ("{ last = \"a\", panes = 3 }", "2:19 `features.x.panes` does nothing here | it goes with over"),
    ] {
        assert_fault(&format!("[features]\nx = {feature}\n"), fault);
    }
}

#[test]
fn a_window_takes_only_what_belongs_to_its_kind() {
    let columns = "[window.columns]\nn = { count = \"*\" }\n";
    accepted(&small_with(&format!("[window]\nkind = \"session\"\ngap = \"5m\"\n{columns}")));
    assert_fault(
        &format!("[window]\nkind = \"tumbling\"\nsize = \"1m\"\ngap = \"5m\"\n{columns}"),
        "4:1 `window.gap` does not go with this kind of window | it takes size",
    );
    assert_fault(
        &format!("[window]\nkind = \"sliding\"\nsize = \"1m\"\n{columns}"),
        "1:2 `window.step` is missing | a length of time, such as step = \"1m\"",
    );
    assert_fault(
        "[window]\nkind = \"tumbling\"\nsize = \"1m\"\n[window.columns]\nwindow = { counts = \"x\", labels = [\"end\"] }\n",
        "5:21 `window.columns.window.counts` would give a column `window_end`, which every window has \
         | give the column another name",
    );
    assert_fault(
        "[window]\nkind = \"tumbling\"\nsize = \"1m\"\n[window.columns]\nwindow_end = { count = \"*\" }\n",
        "5:1 a column of a window cannot be called `window_end` | letters, digits and underscores, not a digit first, \
         at most 64; window_start, window_end, window_events, window_seconds are there anyway",
    );
}

#[test]
fn a_misspelt_kind_of_window_is_one_fault() {
    let all =
        faults(&small_with("[window]\nkind = \"sesion\"\ngap = \"5m\"\n[window.columns]\nn = { count = \"*\" }\n"));
    assert!(all.len() == 1 && all[0].contains("did you mean `session`?"), "{all:?}");
}

#[test]
fn with_windows_features_see_windows() {
    let window = "[window]\nkind = \"tumbling\"\nsize = \"1m\"\n[window.columns]\ntotal = { sum = \"bytes\" }\n";
    let feature = |column: &str| format!("{window}[features]\nx = {{ zscore = \"{column}\", baseline = \"1h\" }}\n");
    accepted(&small_with(&with_schema(&feature("total"))));
    accepted(&small_with(&with_schema(&feature("window_events"))));
    let faults = parse(&small_with(&with_schema(&feature("bytes")))).unwrap_err().to_string();
    assert!(faults.contains("which is not a column"), "{faults}");
}

#[test]
fn an_entity_is_not_forgotten_within_its_longest_window() {
    assert_fault(
        "[features]\nx = { count = \"*\", over = \"2d\" }\n[state]\nttl = \"1d\"\n",
        "4:7 `state.ttl` is 1d | the longest window or baseline is 2d: allowed from there on, or false",
    );
    let ttl = |more: &str| accepted(&small_with(more)).state.ttl_micros;
    assert_eq!(ttl("[state]\nttl = false\n"), None);
    assert_eq!(ttl("[features]\nx = { count = \"*\", over = \"10d\" }\n"), Some(40 * DAY));
}

#[test]
fn files_need_no_repartitioning() {
    let text =
        "name = \"f\"\n[source]\nkey = \"k\"\ntime = \"t\"\nrepartition = true\n[connect.files]\ninputs = [\"a\"]\n";
    let faults = parse(text).unwrap_err().to_string();
    assert!(faults.contains("needs topics, but the events come from files"), "{faults}");
}

#[test]
fn trees_do_not_go_with_a_robust_zscore() {
    assert_fault(
        "[detect.d]\nmethod = \"robust_zscore\"\ninputs = [\"x\"]\ntrees = 5\n",
        "4:1 `detect.d.trees` goes with isolation_forest, extended_isolation_forest, unsupervised_forest, random_forest, but the method is robust_zscore & 2:10 \
         | remove `trees`, or write method = \"isolation_forest\"",
    );
}

#[test]
fn columns_are_excluded_from_all_numeric_ones_only() {
    assert_fault(
        "[detect.d]\nmethod = \"robust_zscore\"\ninputs = [\"x\"]\nexclude = [\"y\"]\n",
        "4:1 `detect.d.exclude` goes with inputs = \"numeric\" only & 3:10 | remove `exclude`",
    );
}

#[test]
fn all_features_are_at_least_one() {
    assert_fault(
        "[detect.d]\nmethod = \"robust_zscore\"\ninputs = \"features\"\n",
        "3:10 inputs are all features, but there are none | add [features], or list columns",
    );
}

#[test]
fn the_inputs_of_a_detector_are_fields_or_features() {
    let more = "[features]\nrate = { count = \"*\", over = \"1m\" }\n[encode]\nservice = \"one_hot\"\n\
                [detect.d]\nmethod = \"robust_zscore\"\ninputs = [\"bytes\", \"rate\", \"service\", \"ratte\", \"host\"]\n\
                [detect.e]\nmethod = \"robust_zscore\"\ninputs = \"numeric\"\nexclude = [\"bites\", \"host\"]\n";
    let all = faults(&small_with(&with_schema(more)));
    let expected = [
        "17:39 the detector `d` uses `ratte`, which is not a column | did you mean `rate`?",
        "17:48 `host` holds no numbers & 7:8 | encode it: [encode] host = \"frequency\"",
        "21:12 the detector `e` uses `bites`, which is not a column | did you mean `bytes`?",
    ];
    assert_eq!(all, expected);
}

#[test]
fn the_detectors_of_a_pipeline_use_one_model() {
    let more = "[detect.a]\nmethod = \"robust_zscore\"\ninputs = [\"x\"]\nmodel = \"small/a@champion\"\n\
                [detect.b]\nmethod = \"robust_zscore\"\ninputs = [\"x\"]\nmodel = \"small/b@3\"\n";
    assert_fault(
        more,
        "8:9 the detectors of a pipeline use one model, not both small@champion and small@3 & 4:9 \
         | name the same ensemble and alias everywhere, or leave `model` out",
    );
}

#[test]
fn a_model_names_the_detector_of_its_table() {
    assert_fault(
        "[detect.a]\nmethod = \"robust_zscore\"\ninputs = [\"x\"]\nmodel = \"small/b@2\"\n",
        "4:9 `detect.a.model` names the detector `b` | this table is `a`: write \"small/a@2\"",
    );
    for name in ["small", "small/a", "small/a@", "/a@1", "small/a@0", "Small/a@1"] {
        let more = format!("[detect.a]\nmethod = \"robust_zscore\"\ninputs = [\"x\"]\nmodel = \"{name}\"\n");
        let all = faults(&small_with(&more));
        assert!(all[0].starts_with("9:9 `detect.a.model` is not the name of a model | write <"), "{name}: {all:?}");
    }
}

#[test]
fn topics_of_different_roles_differ() {
    let all = faults(&small_with("[outputs]\nalerts = \"events\"\nlate = \"small.enriched\"\n"));
    let expected = [
        "7:10 `source.topic` and `outputs.alerts` are the same topic, `events` & 3:9 | topics of different roles must differ",
        "8:8 `outputs.enriched` and `outputs.late` are the same topic, `small.enriched` & 6:2 \
         | topics of different roles must differ",
    ];
    assert_eq!(all, expected);
}

#[test]
fn nothing_is_added_to_events_that_are_not_written() {
    assert_fault(
        "[outputs]\nenriched = false\nfeatures = true\n",
        "3:12 `outputs.features` adds to enriched events, but they are switched off & 2:12 \
         | remove `features`, or name a topic in `enriched`",
    );
}

#[test]
fn reference_tables_are_used_by_a_query() {
    assert_fault(
        "[enrich]\ntables.hosts = \"hosts.csv\"\n",
        "2:1 `enrich.tables` is given, but no query uses them | add `query` to [enrich], or remove the tables",
    );
    assert_fault(
        "[enrich]\nquery = \"SELECT 1\"\ntables.events = \"e.csv\"\n",
        "3:8 a reference table cannot be called `events` \
         | letters, digits and underscores, not a digit first; `events` is the stream itself",
    );
}

#[test]
fn windows_have_no_recent_scores_to_be_compared_with() {
    assert_fault(
        "[window]\nkind = \"tumbling\"\nsize = \"1m\"\n[window.columns]\nn = { count = \"*\" }\n[decide]\nrest = \"1h\"\n",
        "7:1 a window is amended, so its score has no recent ones to be compared with & 1:2 \
         | remove `likelihood`, `rest` and `release`, or `[window]`",
    );
}

#[test]
fn what_is_recent_is_shorter_than_what_it_is_compared_with() {
    assert_fault(
        "[decide]\nlikelihood = { recent = \"1h\", over = \"10m\" }\n",
        "2:38 `decide.likelihood.over` is no longer than `recent` \
         | `over` is what `recent` is compared with: make it many times as long",
    );
}

#[test]
fn a_type_that_a_detector_raises_names_the_detector_and_its_rate() {
    let detector = "[detect.spike]\nmethod = \"robust_zscore\"\ninputs = [\"x\"]\n";
    assert_fault(
        &format!("{detector}[decide.types.t]\nwhen = \"x > 1\"\ndetector = \"spik\"\nalert_rate = 0.1\n"),
        "6:12 there is no detector `spik` | did you mean `spike`? allowed: spike",
    );
    assert_fault(
        &format!("{detector}[decide.types.t]\nwhen = \"x > 1\"\ndetector = \"spike\"\n"),
        "6:1 `decide.types.t.detector` goes with `detector` and one of `alert_rate`, `min_score` \
         | `detector` names the one that votes; `alert_rate` says which share of normal rows it may flag, `min_score` \
         from which score on it votes",
    );
    assert_fault(
        &format!("{detector}[decide.types.t]\ndetector = \"spike\"\nalert_rate = 0.1\nmin_score = 0.75\n"),
        "7:1 `alert_rate` and `min_score` both say from where on the detector votes & 6:1 | remove one of them",
    );
}

#[test]
fn a_misspelt_option_of_a_detector_is_one_fault() {
    assert_fault(
        "[detect.d]\nmethod = \"hbos\"\ninputs = [\"x\"]\nbinz = 5\n",
        "4:1 unknown key `binz` in [detect.d] | did you mean `bins`? allowed: method, inputs, exclude, model, rules, trees, \
         samples, balanced, column_fraction, extension, fraction, held_back, …",
    );
}
