use lapwing_pipeline::error::RunError;

use crate::setup::{DETECT, FULL, HEAD, HOSTS, by_hand, fitted, hosts, plan, settings, try_plan};
use crate::stream::ordinary;

/// Every fault of a pipeline that cannot be compiled.
fn faults(rest: &str) -> Vec<String> {
    match try_plan(&format!("{HEAD}{rest}"), &[]) {
        Err(RunError::Plan(faults)) => faults,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the plan was compiled"),
    }
}

fn enrich(query: &str) -> String {
    format!("[enrich]\nquery = \"{query}\"\n")
}

#[test]
fn an_unknown_column_is_named_with_the_nearest_one() {
    let all = enrich("SELECT *, bytes * 2 AS doubled FROM events");
    let feature = faults(&format!("{all}[features]\nx = {{ sum = \"duobled\", over = \"1m\" }}"));
    assert_eq!(feature, ["[features] x: no column `duobled`; did you mean `doubled`?"]);
    let input = faults(&format!("{all}[detect.spike]\nmethod = \"robust_zscore\"\ninputs = [\"errrors\"]"));
    assert_eq!(input, ["[detect.spike] inputs: no column or feature `errrors`; did you mean `errors`?"]);
    let query = faults(&enrich("SELECT *, byts FROM events"));
    assert_eq!(query.len(), 1);
    assert!(query[0].starts_with("[enrich] query: ") && query[0].contains("`bytes`"), "{query:?}");
    let condition = faults(&format!("{all}[decide.types.big]\nwhen = \"byts > 3\""));
    assert_eq!(condition.len(), 1);
    assert!(condition[0].starts_with("[decide.types.big] when: ") && condition[0].contains("`bytes`"), "{condition:?}");
}

#[test]
fn a_name_that_resembles_nothing_is_answered_with_what_there_is() {
    let rest =
        format!("{}[features]\nx = {{ sum = \"qqq\", over = \"1m\" }}", enrich("SELECT host, bytes, id FROM events"));
    assert_eq!(faults(&rest), ["[features] x: no column `qqq`; there are: host, bytes, id"]);
}

#[test]
fn text_is_no_input_of_a_detector_unless_it_is_encoded() {
    let all = enrich("SELECT * FROM events");
    let detector = "[detect.spike]\nmethod = \"robust_zscore\"\ninputs = [\"service\"]\n";
    let expected = "[detect.spike] inputs: column `service` is Utf8, not a number; name it in [encode]";
    assert_eq!(faults(&format!("{all}{detector}")), [expected]);
    assert!(try_plan(&format!("{HEAD}{all}[encode]\nservice = \"one_hot\"\n{detector}"), &[]).is_ok());
    let feature = faults(&format!("{all}[features]\nx = {{ mean = \"service\", over = \"1m\" }}"));
    assert_eq!(feature, ["[features] x: column `service` is Utf8, not a number"]);
}

#[test]
fn a_query_that_drops_the_key_or_the_id_is_refused() {
    let found = faults(&enrich("SELECT at, bytes FROM events"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("[source] key = \"host\": the enrich query drops this column; "), "{found:?}");
    assert!(found[1].starts_with("[source] id = \"id\": the enrich query drops this column; "), "{found:?}");
}

#[test]
fn all_faults_are_listed_at_once() {
    let rest = format!(
        "{}[features]\na = {{ sum = \"byts\", over = \"1m\" }}\nb = {{ mean = \"service\", over = \"1m\" }}\n\
         [detect.spike]\nmethod = \"robust_zscore\"\ninputs = [\"error\", \"service\"]\n\
         [decide.types.big]\nwhen = \"byte > 3\"\n[decide.types.odd]\nwhen = \"bytes +\"\n",
        enrich("SELECT host, bytes, errors, service FROM events")
    );
    let found = faults(&rest);
    let places = ["[source] id", "[features] a", "[features] b", "[decide.types.big]", "[decide.types.odd]"];
    for place in places {
        assert_eq!(found.iter().filter(|fault| fault.starts_with(place)).count(), 1, "{place} in {found:#?}");
    }
    assert_eq!(found.iter().filter(|fault| fault.starts_with("[detect.spike] inputs")).count(), 2, "{found:#?}");
    assert_eq!(found.len(), 7, "{found:#?}");
}

#[test]
fn a_query_over_several_events_is_refused_because_batches_would_show() {
    let found = faults(&enrich("SELECT host, id, count(*) AS n FROM events GROUP BY host, id"));
    assert!(found.len() == 1 && found[0].contains("[features]"), "{found:?}");
}

#[test]
fn without_a_query_the_pipeline_file_itself_is_refused() {
    let text = format!(
        "{HEAD}[features]\nx = {{ sum = \"byts\", over = \"1m\" }}\n[detect.s]\nmethod = \"robust_zscore\"\ninputs = [\"errror\"]\n"
    );
    let faults = lapwing_pipeline::settings::Pipeline::parse(&text, "small.toml").unwrap_err();
    let hints: Vec<&str> = faults.list().iter().filter_map(|fault| fault.hint.as_deref()).collect();
    assert_eq!(hints, ["did you mean `bytes`?", "did you mean `errors`?"]);
}

#[test]
fn a_model_that_was_trained_with_other_columns_is_refused_with_the_difference() {
    let full = plan(&format!("{HEAD}{FULL}"), &hosts(HOSTS));
    let model = fitted(&full, &hosts(HOSTS), 4);
    let other = plan(&format!("{HEAD}{DETECT}"), &[]);
    let mut hand = by_hand(&other, &[], Some(model));
    let error = hand.feed(&[ordinary(1, 1)[0].json()]).unwrap_err();
    assert!(matches!(&error, RunError::Score { model, .. } if model == "small@4"), "{error}");
    let text = error.to_string();
    let (missing, present) = text.split_once("(the batch has").expect("both sides are named");
    assert!(["`weighted_vs_usual`", "`weighted_5m`", "`doubled`"].iter().all(|name| missing.contains(name)), "{text}");
    assert!(present.contains("`bytes_vs_usual`") && text.contains("hint: train it again"), "{text}");
    assert!(hand.outputs.is_empty());
}

#[test]
fn the_settings_of_every_scenario_are_checked_like_any_other() {
    let resolved = settings(&format!("{HEAD}{DETECT}"), std::path::Path::new("")).resolved();
    assert_eq!(settings(&resolved, std::path::Path::new("")).resolved(), resolved);
}
