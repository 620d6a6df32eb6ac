use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::campaign::Counts;
use crate::verdict::Verdict;

/// The lines of a document between which a result stands.
const PLACE: [&str; 2] = ["<!-- the result begins -->\n", "<!-- the result ends -->\n"];

/// Everything that a result says.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// When it began.
    pub(crate) date: String,
    /// The program's own version.
    pub(crate) lapwing: String,
    /// The broker's.
    pub(crate) broker: String,
    /// How often a partition was taken up.
    pub(crate) taken: u64,
    /// How often a worker threw its open epoch away and went on.
    pub(crate) started_over: u64,
    /// Length of the disturbed part. Units: seconds.
    pub(crate) seconds: u64,
    /// Length of everything. Units: seconds.
    pub(crate) seconds_all: u64,
    /// What was done.
    pub(crate) counts: Counts,
    /// What came out.
    pub(crate) verdict: Verdict,
    /// The command line that repeats it.
    pub(crate) command: String,
}

/// One line of the result: its name in JSON, what it says, its value.
type Row = (&'static str, &'static str, Value);

impl Report {
    /// All lines, once for every form of output.
    fn rows(&self, arguments: &Arguments) -> Vec<Row> {
        let (counts, verdict) = (&self.counts, &self.verdict);
        let mut rows: Vec<Row> = vec![
            ("date", "date", json!(self.date)),
            ("lapwing", "program", json!(self.lapwing)),
            ("broker", "broker", json!(self.broker)),
            ("seed", "seed", json!(arguments.seed)),
            ("seconds", "length of the disturbed run, s", json!(self.seconds)),
            ("seconds_all", "length with the undisturbed run and the comparison, s", json!(self.seconds_all)),
            ("partitions", "partitions", json!(arguments.partitions)),
            ("workers", "threads of each of the two copies", json!(arguments.workers)),
            ("kills", "kills (SIGKILL, at a drawn moment)", json!(counts.kills)),
            ("both", "of these, both copies at once", json!(counts.both)),
            ("recovering", "of these, the successor again while it recovered", json!(counts.recovering)),
            ("processes_killed", "processes ended by SIGKILL", json!(counts.processes_killed)),
            ("stops", "orderly stops between them (SIGTERM)", json!(counts.stops)),
            ("freezes", "copies frozen until they were given up, then woken", json!(counts.freezes)),
            ("rebalances", "rebalances: blows after which partitions moved", json!(counts.rebalances)),
            ("taken", "times a partition was taken up", json!(self.taken)),
            ("started_over", "epochs thrown away by copies that lived on", json!(self.started_over)),
            ("broker_restarts", broker_word(arguments), json!(counts.broker_restarts)),
        ];
        rows.extend(verdict_rows(verdict));
        rows
    }

    /// For people.
    pub(crate) fn text(&self, arguments: &Arguments) -> String {
        let mut text = String::new();
        for (_, says, value) in self.rows(arguments) {
            text.push_str(&format!("{says:<62} {}\n", shown(&value)));
        }
        self.verdict.cases.iter().chain(&self.counts.unexpected).for_each(|case| text.push_str(&format!("{case}\n")));
        text.push_str(&format!("again: {}\n", self.command));
        text.push_str(if self.verdict.holds() { "HOLDS: nothing lost, nothing doubled" } else { "DOES NOT HOLD" });
        text
    }

    /// For programs: one object.
    pub(crate) fn json(&self, arguments: &Arguments) -> Value {
        let mut object: serde_json::Map<String, Value> =
            self.rows(arguments).into_iter().map(|(name, _, value)| (name.to_owned(), value)).collect();
        object.insert("unexpected".to_owned(), json!(self.counts.unexpected));
        object.insert("cases".to_owned(), json!(self.verdict.cases));
        object.insert("command".to_owned(), json!(self.command));
        object.insert("holds".to_owned(), json!(self.verdict.holds()));
        Value::Object(object)
    }

    /// For a document: a table, and how to repeat it.
    pub(crate) fn markdown(&self, arguments: &Arguments) -> String {
        let mut text = String::from("| what | result |\n|---|---|\n");
        for (_, says, value) in self.rows(arguments) {
            text.push_str(&format!("| {says} | {} |\n", shown(&value)));
        }
        let verdict = if self.verdict.holds() { "it holds" } else { "it does not hold" };
        text.push_str(&format!("| **verdict** | **{verdict}** |\n\n`{}`\n", self.command));
        text
    }
}

/// Puts a section into a document, in place of the one that is there; a document without a place becomes the section.
pub(crate) fn put_into(document: &str, section: &str) -> String {
    let [begins, ends] = PLACE;
    let parts = document.split_once(begins).and_then(|(before, rest)| Some((before, rest.split_once(ends)?.1)));
    match parts {
        Some((before, after)) => format!("{before}{begins}{section}{ends}{after}"),
        None => section.to_owned(),
    }
}

fn broker_word(arguments: &Arguments) -> &'static str {
    match (arguments.broker_stays, arguments.broker_kill) {
        (true, _) => "restarts of the broker (left alone)",
        (_, true) => "restarts of the broker in the middle, killed without warning",
        _ => "restarts of the broker in the middle, in order",
    }
}

fn verdict_rows(verdict: &Verdict) -> Vec<Row> {
    vec![
        ("produced", "events in the source topic", json!(verdict.produced)),
        ("source_as_sent", "the source topic holds what was sent, each once", json!(verdict.source_as_sent)),
        ("enriched", "different events enriched", json!(verdict.enriched)),
        ("lost", "events lost", json!(verdict.lost)),
        ("doubled", "events doubled", json!(verdict.doubled)),
        ("strange", "events that nobody produced, or without identity", json!(verdict.strange)),
        ("set_aside", "dead letters and late events", json!(verdict.set_aside)),
        ("alerts", "different alerts", json!(verdict.alerts)),
        ("alerts_doubled", "alerts doubled", json!(verdict.alerts_doubled)),
        ("alerts_strange", "alerts about events that nobody produced", json!(verdict.alerts_strange)),
        ("alerts_missing", "alerts of the undisturbed run that are missing", json!(verdict.alerts_missing)),
        ("alerts_extra", "alerts that the undisturbed run does not have", json!(verdict.alerts_extra)),
        ("alerts_differing", "alerts with other bytes than in the undisturbed run", json!(verdict.alerts_differing)),
        ("undisturbed_wrong", "events the undisturbed run lost or doubled", json!(verdict.undisturbed_wrong)),
        ("unexpected_ends", "copies that ended by themselves", json!(verdict.unexpected_ends)),
    ]
}

/// A value as people read it: thousands apart.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "NO".to_owned(),
        Value::Number(number) => grouped(&number.to_string()),
        other => other.to_string(),
    }
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn report(verdict: Verdict) -> Report {
        Report {
            date: "2026-01-01".to_owned(),
            lapwing: "lapwing 0.1.0".to_owned(),
            broker: "127.0.0.1:19092".to_owned(),
            taken: 12,
            started_over: 0,
            seconds: 2400,
            seconds_all: 2600,
            counts: Counts { kills: 200, ..Counts::default() },
            verdict,
            command: "lapwing-chaos --seed 1".to_owned(),
        }
    }

    #[test]
    fn a_result_takes_the_place_of_the_one_before_and_leaves_the_rest() {
        let [begins, ends] = PLACE;
        let document = format!("# Title\n{begins}old\n{ends}\nEnd.\n");
        assert_eq!(put_into(&document, "new\n"), format!("# Title\n{begins}new\n{ends}\nEnd.\n"));
        assert_eq!(put_into("# Title\n", "new\n"), "new\n");
    }

    #[test]
    fn all_forms_of_the_result_say_the_same() {
        let arguments = Arguments::parse_from(["lapwing-chaos"]);
        let good = Verdict { produced: 5_000_000, alerts: 7, source_as_sent: true, ..Verdict::default() };
        let good = report(good);
        assert!(good.text(&arguments).ends_with("HOLDS: nothing lost, nothing doubled"));
        assert!(good.markdown(&arguments).contains("| events in the source topic | 5,000,000 |"));
        assert_eq!(good.json(&arguments)["kills"], 200);
        assert_eq!(good.json(&arguments)["holds"], true);
        let bad = report(Verdict { lost: 1, ..good.verdict });
        assert!(bad.text(&arguments).ends_with("DOES NOT HOLD"));
        assert!(bad.markdown(&arguments).contains("it does not hold"));
    }
}
