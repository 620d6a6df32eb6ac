//! The scenario of card payments tells the stories it promises.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use lapwing_produce::transactions::schema::{
    AMOUNT, CATEGORY, COLUMNS, COUNTRY, CUSTOMER_ID, ID, LABEL, TERMINAL_ID, UTC,
};
use lapwing_produce::transactions::{AnomalyKind, AnomalyOptions};
use lapwing_produce::{ProduceError, Produced, Transactions, TransactionsOptions, Volume};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE};
use serde_json::Value;

/// Twelve days from a first of the month on, with many anomalies, but hardly two that befall the same customer.
fn busy() -> TransactionsOptions {
    TransactionsOptions {
        customers: 4_000,
        terminals: 300,
        start: EventTime::parse("2026-06-01T00:00:00Z").unwrap(),
        span_micros: 12 * DAY,
        volume: Volume::Total(30_000),
        anomalies: anomalies(0.08),
        ..TransactionsOptions::default()
    }
}

fn anomalies(share: f64) -> AnomalyOptions {
    AnomalyOptions { share, kinds: AnomalyKind::ALL.to_vec() }
}

fn events(options: TransactionsOptions) -> Vec<Produced> {
    Transactions::new(options).unwrap().collect()
}

fn json(event: &Produced) -> Value {
    serde_json::from_slice(&event.value).unwrap()
}

/// One payment, read back.
#[derive(Clone, Debug)]
struct Row {
    time: i64,
    customer: String,
    terminal: String,
    category: String,
    country: String,
    amount: f64,
    place: (f64, f64),
    is_online: bool,
    label: String,
}

impl Row {
    fn read(event: &Produced) -> Self {
        let row = json(event);
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        let number = |field: &str| row[field].as_f64().unwrap();
        Self {
            time: event.time.0,
            customer: text(CUSTOMER_ID),
            terminal: text(TERMINAL_ID),
            category: text(CATEGORY),
            country: text(COUNTRY),
            amount: number(AMOUNT),
            place: (number("latitude"), number("longitude")),
            is_online: row["card_present"] == false,
            label: text(LABEL),
        }
    }
}

/// Great-circle distance by the spherical law of cosines, another formula than the scenario's. Units: kilometres.
fn kilometres(one: (f64, f64), other: (f64, f64)) -> f64 {
    let (a, b) = (one.0.to_radians(), other.0.to_radians());
    let turn = (other.1 - one.1).to_radians();
    6_371.0 * (a.sin() * b.sin() + a.cos() * b.cos() * turn.cos()).clamp(-1.0, 1.0).acos()
}

fn rows(options: TransactionsOptions) -> Vec<Row> {
    events(options).iter().map(Row::read).collect()
}

/// The busy days: many stories, told once for all tests that look for one.
static BUSY: LazyLock<Vec<Row>> = LazyLock::new(|| rows(busy()));

/// Payments of a label by customer, in the order of their times.
fn by_customer<'a>(rows: &'a [Row], label: &str) -> BTreeMap<&'a str, Vec<&'a Row>> {
    let mut groups: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.label == label) {
        groups.entry(&row.customer).or_default().push(row);
    }
    groups
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn lasting(story: &[&Row]) -> i64 {
    story[story.len() - 1].time - story[0].time
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let options = TransactionsOptions { volume: Volume::Total(3_000), ..busy() };
    let first = events(options.clone());
    assert!(first == events(options.clone()));
    assert!(first != events(TransactionsOptions { seed: 8, ..options }));
}

#[test]
fn the_first_lines_are_the_golden_ones() {
    let first = Transactions::new(TransactionsOptions::default()).unwrap().take(3);
    let lines: Vec<String> = first.map(|event| String::from_utf8(event.value).unwrap()).collect();
    assert_eq!(lines.join("\n") + "\n", include_str!("golden/transactions.jsonl"));
}

#[test]
fn every_event_is_json_with_every_field() {
    let mut ids = HashSet::new();
    for event in events(TransactionsOptions { volume: Volume::Total(5_000), ..busy() }) {
        let row = json(&event);
        let object = row.as_object().unwrap();
        assert_eq!(object.len(), COLUMNS.len());
        for field in COLUMNS {
            assert!(object.get(field).is_some_and(|value| !value.is_null()), "{field}");
        }
        assert_eq!(EventTime::parse(row[UTC].as_str().unwrap()), Some(event.time));
        assert_eq!(row[CUSTOMER_ID].as_str().unwrap().as_bytes(), event.key.as_deref().unwrap());
        assert_eq!(row[LABEL], event.label.name());
        assert_eq!(row["card_present"] == false, row["channel"] == "online");
        assert!(row[AMOUNT].as_f64().unwrap() > 0.0);
        assert!(ids.insert(row[ID].to_string()));
    }
}

#[test]
fn events_come_in_the_order_of_their_times_within_the_span() {
    let options = busy();
    let mut before = options.start;
    for event in events(options) {
        assert!(event.time >= before, "{}", event.time);
        before = event.time;
    }
}

#[test]
fn a_total_is_met_exactly_and_fills_the_span() {
    let options = busy();
    let events = events(options.clone());
    assert_eq!(events.len(), 30_000);
    let last = events.last().unwrap().time;
    assert!((last.0 - options.end().0).abs() < options.span_micros / 8, "{last}");
}

#[test]
fn a_rate_holds_over_a_month() {
    let options = TransactionsOptions {
        customers: 500,
        span_micros: 30 * DAY,
        volume: Volume::PerSecond(0.01),
        ..TransactionsOptions::default()
    };
    let expected = 0.01 * 30.0 * 86_400.0;
    let seen = events(options).len() as f64;
    // Journeys and resting cards take some two in a hundred.
    assert!((0.93..1.03).contains(&(seen / expected)), "{seen} of {expected}");
}

#[test]
fn the_share_of_anomalies_is_as_asked_for_and_every_kind_has_its_part() {
    for share in [0.0, 0.01, 0.08] {
        let options = TransactionsOptions { volume: Volume::Total(60_000), anomalies: anomalies(share), ..busy() };
        let events = events(TransactionsOptions { customers: 1_500, span_micros: 30 * DAY, ..options });
        let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
        for event in events.iter().filter(|event| event.label.is_anomaly()) {
            *counts.entry(event.label.name()).or_default() += 1.0;
        }
        let seen: f64 = counts.values().sum::<f64>() / events.len() as f64;
        assert!((seen - share).abs() <= 0.25 * share, "{seen} for {share}: {counts:?}");
        let least = if share > 0.0 { 0.1 * share * events.len() as f64 } else { 0.0 };
        let has_part = |kind: AnomalyKind| counts.get(kind.name()).copied().unwrap_or(0.0) >= least;
        assert!(AnomalyKind::ALL.into_iter().all(has_part), "{counts:?}");
    }
}

#[test]
fn only_the_kinds_asked_for_happen_and_none_in_the_quiet_part() {
    let anomalies = AnomalyOptions { share: 0.05, kinds: vec![AnomalyKind::StolenCard] };
    let options = TransactionsOptions { anomalies, quiet_micros: 5 * DAY, ..busy() };
    let turn = options.start.0 + 5 * DAY;
    let found: Vec<Row> = rows(options).into_iter().filter(|row| row.label != "normal").collect();
    assert!(found.len() > 200, "{}", found.len());
    assert!(found.iter().all(|row| row.label == "stolen_card" && row.time >= turn));
}

#[test]
fn days_are_busier_than_nights_and_paydays_than_other_days() {
    let options = TransactionsOptions { anomalies: anomalies(0.0), volume: Volume::Total(40_000), ..busy() };
    let start = options.start.0;
    let mut hours = [0_u32; 24];
    let mut days = [0_u32; 12];
    for row in rows(options) {
        hours[(row.time.rem_euclid(DAY) / HOUR) as usize] += 1;
        days[((row.time - start) / DAY).min(11) as usize] += 1;
    }
    assert!(hours[13] > 2 * hours[2], "{hours:?}");
    // June 1 and 8 are Mondays; a third of the customers have their money on the 1st.
    assert!(f64::from(days[0]) > 1.08 * f64::from(days[7]), "{days:?}");
}

#[test]
fn customers_differ_in_level_travel_and_return() {
    let options = TransactionsOptions { customers: 100, span_micros: 60 * DAY, anomalies: anomalies(0.0), ..busy() };
    let rows = rows(options);
    let groups = by_customer(&rows, "normal");
    let middles: Vec<f64> = groups.values().map(|rows| median(rows.iter().map(|row| row.amount).collect())).collect();
    let (least, most) = middles.iter().fold((f64::MAX, 0.0_f64), |(low, high), one| (low.min(*one), high.max(*one)));
    assert!(most > 3.0 * least, "{least} to {most}");
    let has_travelled = |rows: &&Vec<&Row>| {
        let home = rows.iter().max_by_key(|one| rows.iter().filter(|row| is_near(one, row)).count()).unwrap();
        let away = rows.iter().filter(|row| !row.is_online && !is_near(home, row)).count();
        away > 2 && is_near(home, rows[rows.len() - 1])
    };
    let travellers = groups.values().filter(has_travelled).count();
    assert!((20..90).contains(&travellers), "{travellers}");
}

fn is_near(one: &Row, other: &Row) -> bool {
    kilometres(one.place, other.place) < 100.0
}

#[test]
fn terminals_are_replaced_by_new_ones() {
    let options = TransactionsOptions { span_micros: 60 * DAY, anomalies: anomalies(0.0), ..busy() };
    let turn = options.start.0 + 30 * DAY;
    let mut first: HashMap<String, i64> = HashMap::new();
    for row in rows(options) {
        first.entry(row.terminal).or_insert(row.time);
    }
    let replaced = first.iter().filter(|(id, time)| id.split('-').count() == 3 && **time > turn).count();
    assert!((4..60).contains(&replaced), "{replaced} of {}", first.len());
}

#[test]
fn the_shipped_reference_table_has_every_country() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines/reference/countries.csv");
    let shipped = std::fs::read_to_string(path).unwrap();
    let known: HashSet<&str> = shipped.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    let seen: HashSet<&str> = BUSY.iter().map(|row| row.country.as_str()).collect();
    assert!(seen.len() >= 8, "{seen:?}");
    assert_eq!(seen.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn card_testing_is_many_tiny_payments_online_within_an_hour() {
    let rows = &*BUSY;
    let stories = by_customer(rows, "card_testing");
    assert!(stories.len() >= 5);
    for story in stories.values() {
        assert!(story.len() >= 8 && lasting(story) <= HOUR, "{} in {}", story.len(), lasting(story) / MINUTE);
        assert!(story.iter().all(|row| row.is_online && row.amount < 12.0));
        assert!(median(story.iter().map(|row| row.amount).collect()) < 3.5);
        let terminals: HashSet<&str> = story.iter().map(|row| row.terminal.as_str()).collect();
        assert!(terminals.len() <= 4);
    }
}

#[test]
fn a_stolen_card_buys_what_can_be_resold_for_more_than_usual_within_hours() {
    let rows = &*BUSY;
    let stories = by_customer(rows, "stolen_card");
    assert!(stories.len() >= 8);
    let usual = median(rows.iter().filter(|row| row.label == "normal").map(|row| row.amount).collect());
    let spent: Vec<f64> = stories.values().flatten().map(|row| row.amount).collect();
    assert!(median(spent) > 4.0 * usual);
    for story in stories.values() {
        assert!((5..=12).contains(&story.len()) && lasting(story) <= 6 * HOUR);
        assert!(story.iter().all(|row| is_near(story[0], row)), "in one city");
    }
    let resold = ["electronics", "clothing", "travel", "fuel"];
    let all: Vec<&&Row> = stories.values().flatten().collect();
    let bought = all.iter().filter(|row| resold.contains(&row.category.as_str())).count() as f64;
    // A small world has not every shop in every city, and fuel is not sold online.
    assert!(bought > 0.75 * all.len() as f64, "{bought} of {}", all.len());
}

#[test]
fn impossible_travel_is_faster_than_any_airliner() {
    let rows = &*BUSY;
    let stories = by_customer(rows, "impossible_travel");
    assert!(stories.len() >= 8);
    for (customer, story) in stories {
        let own = |row: &&Row| row.customer == customer && row.label == "normal" && !row.is_online;
        let before = rows.iter().filter(own).rfind(|row| row.time < story[0].time).unwrap();
        let far = kilometres(before.place, story[0].place);
        let hours = (story[0].time - before.time) as f64 / HOUR as f64;
        assert!(far > 900.0 && far / hours > 1_000.0, "{customer}: {far} km in {hours} h");
        assert!(story.iter().all(|row| !row.is_online && is_near(story[0], row)));
    }
}

#[test]
fn copies_of_cards_come_from_terminals_that_several_victims_used() {
    let rows = &*BUSY;
    let victims = by_customer(rows, "compromised_terminal");
    assert!(victims.len() >= 20, "{}", victims.len());
    let mut visits: HashMap<&str, HashSet<&str>> = HashMap::new();
    for row in rows.iter().filter(|row| row.label == "normal" && !row.is_online) {
        if victims.get(row.customer.as_str()).is_some_and(|story| row.time < story[0].time) {
            visits.entry(&row.terminal).or_default().insert(&row.customer);
        }
    }
    // Few terminals explain most victims: each time the one that explains the most of those left.
    let mut left: HashSet<&str> = victims.keys().copied().collect();
    let mut terminals = 0;
    while left.len() * 2 > victims.len() {
        let explains = |seen: &HashSet<&str>| seen.intersection(&left).count();
        let most = visits.values().max_by_key(|seen| explains(seen)).unwrap();
        left = left.difference(most).copied().collect();
        terminals += 1;
    }
    assert!(terminals * 4 <= victims.len(), "{terminals} terminals for half of {} victims", victims.len());
    // Those that begin in the last day and a half are cut off by the end of the stream.
    let end = rows[rows.len() - 1].time - 36 * HOUR;
    let is_whole = |story: &&Vec<&Row>| story[0].time < end;
    assert!(
        victims.values().filter(is_whole).all(|story| (2..=5).contains(&story.len()) && lasting(story) <= 36 * HOUR)
    );
}

#[test]
fn a_slow_drain_goes_on_for_days_at_one_or_two_sellers() {
    let rows = rows(TransactionsOptions { span_micros: 24 * DAY, ..busy() });
    let end = rows[rows.len() - 1].time - 10 * DAY;
    let stories = by_customer(&rows, "slow_drain");
    let whole: Vec<&Vec<&Row>> = stories.values().filter(|story| story[0].time < end).collect();
    assert!(whole.len() >= 5, "{}", whole.len());
    for story in whole {
        assert!((10..=30).contains(&story.len()) && lasting(story) > 36 * HOUR && lasting(story) <= 10 * DAY);
        // A seller's terminal may be replaced meanwhile, but its number stays.
        let sellers: HashSet<&str> = story.iter().map(|row| &row.terminal[..13]).collect();
        assert!(sellers.len() <= 2 && story.iter().all(|row| row.is_online));
    }
}

#[test]
fn a_misused_card_rests_afterwards_for_half_a_day() {
    let rows = &*BUSY;
    for (customer, story) in by_customer(rows, "stolen_card") {
        let end = story[story.len() - 1].time;
        let is_early = |row: &&Row| row.customer == customer && (1..12 * HOUR).contains(&(row.time - end));
        assert_eq!(rows.iter().filter(is_early).count(), 0, "{customer}");
    }
}

#[test]
fn a_stream_without_end_goes_on() {
    let options = TransactionsOptions {
        customers: 50,
        span_micros: i64::MAX,
        volume: Volume::PerSecond(0.002),
        anomalies: anomalies(0.2),
        ..TransactionsOptions::default()
    };
    let later = EventTime(options.start.0 + 200 * DAY);
    let is_late_anomaly = |event: &Produced| event.time > later && event.label.is_anomaly();
    assert!(Transactions::new(options).unwrap().take(60_000).any(|event| is_late_anomaly(&event)));
}

#[test]
fn senseless_options_are_refused_by_name() {
    let cases = [
        ("customers", TransactionsOptions { customers: 0, ..busy() }),
        ("terminals", TransactionsOptions { terminals: 99, ..busy() }),
        ("span", TransactionsOptions { span_micros: 0, ..busy() }),
        ("span", TransactionsOptions { span_micros: i64::MAX, ..busy() }),
        ("events per second", TransactionsOptions { volume: Volume::PerSecond(f64::NAN), ..busy() }),
        ("quiet", TransactionsOptions { quiet_micros: -1, ..busy() }),
        ("anomaly share", TransactionsOptions { anomalies: anomalies(0.6), ..busy() }),
    ];
    for (name, options) in cases {
        let refused = Transactions::new(options).map(|_| ()).unwrap_err();
        assert!(matches!(refused, ProduceError::Option { option, .. } if option == name), "{name}: {refused}");
    }
}
