//! The scenario tells the story it promises.

use std::collections::{BTreeMap, HashMap, HashSet};

use lapwing_produce::schema::{DST_IP, DST_PORT, FEATURES, HOST_ID, INDEX, LABEL, SEQUENCE_ID, SRC_IP, UTC, UUID};
use lapwing_produce::telemetry::{DEFAULT_HOSTS, DEFAULT_SEED};
use lapwing_produce::{
    AnomalyKind, AnomalyOptions, Label, ProduceError, Produced, Telemetry, TelemetryOptions, Volume, hosts_csv,
};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};
use serde_json::Value;

fn events(options: TelemetryOptions) -> Vec<Produced> {
    Telemetry::new(options).unwrap().collect()
}

fn busy() -> TelemetryOptions {
    TelemetryOptions {
        hosts: 100,
        span_micros: 2 * HOUR,
        volume: Volume::Total(16_000),
        anomalies: AnomalyOptions { share: 0.1, ..AnomalyOptions::default() },
        ..TelemetryOptions::default()
    }
}

fn json(event: &Produced) -> Value {
    serde_json::from_slice(&event.value).unwrap()
}

/// Events of a stream by their label.
fn by_label(events: &[Produced]) -> BTreeMap<String, Vec<Value>> {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in events {
        groups.entry(event.label.name().to_owned()).or_default().push(json(event));
    }
    groups
}

fn mean(rows: &[Value], field: &str) -> f64 {
    rows.iter().map(|row| row[field].as_f64().unwrap()).sum::<f64>() / rows.len() as f64
}

fn share(rows: &[Value], holds: impl Fn(&Value) -> bool) -> f64 {
    rows.iter().filter(|row| holds(row)).count() as f64 / rows.len() as f64
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let options = TelemetryOptions { volume: Volume::Total(3_000), ..busy() };
    let first = events(options.clone());
    assert!(first == events(options.clone()));
    assert!(first != events(TelemetryOptions { seed: 8, ..options }));
}

#[test]
fn every_event_is_json_with_every_field() {
    let frame = [UTC, UUID, SEQUENCE_ID, INDEX, HOST_ID, SRC_IP, DST_IP, DST_PORT, LABEL];
    let mut ids = HashSet::new();
    let mut sequences: HashMap<String, u64> = HashMap::new();
    for (index, event) in events(TelemetryOptions { volume: Volume::Total(5_000), ..busy() }).iter().enumerate() {
        let row = json(event);
        let object = row.as_object().unwrap();
        assert_eq!(object.len(), frame.len() + FEATURES.len());
        for field in frame.iter().chain(&FEATURES) {
            assert!(object.get(*field).is_some_and(|value| !value.is_null()), "{field}");
        }
        assert_eq!(EventTime::parse(row[UTC].as_str().unwrap()), Some(event.time));
        assert_eq!(row[HOST_ID].as_str().unwrap().as_bytes(), event.key.as_deref().unwrap());
        assert_eq!(row[LABEL], event.label.name());
        assert_eq!(row[INDEX], index);
        assert!(ids.insert(row[UUID].to_string()));
        let sequence = sequences.entry(row[HOST_ID].to_string()).or_default();
        *sequence += 1;
        assert_eq!(row[SEQUENCE_ID], *sequence);
    }
}

#[test]
fn an_event_takes_about_a_kilobyte() {
    let events = events(TelemetryOptions { volume: Volume::Total(5_000), ..busy() });
    let bytes = events.iter().map(|event| event.value.len()).sum::<usize>() as f64 / events.len() as f64;
    assert!((1_000.0..1_280.0).contains(&bytes), "{bytes}");
}

#[test]
fn a_total_is_met_exactly_and_fills_the_span() {
    let options = TelemetryOptions { volume: Volume::Total(12_345), ..busy() };
    let events = events(options.clone());
    assert_eq!(events.len(), 12_345);
    let last = events.iter().map(|event| event.time).max().unwrap();
    assert!((last.0 - options.end().0).abs() < options.span_micros / 20, "{last}");
}

#[test]
fn a_rate_holds_over_a_week() {
    let options = TelemetryOptions {
        hosts: 50,
        span_micros: 7 * DAY,
        volume: Volume::PerSecond(0.05),
        ..TelemetryOptions::default()
    };
    let expected = 0.05 * 7.0 * 86_400.0;
    let seen = events(options).len() as f64;
    assert!((seen / expected - 1.0).abs() < 0.05, "{seen} of {expected}");
}

#[test]
fn the_share_of_anomalies_is_as_asked_for() {
    for share in [0.0, 0.01, 0.1] {
        let anomalies = AnomalyOptions { share, ..AnomalyOptions::default() };
        let events = events(TelemetryOptions { anomalies, ..busy() });
        let seen = events.iter().filter(|event| event.label.is_anomaly()).count() as f64 / events.len() as f64;
        assert!((seen - share).abs() <= 0.2 * share, "{seen} for {share}");
    }
}

#[test]
fn the_quiet_part_has_no_anomaly_and_the_rest_has() {
    let options = TelemetryOptions { quiet_micros: HOUR, ..busy() };
    let turn = EventTime(options.start.0 + HOUR);
    let events = events(options);
    let anomalies: Vec<&Produced> = events.iter().filter(|event| event.label.is_anomaly()).collect();
    assert!(anomalies.len() > 500);
    assert!(anomalies.iter().all(|event| event.time >= turn));
}

#[test]
fn events_come_in_order_but_for_the_stated_disorder() {
    let options = TelemetryOptions { disorder_micros: 3 * SECOND, ..busy() };
    let (start, mut latest, mut behind) = (options.start, options.start, 0);
    for event in events(options) {
        assert!(event.time >= start);
        assert!(latest.0 - event.time.0 <= 3 * SECOND, "{}", event.time);
        behind += u32::from(event.time < latest);
        latest = latest.max(event.time);
    }
    assert!(behind > 1_000, "some disorder there is: {behind}");
    let ordered = events_without_disorder();
    assert!(ordered.windows(2).all(|pair| pair[0].time <= pair[1].time));
}

fn events_without_disorder() -> Vec<Produced> {
    events(TelemetryOptions { disorder_micros: 0, volume: Volume::Total(5_000), ..busy() })
}

#[test]
fn days_are_busier_than_nights_and_weekdays_than_weekends() {
    let options = TelemetryOptions {
        hosts: 200,
        start: EventTime::parse("2026-03-02T00:00:00Z").unwrap(),
        span_micros: 7 * DAY,
        volume: Volume::Total(30_000),
        ..TelemetryOptions::default()
    };
    let start = options.start.0;
    let mut hours = [0_u32; 24];
    let mut days = [0_u32; 7];
    for event in events(options) {
        hours[(event.time.0.rem_euclid(DAY) / HOUR) as usize] += 1;
        days[((event.time.0 - start) / DAY).min(6) as usize] += 1;
    }
    assert!(hours[14] > 2 * hours[2], "{hours:?}");
    assert!(days[2] * 2 > days[5] * 3, "{days:?}");
}

#[test]
fn hosts_differ_in_rate_and_size() {
    let anomalies = AnomalyOptions { share: 0.0, ..AnomalyOptions::default() };
    let telemetry = Telemetry::new(TelemetryOptions { anomalies, ..busy() }).unwrap();
    let roles: HashMap<String, &str> =
        telemetry.hosts().iter().map(|host| (host.id.clone(), host.role.name())).collect();
    let mut rows: HashMap<&str, Vec<Value>> = HashMap::new();
    for event in telemetry {
        let row = json(&event);
        rows.entry(roles[row[HOST_ID].as_str().unwrap()]).or_default().push(row);
    }
    assert!(mean(&rows["web"], "dst_bytes") > 10.0 * mean(&rows["dns"], "dst_bytes"));
    assert!(mean(&rows["dns"], "count") > 5.0 * mean(&rows["workstation"], "count"));
}

#[test]
fn each_kind_of_anomaly_shows_in_its_own_columns() {
    let groups = by_label(&events(busy()));
    let normal = &groups["normal"];
    assert!(mean(normal, "serror_rate") < 0.03 && mean(normal, "rerror_rate") < 0.05);
    assert!(share(normal, |row| row["flag"] == "SF") > 0.93);

    let scan = &groups["port_scan"];
    assert!(mean(scan, "diff_srv_rate") > 0.6 && mean(scan, "rerror_rate") > 0.6);
    assert!(mean(scan, "src_bytes") < 8.0 && mean(scan, "dst_bytes") == 0.0);
    let ports: HashSet<u64> = scan.iter().map(|row| row["dst_port"].as_u64().unwrap()).collect();
    assert!(ports.len() > 50);

    let flood = &groups["syn_flood"];
    assert!(mean(flood, "serror_rate") > 0.9 && mean(flood, "count") > 60.0);
    assert!(flood.iter().all(|row| row["flag"] == "S0" && row["dst_bytes"] == 0));

    let brute = &groups["brute_force"];
    assert!(brute.iter().all(|row| row["num_failed_logins"].as_u64().unwrap() >= 1 && row["logged_in"] == 0));
    assert!(mean(normal, "num_failed_logins") < 0.01);

    let dead = &groups["dead_host"];
    let is_silent = |row: &Value| row["src_bytes"] == 0 && row["dst_bytes"] == 0 && row["duration"] == 0;
    assert!(dead.iter().all(|row| is_silent(row) && (row["flag"] == "S0" || row["flag"] == "REJ")));
    assert!(mean(dead, "serror_rate") + mean(dead, "rerror_rate") > 0.6);
}

#[test]
fn exfiltration_sends_many_times_what_its_host_usually_sends() {
    let rows: Vec<Value> = events(busy()).iter().map(json).collect();
    let mut usual: HashMap<&str, Vec<u64>> = HashMap::new();
    for row in rows.iter().filter(|row| row[LABEL] == "normal") {
        usual.entry(row[HOST_ID].as_str().unwrap()).or_default().push(row["src_bytes"].as_u64().unwrap());
    }
    usual.values_mut().for_each(|sizes| sizes.sort_unstable());
    let stolen: Vec<&Value> = rows.iter().filter(|row| row[LABEL] == "exfiltration").collect();
    assert!(stolen.len() > 20);
    for row in stolen {
        let sizes = &usual[row[HOST_ID].as_str().unwrap()];
        let median = sizes[sizes.len() / 2];
        assert!(row["src_bytes"].as_u64().unwrap() > 8 * median, "{row} median {median}");
    }
}

#[test]
fn anomalous_events_lie_within_a_planned_anomaly_of_their_host() {
    let mut telemetry = Telemetry::new(busy()).unwrap();
    let events: Vec<Produced> = telemetry.by_ref().collect();
    let names: Vec<String> = telemetry.hosts().iter().map(|host| host.id.clone()).collect();
    for event in events.iter().filter(|event| event.label.is_anomaly()) {
        let kind = AnomalyKind::from_name(event.label.name()).unwrap();
        let key = event.key.as_deref().unwrap();
        let is_its = telemetry
            .anomalies()
            .any(|anomaly| anomaly.kind == kind && names[anomaly.host].as_bytes() == key && anomaly.covers(event.time));
        assert!(is_its, "{} {}", event.label.name(), event.time);
    }
}

#[test]
fn a_host_goes_on_with_its_own_events_during_an_attack() {
    let mut telemetry = Telemetry::new(busy()).unwrap();
    let events: Vec<Produced> = telemetry.by_ref().collect();
    let attacks: Vec<_> = telemetry.anomalies().filter(|anomaly| anomaly.kind == AnomalyKind::SynFlood).collect();
    let is_meanwhile = |event: &&Produced| {
        event.label == Label::Normal
            && attacks.iter().any(|attack| {
                attack.covers(event.time) && event.key.as_deref() == Some(telemetry.hosts()[attack.host].id.as_bytes())
            })
    };
    assert!(events.iter().filter(is_meanwhile).count() > 20);
}

#[test]
fn a_stream_without_end_goes_on_into_later_blocks() {
    let options = TelemetryOptions {
        hosts: 20,
        span_micros: i64::MAX,
        volume: Volume::PerSecond(0.5),
        anomalies: AnomalyOptions { share: 0.2, ..AnomalyOptions::default() },
        ..TelemetryOptions::default()
    };
    let later = EventTime(options.start.0 + 12 * HOUR);
    let is_late_anomaly = |event: &Produced| event.time > later && event.label.is_anomaly();
    assert!(Telemetry::new(options).unwrap().take(40_000).any(|event| is_late_anomaly(&event)));
}

#[test]
fn senseless_options_are_refused_by_name() {
    let cases = [
        ("hosts", TelemetryOptions { hosts: 0, ..busy() }),
        ("span", TelemetryOptions { span_micros: 0, ..busy() }),
        ("span", TelemetryOptions { span_micros: i64::MAX, ..busy() }),
        ("events per second", TelemetryOptions { volume: Volume::PerSecond(f64::NAN), ..busy() }),
        ("disorder", TelemetryOptions { disorder_micros: -1, ..busy() }),
        (
            "longest anomaly",
            TelemetryOptions {
                anomalies: AnomalyOptions { longest_micros: MINUTE, ..AnomalyOptions::default() },
                ..busy()
            },
        ),
    ];
    for (name, options) in cases {
        let refused = Telemetry::new(options).map(|_| ()).unwrap_err();
        assert!(matches!(refused, ProduceError::Option { option, .. } if option == name), "{name}: {refused}");
    }
}

#[test]
fn the_shipped_reference_table_is_that_of_the_default_seed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines/reference/hosts.csv");
    let shipped = std::fs::read_to_string(path).unwrap();
    let remedy = "cargo run -p lapwing-produce --example hosts_csv > pipelines/reference/hosts.csv";
    assert!(shipped == hosts_csv(DEFAULT_SEED, DEFAULT_HOSTS), "write it anew: {remedy}");
    assert_eq!(shipped.lines().count(), DEFAULT_HOSTS + 1);
}
