use crate::ledger::{EXAMPLES, Ledger};

/// What the source topic held against what was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// Identities of the events in the topic, sorted.
    pub(crate) ids: Vec<u128>,
    /// Events that never came out: identity and place.
    pub(crate) lost_at: Vec<(u128, String)>,
    /// How many these are.
    pub(crate) lost: u64,
    /// Whether the topic holds exactly what was sent.
    pub(crate) as_sent: bool,
}

/// Whether the books agree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Events in the source topic.
    pub(crate) produced: u64,
    /// Whether the topic holds exactly what was sent, each once.
    pub(crate) source_as_sent: bool,
    /// Different events enriched.
    pub(crate) enriched: u64,
    /// Events never enriched.
    pub(crate) lost: u64,
    /// Enriched events that had been there before.
    pub(crate) doubled: u64,
    /// Enriched events that were never produced, and records without an identity.
    pub(crate) strange: u64,
    /// Different alerts.
    pub(crate) alerts: u64,
    /// Alerts whose id had been there before.
    pub(crate) alerts_doubled: u64,
    /// Alerts about events that were never produced.
    pub(crate) alerts_strange: u64,
    /// Alerts of the undisturbed run that are missing.
    pub(crate) alerts_missing: u64,
    /// Alerts that the undisturbed run does not have.
    pub(crate) alerts_extra: u64,
    /// Alerts of the same id whose bytes differ from those of the undisturbed run.
    pub(crate) alerts_differing: u64,
    /// What the undisturbed run itself lost or doubled.
    pub(crate) undisturbed_wrong: u64,
    /// Dead letters and late events, of which there should be none.
    pub(crate) set_aside: u64,
    /// Copies that ended by themselves.
    pub(crate) unexpected_ends: u64,
    /// Single cases, for whoever looks for the reason.
    pub(crate) cases: Vec<String>,
}

impl Verdict {
    /// Compares the book of the disturbed run with the source and with the book of the undisturbed run.
    pub(crate) fn new(source: &Source, book: &Ledger, undisturbed: &Ledger) -> Self {
        let produced = source.ids.len() as u64;
        let is_known = |id: &u128| source.ids.binary_search(id).is_ok();
        let events = book.events.len() as u64;
        let alerts = |which: &dyn Fn(u128) -> bool| book.alerts.keys().filter(|id| which(**id)).count() as u64;
        let calm = undisturbed;
        Self {
            produced,
            source_as_sent: source.as_sent,
            enriched: events,
            lost: source.lost,
            doubled: book.doubled,
            strange: book.events.iter().filter(|id| !is_known(id)).count() as u64 + book.unreadable,
            alerts: book.alerts.len() as u64,
            alerts_doubled: book.alerts_doubled,
            alerts_strange: book.alerts.values().filter(|mark| !is_known(&mark.event)).count() as u64,
            alerts_missing: calm.alerts.keys().filter(|id| !book.alerts.contains_key(id)).count() as u64,
            alerts_extra: alerts(&|id| !calm.alerts.contains_key(&id)),
            alerts_differing: alerts(&|id| calm.alerts.get(&id).is_some_and(|mark| *mark != book.alerts[&id])),
            undisturbed_wrong: calm.doubled
                + calm.alerts_doubled
                + calm.unreadable
                + produced.abs_diff(calm.events.len() as u64),
            cases: cases(source, book, calm),
            ..Self::default()
        }
    }

    /// Whether nothing was lost, doubled or otherwise wrong, and there was something to judge.
    pub(crate) fn holds(&self) -> bool {
        let wrong = [
            self.lost,
            self.doubled,
            self.strange,
            self.alerts_doubled,
            self.alerts_strange,
            self.alerts_missing,
            self.alerts_extra,
            self.alerts_differing,
            self.undisturbed_wrong,
            self.set_aside,
            self.unexpected_ends,
        ];
        self.source_as_sent && self.produced > 0 && self.alerts > 0 && wrong.iter().all(|count| *count == 0)
    }
}

fn cases(source: &Source, book: &Ledger, calm: &Ledger) -> Vec<String> {
    let named = |what: &str, list: &[(u128, String)]| {
        list.iter().map(|(id, place)| format!("{what} {id:032x}: {place}")).collect::<Vec<_>>()
    };
    let mut cases = named("lost", &source.lost_at);
    cases.extend(named("doubled", &book.doubled_at));
    cases.extend(named("alert doubled", &book.alerts_doubled_at));
    let missing = calm.alerts.keys().filter(|id| !book.alerts.contains_key(id));
    cases.extend(missing.take(EXAMPLES).map(|id| format!("alert missing {id:032x}")));
    let extra = book.alerts.iter().filter(|(id, mark)| calm.alerts.get(id) != Some(mark));
    let extra = extra.map(|(id, mark)| format!("alert extra or differing {id:032x} about event {:032x}", mark.event));
    cases.extend(extra.take(EXAMPLES));
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(events: &[u128], alerts: &[(u128, u128)]) -> Ledger {
        let mut ledger = Ledger::default();
        for event in events {
            ledger.enriched(format!("{{\"uuid\":\"{event:032x}\"}}").as_bytes(), String::new);
        }
        for (id, event) in alerts {
            let text = format!("{{\"id\":\"{id:032x}\",\"event_id\":\"{event:032x}\"}}");
            ledger.alert(text.as_bytes(), String::new);
        }
        ledger
    }

    fn source(ids: &[u128], lost: u64) -> Source {
        Source { ids: ids.to_vec(), lost, lost_at: Vec::new(), as_sent: true }
    }

    #[test]
    fn equal_books_hold() {
        let good = book(&[1, 2, 3], &[(10, 2)]);
        let verdict = Verdict::new(&source(&[1, 2, 3], 0), &good, &good);
        assert!(verdict.holds(), "{verdict:?}");
        assert_eq!((verdict.produced, verdict.enriched, verdict.alerts), (3, 3, 1));
    }

    #[test]
    fn each_kind_of_fault_is_counted_as_such() {
        let good = book(&[1, 2, 3], &[(10, 2)]);
        let of = |events: &[u128], alerts: &[(u128, u128)], lost| {
            Verdict::new(&source(&[1, 2, 3], lost), &book(events, alerts), &good)
        };
        let lost = of(&[1, 2], &[(10, 2)], 1);
        assert!(lost.lost == 1 && !lost.holds());
        let doubled = of(&[1, 2, 3, 3], &[(10, 2)], 0);
        assert!(doubled.doubled == 1 && !doubled.holds());
        let strange = of(&[1, 2, 3, 4], &[(10, 2)], 0);
        assert!(strange.strange == 1 && !strange.holds());
        let alert_lost = of(&[1, 2, 3], &[], 0);
        assert!(alert_lost.alerts_missing == 1 && !alert_lost.holds());
        let other_event = of(&[1, 2, 3], &[(10, 9)], 0);
        assert_eq!((other_event.alerts_differing, other_event.alerts_strange), (1, 1));
        let extra = of(&[1, 2, 3], &[(10, 2), (11, 3)], 0);
        assert!(extra.alerts_extra == 1 && !extra.holds());
        let alert_doubled = of(&[1, 2, 3], &[(10, 2), (10, 2)], 0);
        assert!(alert_doubled.alerts_doubled == 1 && !alert_doubled.holds());
    }
}
