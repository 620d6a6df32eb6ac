use std::collections::BTreeMap;
use std::ops::Range;

use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::port::{OutputRecord, Producer, Topics};

use super::outputs::{field, topic_values};

/// Payments, the logins around them, and who their users and merchants are.
const STAGES: &str = r#"
[schema]
id = "text"
user = "text"
merchant = "text"
at = "time"

[join.logins]
topic = "SOURCE-logins"
key = "user"
time = "at"
before = "30s"
after = "10s"
schema = { user = "text", at = "time", n = "int" }

[join.users]
topic = "SOURCE-users"
key = "user"
table = true
schema = { user = "text", country = "text" }

[join.merchants]
topic = "SOURCE-merchants"
key = "merchant"
on = "merchant"
table = true
schema = { merchant = "text", kind = "text" }

[enrich]
query = "SELECT e.*, coalesce(e.users_country, 'nowhere') || '/' || e.merchants_kind AS place FROM events e"

[features]
payments_1m = { count = "*", over = "1m" }

[detect.forest]
method = "isolation_forest"
inputs = ["payments_1m", "logins_n"]
trees = 5
"#;

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000;
/// Units: microseconds.
const SECOND: i64 = 1_000_000;
const PAYMENTS: i64 = 3_000;
const LOGINS: i64 = 1_200;
const USERS: i64 = 40;
const MERCHANTS: i64 = 10;
const PARTITIONS: usize = 4;

/// A pipeline with two joined tables and a joined stream, its topics named after `source`.
pub(crate) struct JoinedWorld {
    pub(crate) source: String,
    /// The `[connect]` section.
    pub(crate) connect: String,
}

impl JoinedWorld {
    pub(crate) fn text(&self) -> String {
        let Self { source, connect } = self;
        let head = "name = \"joined\"\nmax_batch_events = 20\ncommit_interval = \"1ms\"\n";
        // An hour of disorder: on a slow machine a lane may be behind the others by all it has.
        let keys = "key = \"user\"\ntime = \"at\"\nid = \"id\"\nwatermark = \"1h\"\n";
        let outputs =
            ["alerts", "enriched", "dead_letters", "late"].map(|role| format!("{role} = \"{source}.{role}\""));
        let state = "[state]\npath = \"state\"\nsnapshot_interval = \"50ms\"\n[models]\npath = \"models\"\n";
        let stages = STAGES.replace("SOURCE", source);
        format!(
            "{head}[source]\ntopic = \"{source}\"\ngroup = \"{source}\"\n{keys}{stages}[outputs]\n{}\n[topics]\n\
             partitions = {PARTITIONS}\n{state}{connect}",
            outputs.join("\n")
        )
    }

    pub(crate) fn enriched(&self) -> String {
        format!("{}.enriched", self.source)
    }

    pub(crate) fn produce_tables(&self, producer: &mut dyn Producer) {
        let users = (0..USERS - 5).map(|user| {
            let value = format!(r#"{{"user":"u{user}","country":"c{}"}}"#, user % 7);
            self.record("-users", &format!("u{user}"), value)
        });
        // A user that was there, and is no more.
        let gone = self.record("-users", "u0", String::new());
        let merchants = (0..MERCHANTS).map(|merchant| {
            let value = format!(r#"{{"merchant":"m{merchant}","kind":"k{}"}}"#, merchant % 3);
            self.record("-merchants", &format!("m{merchant}"), value)
        });
        append(producer, users.chain([gone]).chain(merchants).collect());
    }

    pub(crate) fn produce_streams(&self, producer: &mut dyn Producer) {
        let logins = (0..LOGINS).map(|n| {
            let (user, at) = login(n);
            let value = format!(r#"{{"user":"u{user}","at":"{}","n":{n}}}"#, EventTime(at).to_rfc3339());
            self.record("-logins", &format!("u{user}"), value)
        });
        // Payments are keyed by merchant: the pipeline takes them to their user.
        append(producer, self.payments(0..PAYMENTS, 0).chain(logins).collect());
    }

    /// Payments of every user three hours later, so that nothing before them waits any more.
    pub(crate) fn produce_the_end(&self, producer: &mut dyn Producer) {
        append(producer, self.payments(PAYMENTS..PAYMENTS + USERS, 3 * 3_600 * SECOND).collect());
    }

    fn payments(&self, numbers: Range<i64>, later: i64) -> impl Iterator<Item = OutputRecord> {
        numbers.map(move |number| {
            let (user, merchant, at) = payment(number);
            let at = EventTime(at + later).to_rfc3339();
            let value = format!(r#"{{"id":"{number}","user":"u{user}","merchant":"m{merchant}","at":"{at}"}}"#);
            self.record("", &format!("m{merchant}"), value)
        })
    }

    fn record(&self, topic: &str, key: &str, value: String) -> OutputRecord {
        OutputRecord {
            topic: format!("{}{topic}", self.source).into(),
            partition: None,
            key: Some(key.as_bytes().to_vec()),
            value: value.into_bytes(),
            headers: Vec::new(),
            timestamp: START + 24 * 3_600 * SECOND,
        }
    }

    /// Records that the internal topic holds when so much of everything was forwarded.
    pub(crate) fn is_forwarded(&self, topics: &mut dyn Topics, streams: bool) -> bool {
        let tables = (USERS - 5 + 1) as usize + MERCHANTS as usize * PARTITIONS;
        let streams = if streams { (PAYMENTS + LOGINS) as usize } else { 0 };
        topic_values(topics, &format!("{}.repartitioned", self.source)).len() >= tables + streams
    }

    /// Checks that every payment came out once, with what a look at everything says must be joined to it.
    pub(crate) fn assert_joined(&self, topics: &mut dyn Topics) {
        let mut found: BTreeMap<i64, (String, String)> = BTreeMap::new();
        for value in topic_values(topics, &self.enriched()) {
            let id = field(&value, "id").parse().expect("ids are numbers");
            let row = (field(&value, "logins_n"), field(&value, "place"));
            assert!(found.insert(id, row).is_none(), "payment {id} came out twice");
        }
        for number in 0..PAYMENTS {
            assert_eq!(found.remove(&number), Some(expected(number)), "payment {number}");
        }
        assert!(found.is_empty(), "payments that nothing follows wait: {found:?}");
    }
}

fn append(producer: &mut dyn Producer, records: Vec<OutputRecord>) {
    producer.append(records).unwrap();
    producer.flush().unwrap();
}

/// User and merchant of a payment, and when it was made.
fn payment(number: i64) -> (i64, i64, i64) {
    (number * 7 % USERS, number * 3 % MERCHANTS, START + number * SECOND / 10)
}

/// User of a login, and its time.
fn login(number: i64) -> (i64, i64) {
    (number * 11 % USERS, START + number * SECOND / 4 + SECOND / 20)
}

fn expected(number: i64) -> (String, String) {
    let (user, merchant, at) = payment(number);
    let fits =
        |login: &(i64, (i64, i64))| login.1.0 == user && (at - 30 * SECOND..=at + 10 * SECOND).contains(&login.1.1);
    let last = (0..LOGINS).map(|number| (number, login(number))).filter(fits).map(|(number, _)| number).max();
    let country = if (1..USERS - 5).contains(&user) { format!("c{}", user % 7) } else { "nowhere".to_owned() };
    (last.map_or("null".to_owned(), |number| number.to_string()), format!("{country}/k{}", merchant % 3))
}
