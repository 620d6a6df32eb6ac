use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::references::References;
use lapwing_pipeline::status::Status;
use lapwing_pipeline::task::Task;
use lapwing_state::{Features, Kind, Plan as SnapshotPlan, SnapshotStore, restore};
use std::sync::Arc;

use crate::outputs::{json, of_topic};
use crate::setup::{HEAD, plan, records_of};
use crate::stream::{Event, NOW, START};

const OLD: &str = "[features]\nevents_1m = { count = \"*\", over = \"1m\" }\nbytes_1m = { sum = \"bytes\", over = \"1m\" }\n\
                   [outputs]\nfeatures = true\n";
const NEW: &str = "[features]\nhosts = { distinct = \"service\", over = \"5m\" }\nevents_1m = { count = \"*\", over = \"1m\" }\n\
                   [outputs]\nfeatures = true\n";

fn event(number: i64) -> Vec<u8> {
    let at = START + number;
    Event { id: format!("e{number}"), host: "a".into(), at, bytes: 5, errors: 0.0, service: "dns" }.json()
}

/// The state that a run of `before` leaves, taken up by `after`.
fn taken_up(before: &Arc<Plan>, after: &Arc<Plan>) -> (Task, Result<lapwing_pipeline::aggregate::Carried, String>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(folder.path()).unwrap();
    let mut task = Task::new(before, 0, &[]).unwrap();
    let records = records_of(&[event(1), event(2), event(3)]);
    task.process(&records, 0..3, &Status::default(), &HandClock::at(NOW)).unwrap();
    store.write(SnapshotPlan::Full, task.freeze(3, Kind::Full)).unwrap();
    let mut make = |_: &_, name: &str, words: usize| after.empty_table(name, words);
    let restored = restore(&store, &after.identity(0), Features::Any, Some(3), 0, &mut make).unwrap();
    let references = References::open(&[], None).unwrap();
    let mut task = Task::new(after, 0, &[]).unwrap();
    let carried = task.restore(restored.snapshot.expect("it was just written"), &references);
    (task, carried)
}

#[test]
fn a_feature_that_stays_the_same_keeps_its_memory_when_others_come_and_go() {
    let (before, after) = (plan(&format!("{HEAD}{OLD}"), &[]), plan(&format!("{HEAD}{NEW}"), &[]));
    let (mut task, carried) = taken_up(&before, &after);
    let carried = carried.unwrap();
    assert_eq!((carried.kept, carried.fresh), (vec!["events_1m".to_owned()], vec!["hosts".to_owned()]));
    assert_eq!(carried.dropped, ["bytes_1m"]);
    let records = records_of(&[event(4)]);
    let product = task.process(&records, 0..1, &Status::default(), &HandClock::at(NOW)).unwrap();
    let row = json(of_topic(&product.outputs, "small.enriched")[0]);
    assert_eq!((row["events_1m"].as_f64(), row["hosts"].as_f64().map(f64::round)), (Some(4.0), Some(1.0)));
}

#[test]
fn bounds_may_change_and_leave_the_state_as_it_is() {
    let before = plan(&format!("{HEAD}{OLD}"), &[]);
    let wider = HEAD.replace("watermark = \"30s\"", "watermark = \"90s\"\nmax_future = \"1h\"");
    let (_, carried) = taken_up(&before, &plan(&format!("{wider}{OLD}"), &[]));
    let carried = carried.unwrap();
    assert!(carried.fresh.is_empty() && carried.dropped.is_empty() && !carried.ids_dropped, "{carried:?}");
    let fewer = HEAD.replace("[source]", "[source]\ndedup = \"1m\"");
    assert!(taken_up(&before, &plan(&format!("{fewer}{OLD}"), &[])).1.unwrap().ids_dropped);
}

#[test]
fn state_of_events_that_are_read_in_another_way_is_refused() {
    let before = plan(&format!("{HEAD}{OLD}"), &[]);
    for (change, to) in [("errors = \"float\"", "errors = \"int\""), ("key = \"host\"", "key = \"service\"")] {
        let after = plan(&format!("{}{OLD}", HEAD.replace(change, to)), &[]);
        let fault = taken_up(&before, &after).1.unwrap_err();
        assert!(fault.contains("read in another way"), "{fault}");
    }
    let interval = "[state]\nleave_out = [{ from = 2026-01-01T00:00:00Z, to = 2026-01-01T00:00:01Z }]\n";
    let fault = taken_up(&before, &plan(&format!("{HEAD}{OLD}{interval}"), &[])).1.unwrap_err();
    assert!(fault.contains("state.leave_out has changed"), "{fault}");
}
