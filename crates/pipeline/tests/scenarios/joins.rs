use std::sync::Arc;

use lapwing_pipeline::aggregate::MemoryRoom;
use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::join::STREAM_HEADER;
use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::settings::{JoinKind, Joined, Matches};
use lapwing_pipeline::status::{Status, get};
use lapwing_pipeline::task::Task;
use lapwing_vocabulary::time::SECOND;
use lapwing_vocabulary::{EventTime, Header, OutputRecord, Records};

use crate::setup::{HEAD, plan, try_plan};
use crate::stream::{Chance, NOW, START};

/// A table beside the stream of [`with_logins`].
const ROLES: &str = "[join.roles]\ntopic = \"roles\"\nkey = \"host\"\ntable = true\n\
                     [join.roles.schema]\nhost = \"text\"\nrole = \"text\"\n";

/// A pipeline that joins logins with these settings.
fn with_logins(settings: &str) -> String {
    let schema = "[join.logins.schema]\nhost = \"text\"\nat = \"time\"\nn = \"int\"\n";
    format!("{HEAD}[join.logins]\ntopic = \"logins\"\nkey = \"host\"\ntime = \"at\"\n{settings}\n{schema}{ROLES}")
}

/// A record of one of the three topics. Times are seconds after [`START`].
#[derive(Clone, Debug)]
enum Item {
    Event { host: u64, at: i64 },
    Login { host: u64, at: i64 },
    Role { host: u64, role: Option<&'static str> },
}

/// An event that came out: its offset, the number of its login, its role.
type Row = (i64, Option<i64>, Option<String>);

fn time(at: i64) -> String {
    EventTime(START + at * SECOND).to_rfc3339()
}

/// Items as records; the number of a login, and the id of an event, is its offset.
fn records(items: &[Item], first: i64) -> Records {
    let mut records = Records::new("small.repartitioned".into(), 0);
    for (offset, item) in (first..).zip(items) {
        let (key, stream, value) = match item {
            Item::Event { host, at } => {
                (*host, None, format!(r#"{{"id":"{offset}","host":"h{host}","at":"{}","bytes":1}}"#, time(*at)))
            }
            Item::Login { host, at } => {
                (*host, Some("logins"), format!(r#"{{"host":"h{host}","at":"{}","n":{offset}}}"#, time(*at)))
            }
            Item::Role { host, role } => {
                let value = role.map(|role| format!(r#"{{"host":"h{host}","role":"{role}"}}"#));
                (*host, Some("roles"), value.unwrap_or_default())
            }
        };
        let header = |name: &str| Header { name: STREAM_HEADER.to_owned(), value: name.as_bytes().to_vec() };
        let headers = stream.map(header).into_iter().collect();
        records.push(offset, NOW, Some(format!("h{key}").as_bytes()), value.as_bytes(), headers);
    }
    records
}

fn rows_of(outputs: &[OutputRecord]) -> Vec<Row> {
    let row = |record: &OutputRecord| {
        let event: serde_json::Value = serde_json::from_slice(&record.value).expect("enriched events are JSON");
        let id = event["id"].as_str().expect("every event has an id").parse().expect("it is an offset");
        (id, event["logins_n"].as_i64(), event["roles_role"].as_str().map(str::to_owned))
    };
    outputs.iter().filter(|record| record.topic.ends_with("enriched")).map(row).collect()
}

/// A task of partition 0, and what came of it.
struct Run {
    task: Task,
    status: Status,
    outputs: Vec<OutputRecord>,
    next: i64,
}

impl Run {
    fn new(plan: &Arc<Plan>) -> Self {
        let task = Task::new(plan, 0, &[]).expect("the plan has no tables");
        Self { task, status: Status::default(), outputs: Vec::new(), next: 0 }
    }

    fn feed(&mut self, items: &[Item]) -> &mut Self {
        let records = records(items, self.next);
        self.next += items.len() as i64;
        let product = self.task.process(&records, 0..records.len(), &self.status, &HandClock::at(NOW));
        self.outputs.extend(product.expect("the records pass all stages").outputs);
        self
    }

    fn rows(&self) -> Vec<Row> {
        rows_of(&self.outputs)
    }
}

/// Records of six hosts in the order of their times, more or less: up to `disorder` seconds late.
fn items(count: usize, disorder: u64, seed: u64) -> Vec<Item> {
    let mut chance = Chance::new(seed);
    let roles = [Some("web"), Some("db"), Some("mail"), None];
    let item = |number: usize| {
        let (host, at) = (chance.below(6), number as i64 * 3 - chance.below(disorder + 1) as i64);
        match chance.below(7) {
            0..3 => Item::Event { host, at },
            3..6 => Item::Login { host, at },
            _ => Item::Role { host, role: roles[chance.below(4) as usize] },
        }
    };
    (0..count).map(item).collect()
}

/// What must come out, by looking at everything for every event. Times are seconds.
fn twin(plan: &Plan, items: &[Item]) -> Vec<Row> {
    let join = &plan.settings.joins[0];
    let Joined::Interval { before_micros, after_micros, wait_micros, matches } = join.what else {
        panic!("the first join is a stream");
    };
    let [before, after, wait] = [before_micros, after_micros, wait_micros].map(|micros| micros / SECOND);
    let lateness = plan.settings.source.watermark_micros / SECOND;
    let (mut logins, mut roles, mut waiting, mut out) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut newest, mut reached, mut seen) = (i64::MIN / 2, i64::MIN / 2, i64::MIN / 2);
    for (offset, item) in (0_i64..).zip(items) {
        let horizon = |newest: i64, waiting: &[(i64, i64, u64, Option<&str>)]| {
            waiting.iter().map(|event| event.0).chain([newest - lateness]).min().expect("there is one at least")
        };
        match *item {
            Item::Event { host, at } => {
                (newest, reached) = (newest.max(at), reached.max(at));
                let role = roles.iter().rev().find(|(of, _)| *of == host).and_then(|(_, role)| *role);
                waiting.push((at, offset, host, role));
            }
            Item::Login { host, at } => {
                reached = reached.max(at);
                if at + before >= horizon(newest, &waiting) {
                    logins.push((at, offset, host));
                }
            }
            Item::Role { host, role } => roles.push((host, role)),
        }
        waiting.sort_unstable();
        while waiting.first().is_some_and(|event| wait == 0 || reached > event.0 + wait) {
            let (at, id, host, role) = waiting.remove(0);
            let fits = |login: &&(i64, i64, u64)| login.2 == host && (at - before..=at + after).contains(&login.0);
            let mut found: Vec<_> = logins.iter().filter(fits).copied().collect();
            found.sort_unstable();
            let is_late = at < seen - lateness;
            if found.is_empty() && join.kind == JoinKind::Inner {
                continue;
            }
            seen = seen.max(at);
            let first = if matches == Matches::Last { found.len().saturating_sub(1) } else { 0 };
            let mut numbers: Vec<Option<i64>> = found[first..].iter().map(|login| Some(login.1)).collect();
            if numbers.is_empty() {
                numbers.push(None);
            }
            let row = |number| (id, number, role.map(str::to_owned));
            out.extend(numbers.into_iter().filter(|_| !is_late).map(row));
        }
        let horizon = horizon(newest, &waiting);
        logins.retain(|login| login.0 + before >= horizon);
    }
    out
}

#[test]
fn whatever_the_order_and_the_batches_the_rows_are_those_of_the_slow_twin() {
    let intervals =
        ["before = \"60s\"", "within = \"40s\"", "before = \"30s\"\nwait = \"50s\"", "after = \"20s\"\nwait = \"0s\""];
    let kinds = ["kind = \"left\"", "kind = \"inner\"", "kind = \"left\"\nmatch = \"all\""];
    for interval in intervals {
        for kind in kinds {
            let plan = plan(&with_logins(&format!("{interval}\n{kind}")), &[]);
            let mut joined = 0;
            for seed in 0..6 {
                // Mostly in time, and mostly not.
                let items = items(400, [10, 25, 90][seed as usize % 3], seed);
                let expected = twin(&plan, &items);
                joined += expected.iter().filter(|row| row.1.is_some() && row.2.is_some()).count();
                let (mut chance, mut rest) = (Chance::new(seed), &items[..]);
                let mut run = Run::new(&plan);
                while !rest.is_empty() {
                    let (batch, left) = rest.split_at(rest.len().min(1 + chance.below(40) as usize));
                    run.feed(batch);
                    rest = left;
                }
                assert_eq!(run.rows(), expected, "{interval}, {kind}, seed {seed}");
            }
            assert!(joined > 0, "{interval}, {kind}: the story tells nothing");
        }
    }
}

#[test]
fn with_the_wait_by_default_the_order_of_what_is_on_time_does_not_matter() {
    let plan = plan(&with_logins("within = \"20s\""), &[]);
    let outcome = |items: &[Item]| {
        let number = |item: &Item| if let Item::Login { at, .. } = item { *at } else { 0 };
        let mut run = Run::new(&plan);
        run.feed(items);
        let tick = run.task.tick(EventTime(NOW), run.next, &run.status, &HandClock::at(NOW)).unwrap();
        run.outputs.extend(tick.outputs);
        let named = |row: &Row| {
            let Item::Event { host, at } = items[row.0 as usize] else { panic!("row {row:?} is no event") };
            (at, host, row.1.map(|login| number(&items[login as usize])))
        };
        let mut named: Vec<_> = run.rows().iter().map(named).collect();
        named.sort_unstable();
        named
    };
    let mut sorted: Vec<Item> =
        items(300, 0, 3).into_iter().filter(|item| !matches!(item, Item::Role { .. })).collect();
    let expected = outcome(&sorted);
    assert!(expected.iter().any(|event| event.2.is_some()) && expected.iter().any(|event| event.2.is_none()));
    let mut chance = Chance::new(9);
    for _ in 0..5 {
        // Nine records of three seconds each: nothing comes later than the watermark of 30 s allows.
        sorted.chunks_mut(9).for_each(|chunk| {
            (1..chunk.len()).for_each(|at| chunk.swap(at, chance.below(at as u64 + 1) as usize));
        });
        assert_eq!(outcome(&sorted), expected);
    }
}

#[test]
fn a_row_of_a_table_is_that_of_the_moment_the_event_came_even_if_it_waits() {
    let plan = plan(&with_logins("within = \"20s\""), &[]);
    let role = |role| Item::Role { host: 1, role };
    let event = |at| Item::Event { host: 1, at };
    let mut run = Run::new(&plan);
    run.feed(&[event(0), role(Some("web")), event(1), role(Some("db")), event(2), role(None), event(3), event(500)]);
    let roles: Vec<Option<String>> = run.rows().into_iter().map(|row| row.2).collect();
    assert_eq!(roles, [None, Some("web".into()), Some("db".into()), None]);
    let counts = run.status.joins();
    assert_eq!((counts["roles"].kept, counts["roles"].deleted), (2, 1));
}

#[test]
fn a_joined_record_that_nothing_can_match_any_more_goes_to_late() {
    let plan = plan(&with_logins("before = \"10s\""), &[]);
    let login = |at| Item::Login { host: 1, at };
    let mut run = Run::new(&plan);
    // The watermark is at 70 s; a login of 60 s could still match an event of 70 s, one of 59 s could not.
    run.feed(&[Item::Event { host: 1, at: 100 }, login(60), login(59)]);
    let late: Vec<_> = run.outputs.iter().filter(|record| record.topic.ends_with(".late")).collect();
    assert_eq!(late.len(), 1);
    assert!(String::from_utf8_lossy(&late[0].value).contains(&time(59)));
    let counts = run.status.joins()["logins"];
    assert_eq!((counts.kept, counts.late, counts.unmatched), (1, 1, 1));
    assert_eq!(get(&run.status.late), 0, "late events are counted apart");
}

#[test]
fn what_is_kept_and_what_waits_is_bounded_and_each_bound_is_counted() {
    let plan = plan(&with_logins("within = \"1h\"\nmax_rows = 3"), &[]);
    let mut run = Run::new(&plan);
    run.feed(&(0..5).map(|at| Item::Login { host: 1, at }).collect::<Vec<_>>());
    run.feed(&(5..10).map(|at| Item::Event { host: 1, at }).collect::<Vec<_>>());
    assert_eq!(run.rows(), [(5, Some(4), None), (6, Some(4), None)], "two of five went on early");
    assert_eq!((run.task.join().rows(), run.task.join().waiting()), (3, 3));
    assert_eq!((run.status.joins()["logins"].evicted, get(&run.status.hurried)), (2, 2));
    assert!(run.task.join().memory_bytes() > 0);
}

#[test]
fn memory_bounds_what_is_kept_as_well_as_numbers_do() {
    let plan = plan(&with_logins("within = \"1h\"\nmax_bytes = \"2KiB\""), &[]);
    let mut run = Run::new(&plan);
    run.feed(&(0..50).map(|at| Item::Login { host: 1, at }).collect::<Vec<_>>());
    let kept = run.task.join().rows();
    assert!((2..50).contains(&kept) && run.task.join().memory_bytes() <= 2048, "{kept} kept");
    assert_eq!(run.status.joins()["logins"].evicted, 50 - kept as u64);
    run.feed(&(50..100).map(|at| Item::Event { host: 1, at }).collect::<Vec<_>>());
    assert!(run.task.join().waiting() < 50 && run.task.join().memory_bytes() <= 4096);
    assert_eq!(get(&run.status.hurried), 50 - run.task.join().waiting() as u64);
    let late: Vec<i64> = run.rows().into_iter().filter_map(|row| row.1).collect();
    assert!(late.iter().all(|login| *login == 49), "the newest stay: {late:?}");
}

#[test]
fn what_is_joined_takes_its_room_from_the_entities() {
    let features = "[features]\nbytes_5m = { mean = \"bytes\", over = \"5m\" }\n";
    let plan = plan(&format!("{}{features}", with_logins("before = \"1h\"")), &[]);
    let folder = tempfile::tempdir().unwrap();
    let room = |bytes| MemoryRoom { bytes, file: folder.path().join(bytes.to_string()) };
    let items: Vec<Item> = (0..3000)
        .flat_map(|number| [Item::Event { host: number, at: 0 }, Item::Login { host: number, at: 0 }])
        .collect();
    let run = |room: Option<&MemoryRoom>| {
        let mut run = Run::new(&plan);
        run.task = Task::within(&plan, 0, &[], room).unwrap();
        run.feed(&items);
        (run.rows(), run.task.aggregate().memory_bytes())
    };
    let (rows, all) = run(None);
    let (small, within) = run(Some(&room(all)));
    assert_eq!(rows.len(), 3000);
    assert_eq!(small, rows, "what lies where changes nothing");
    assert!(within < all, "entities alone would fit: {within} of {all} bytes");
}

#[test]
fn a_full_table_refuses_new_keys_and_says_so() {
    let plan = plan(&with_logins("before = \"1s\"").replace("table = true", "table = true\nmax_rows = 2"), &[]);
    let role = |host| Item::Role { host, role: Some("web") };
    let mut run = Run::new(&plan);
    run.feed(&[role(1), role(2), role(3), role(2), Item::Role { host: 1, role: None }, role(3)]);
    assert_eq!((run.status.joins()["roles"].kept, run.status.joins()["roles"].refused), (4, 1));
    let dead: Vec<_> = run.outputs.iter().filter(|record| record.topic.ends_with("dead_letters")).collect();
    let why = crate::outputs::header(dead[0], lapwing_vocabulary::dead_letter::HEADER_MESSAGE).unwrap();
    assert_eq!(dead.len(), 1);
    assert!(why.starts_with("join small.repartitioned[0]@2: the table `roles` is full with 2 keys: raise"), "{why}");
}

#[test]
fn rows_of_a_table_end_with_their_time_to_live() {
    let text = with_logins("before = \"1s\"").replace("table = true", "table = true\ntime = \"at\"\nttl = \"1m\"");
    let plan = plan(&text.replace("role = \"text\"", "role = \"text\"\nat = \"time\""), &[]);
    let mut run = Run::new(&plan);
    let mut records = Records::new("small.repartitioned".into(), 0);
    let header = Header { name: STREAM_HEADER.to_owned(), value: b"roles".to_vec() };
    let value = format!(r#"{{"host":"h1","role":"web","at":"{}"}}"#, time(0));
    records.push(0, NOW, Some(b"h1"), value.as_bytes(), vec![header]);
    run.task.process(&records, 0..1, &run.status, &HandClock::at(NOW)).unwrap();
    run.next = 1;
    let event = |at| Item::Event { host: 1, at };
    run.feed(&[event(60), event(61), event(59), event(120)]);
    let roles: Vec<bool> = run.rows().into_iter().map(|row| row.2.is_some()).collect();
    assert_eq!(roles, [true, false, true, false]);
    assert_eq!(run.task.join().rows(), 0, "it is forgotten once no event in time can see it");
}

#[test]
fn every_match_is_a_row_but_the_event_is_one() {
    let plan = plan(&with_logins("before = \"1m\"\nmatch = \"all\""), &[]);
    let login = |at| Item::Login { host: 1, at };
    let mut run = Run::new(&plan);
    run.feed(&[login(1), login(2), login(3), Item::Event { host: 1, at: 4 }]);
    assert_eq!(run.rows().iter().map(|row| row.1).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    assert_eq!(get(&run.status.repeats), 0, "its rows share an id, and are no repeats");
    run.next = 3;
    run.feed(&[Item::Event { host: 1, at: 4 }]);
    assert_eq!((run.rows().len(), get(&run.status.repeats)), (3, 3), "the same event again is one");
}

#[test]
fn the_query_sees_joined_columns_and_the_plan_reads_only_those_it_needs() {
    let query = "[enrich]\nquery = \"SELECT e.*, coalesce(e.roles_role, 'none') AS kind FROM events e \
                 WHERE e.logins_n IS NOT NULL\"\n";
    let plan = plan(&format!("{}{query}", with_logins("before = \"1m\"")), &[]);
    let mut run = Run::new(&plan);
    run.feed(&[Item::Login { host: 1, at: 0 }, Item::Event { host: 1, at: 1 }, Item::Event { host: 2, at: 1 }]);
    let events: Vec<String> =
        run.outputs.iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect();
    assert_eq!(events.len(), 1);
    assert!(events[0].contains("\"kind\":\"none\"") && events[0].contains("\"logins_n\":0"), "{events:?}");
    assert_eq!(get(&run.status.filtered), 1);
}

#[test]
fn a_window_closes_behind_the_events_that_wait() {
    let window = "[window]\nkind = \"tumbling\"\nsize = \"1m\"\n[window.columns]\nlogins = { count = \"logins_n\" }\n";
    let plan = plan(&format!("{}{window}", with_logins("within = \"20s\"")), &[]);
    let mut run = Run::new(&plan);
    let items = items(400, 10, 5);
    run.feed(&items);
    let events = items.iter().filter(|item| matches!(item, Item::Event { .. })).count() as i64;
    let mut ticks = 0;
    while let Some(due) = run.task.due() {
        run.outputs.extend(run.task.tick(due, run.next, &run.status, &HandClock::at(NOW)).unwrap().outputs);
        ticks += 1;
        assert!(ticks < 1_000, "every tick must bring something on");
    }
    let rows = run.outputs.iter().filter(|record| record.topic.ends_with("enriched"));
    let rows: Vec<serde_json::Value> = rows.map(|record| serde_json::from_slice(&record.value).unwrap()).collect();
    let sum = |column: &str| rows.iter().map(|row| row[column].as_f64().unwrap() as i64).sum::<i64>();
    assert_eq!((sum("window_events"), get(&run.status.late)), (events, 0), "no event is late because it waited");
    assert_eq!(sum("logins"), run.status.joins()["logins"].matched as i64);
}

#[test]
fn at_the_end_of_a_history_all_that_waits_goes_on() {
    let plan = plan(&with_logins("within = \"20s\"\nkind = \"inner\""), &[]);
    let mut run = Run::new(&plan);
    let event = |host, at| Item::Event { host, at };
    run.feed(&[event(1, 0), event(2, 1), event(3, 2), Item::Login { host: 3, at: 3 }]);
    let batch = run.task.close(&run.status, &HandClock::at(NOW)).unwrap().expect("one of three matches");
    assert_eq!((batch.events.offsets, batch.events.rows.num_rows()), (vec![2], 1));
    assert!(run.task.close(&run.status, &HandClock::at(NOW)).unwrap().is_none());
    assert_eq!(run.status.joins()["logins"].no_match, 2);
}

#[test]
fn what_is_not_joined_is_counted_and_what_does_not_decode_is_set_aside() {
    let plan = plan(&with_logins("before = \"1m\""), &[]);
    let mut run = Run::new(&plan);
    let mut records = Records::new("small.repartitioned".into(), 0);
    let header = |name: &[u8]| vec![Header { name: STREAM_HEADER.to_owned(), value: name.to_vec() }];
    for (offset, (name, key, value)) in
        [(&b"old"[..], Some(&b"h1"[..]), &b"{}"[..]), (b"logins", None, b"{"), (b"roles", None, b"")].iter().enumerate()
    {
        records.push(offset as i64, NOW, *key, value, header(name));
    }
    let product = run.task.process(&records, 0..3, &run.status, &HandClock::at(NOW)).unwrap();
    assert_eq!((get(&run.status.strangers), product.outputs.len()), (1, 2));
    let reasons: Vec<_> = run.status.dead_letters().into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(format!("{reasons:?}"), "[(Malformed, 1), (MissingKey, 1)]");
}

#[test]
fn faults_of_a_join_that_only_the_schema_shows_are_listed() {
    let fault = |text: &str| try_plan(text, &[]).map(|_| ()).expect_err("it must be refused").to_string();
    let used = format!("{}[features]\nn = {{ sum = \"logins_m\", over = \"1m\" }}\n", with_logins("before = \"1m\""));
    assert!(std::panic::catch_unwind(|| fault(&used)).is_err(), "the file itself shows an unknown column");
    let query = "[enrich]\nquery = \"SELECT e.*, e.logins_m AS m FROM events e\"\n";
    let text = fault(&format!("{}{query}", with_logins("before = \"1m\"")));
    assert!(text.contains("logins_m"), "{text}");
}
