use lapwing_pipeline::by_hand::ByHand;
use lapwing_pipeline::render::{FLAG_FIELD, SCORE_FIELD};
use lapwing_pipeline::status::get;
use serde_json::json as value;

use crate::outputs::{header, json, of_topic, text};
use crate::setup::{DETECT, FULL, HEAD, HOSTS, by_hand, fitted, hosts, plan};
use crate::stream::ordinary;

const AT: &str = "2026-01-01T00:00:00Z";

/// The one enriched record that a value gives.
fn enriched(hand: &mut ByHand, record: &str) -> String {
    hand.outputs.clear();
    hand.feed(&[record]).unwrap();
    let outputs = of_topic(&hand.outputs, "small.enriched");
    assert_eq!(outputs.len(), 1, "{record}");
    text(outputs[0]).to_owned()
}

#[test]
fn fields_and_formatting_of_the_original_survive_and_new_fields_follow() {
    let plan = plan(&format!("{HEAD}{FULL}").replace("features = true", "features = false"), &hosts(HOSTS));
    let mut hand = by_hand(&plan, &hosts(HOSTS), None);
    let original = format!(
        "  {{ \"host\" : \"h4\",\t\"at\":\"{AT}\",\"bytes\":10,\"errors\":1.50,\"service\":\"dns\",\
         \"extra\":{{\"deep\":[1, 2.0,{{}}]}},\"caf\\u00e9\":\"\\\"}}\", \"big\":123456789012345678901234567890 }} \n"
    );
    let kept = original.trim_end().strip_suffix('}').unwrap().trim_end();
    let expected = format!("{kept},\"doubled\":20,\"role\":\"mail\",\"weighted\":30.0}}");
    assert_eq!(enriched(&mut hand, &original), expected);
    assert_eq!(header(&hand.outputs[0], "lapwing.source").as_deref(), Some("events[0]@0"));
    assert_eq!(hand.outputs[0].key.as_deref(), Some(&b"h4"[..]));
}

#[test]
fn what_has_no_match_in_the_table_or_no_value_is_null() {
    let plan = plan(&format!("{HEAD}{FULL}").replace("features = true", "features = false"), &hosts(HOSTS));
    let mut hand = by_hand(&plan, &hosts(HOSTS), None);
    let record = format!(r#"{{"host":"nobody","at":"{AT}","service":"dns"}}"#);
    let expected = format!("{},\"doubled\":null,\"role\":null,\"weighted\":null}}", record.strip_suffix('}').unwrap());
    assert_eq!(enriched(&mut hand, &record), expected);
}

#[test]
fn score_and_flag_are_those_of_the_alert() {
    let plan = plan(&format!("{HEAD}{DETECT}"), &[]);
    let mut hand = by_hand(&plan, &[], Some(fitted(&plan, &[], 1)));
    let mut events = ordinary(300, 9);
    events[250].errors = 5.0;
    let alerts = hand.feed(&events.iter().map(|event| event.json()).collect::<Vec<_>>()).unwrap();
    let rows: Vec<_> = of_topic(&hand.outputs, "small.enriched").into_iter().map(json).collect();
    assert_eq!(rows.len(), 300);
    let flagged: Vec<usize> = (0..300).filter(|row| rows[*row][FLAG_FIELD] == value!(true)).collect();
    assert_eq!(flagged, alerts.iter().map(|alert| alert.positions[0].offset as usize).collect::<Vec<_>>());
    assert!(flagged.contains(&250));
    for alert in &alerts {
        assert_eq!(rows[alert.positions[0].offset as usize][SCORE_FIELD], value!(alert.score));
    }
    assert!(rows.iter().all(|row| row[SCORE_FIELD].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score))));
}

#[test]
fn without_a_model_or_with_scores_off_there_are_no_score_fields() {
    let record = String::from_utf8(ordinary(1, 1)[0].json()).unwrap();
    let on = plan(&format!("{HEAD}{DETECT}"), &[]);
    assert_eq!(enriched(&mut by_hand(&on, &[], None), &record), record);
    let off = plan(&format!("{HEAD}{DETECT}\n[outputs]\nscores = false"), &[]);
    assert_eq!(enriched(&mut by_hand(&off, &[], Some(fitted(&off, &[], 1))), &record), record);
}

#[test]
fn a_nested_field_is_a_column_and_stays_where_it_was() {
    let nested = HEAD.replace("bytes = \"int\"", "bytes = { type = \"int\", path = \"net.sent.bytes\" }");
    let query = "[enrich]\nquery = \"SELECT e.*, e.bytes + 1 AS more FROM events e\"\n";
    let plan = plan(&format!("{nested}{query}"), &[]);
    let record = format!(r#"{{"net":{{"sent":{{"bytes":41,"x":[]}}}},"bytes":7,"host":"a","at":"{AT}"}}"#);
    let expected = format!("{},\"more\":42}}", record.strip_suffix('}').unwrap());
    assert_eq!(enriched(&mut by_hand(&plan, &[], None), &record), expected);
}

#[test]
fn a_query_without_wildcard_renders_its_columns_and_no_others() {
    let query = "[enrich]\nquery = \"SELECT host, bytes * 8 AS bits, upper(service) AS service, id FROM events\"\n";
    let plan = plan(&format!("{HEAD}{query}"), &[]);
    let record = format!(r#"{{"id":"a\"b","extra":1,"host":"h1","at":"{AT}","bytes":3,"service":"dns"}}"#);
    let expected = r#"{"host":"h1","bits":24,"service":"DNS","id":"a\"b"}"#;
    assert_eq!(enriched(&mut by_hand(&plan, &[], None), &record), expected);
}

#[test]
fn a_field_that_the_query_excludes_or_replaces_does_not_pass_through() {
    let told = |columns: &str| {
        let query = format!("[enrich]\nquery = \"SELECT {columns} FROM events e\"\n");
        let record = format!(r#"{{"id":"e1","host":"h1","at":"{AT}","bytes":3,"errors":0.5,"service":"secret"}}"#);
        let text = enriched(&mut by_hand(&plan(&format!("{HEAD}{query}"), &[]), &[], None), &record);
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let at = "2026-01-01T00:00:00.000000Z";
    let without = value!({"id": "e1", "host": "h1", "at": at, "bytes": 3, "errors": 0.5});
    assert_eq!(told("* EXCEPT (service)"), without);
    assert_eq!(told("e.* EXCLUDE (service)"), without);
    let mut other = without;
    other["service"] = value!("none");
    assert_eq!(told("* REPLACE ('none' AS service)"), other);
}

#[test]
fn csv_records_render_as_json() {
    let csv = "format = \"csv\"\ncsv = { header = false, columns = [\"at\", \"host\", \"bytes\", \"errors\", \"id\", \"service\"] }";
    let head = HEAD.replace("key = \"host\"", &format!("key = \"host\"\n{csv}"));
    let query = "[enrich]\nquery = \"SELECT e.*, bytes * 2 AS doubled FROM events e\"\n";
    let plan = plan(&format!("{head}{query}"), &[]);
    let record = "2026-01-01T00:00:00Z,\"a, \"\"b\"\"\",5,,e1,dns";
    let found: serde_json::Value = serde_json::from_str(&enriched(&mut by_hand(&plan, &[], None), record)).unwrap();
    let expected = value!({
        "id": "e1", "host": "a, \"b\"", "at": "2026-01-01T00:00:00.000000Z", "bytes": 5, "errors": null,
        "service": "dns", "doubled": 10
    });
    assert_eq!(found, expected);
}

#[test]
fn features_are_written_if_asked_for_and_a_missing_one_is_null() {
    let features =
        "[features]\nevents_1m = { count = \"*\", over = \"1m\" }\nbytes_5m = { mean = \"bytes\", over = \"5m\" }\n";
    let plan = plan(&format!("{HEAD}{features}[outputs]\nfeatures = true\n"), &[]);
    let mut hand = by_hand(&plan, &[], None);
    let record = |bytes: &str| format!(r#"{{"host":"a","at":"{AT}","bytes":{bytes}}}"#);
    let ending = |found: String| found.rsplit_once("},").map_or(found.clone(), |(_, ending)| ending.to_owned());
    let told = |hand: &mut ByHand, bytes: &str| {
        let found = enriched(hand, &record(bytes));
        ending(found)[record(bytes).len() - 1..].to_owned()
    };
    assert_eq!(told(&mut hand, "null"), r#","events_1m":1.0,"bytes_5m":null}"#);
    assert_eq!(told(&mut hand, "10"), r#","events_1m":2.0,"bytes_5m":10.0}"#);
    assert_eq!(told(&mut hand, "20"), r#","events_1m":3.0,"bytes_5m":15.0}"#);
}

#[test]
fn a_query_may_compute_what_no_stage_reads() {
    let query = "[enrich]\nquery = \"SELECT *, bytes * 2 AS doubled, upper(service) AS loud FROM events\"\n";
    let features = "[features]\nerrors_1h = { max = \"errors\", over = \"1h\" }\n";
    let plan = plan(&format!("{HEAD}{query}{features}[outputs]\nenriched = false\n"), &[]);
    assert!(plan.decode.schema.field("service").is_none(), "only what is used is decoded");
    let mut hand = by_hand(&plan, &[], None);
    hand.feed(&[ordinary(1, 1)[0].json()]).unwrap();
    assert_eq!(get(&hand.status.processed), 1);
}

#[test]
fn nothing_is_written_when_enriched_output_is_off() {
    let plan = plan(&format!("{HEAD}{DETECT}\n[outputs]\nenriched = false"), &[]);
    let mut hand = by_hand(&plan, &[], Some(fitted(&plan, &[], 1)));
    let mut events = ordinary(200, 9);
    events[150].errors = 5.0;
    let alerts = hand.feed(&events.iter().map(|event| event.json()).collect::<Vec<_>>()).unwrap();
    assert_eq!(get(&hand.status.processed), 200);
    assert!(!alerts.is_empty());
    assert!(hand.outputs.iter().all(|record| &*record.topic == "small.alerts"));
    assert_eq!(hand.outputs.len(), alerts.len());
}
