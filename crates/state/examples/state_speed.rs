//! How fast the memory of a partition is: accesses, snapshots, restarts, and with less memory than it needs.
//!
//! `cargo run --release -p lapwing-state --example state_speed -- [folder] [entities] [spilled entities]`

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lapwing_state::{EntityTable, Features, Identity, Kind, Plan, SnapshotParts, SnapshotStore, restore};

/// Words of an entity in memory, in memory for the freeze, and spilled.
const WIDTH: usize = 150;
const FREEZE_WIDTH: usize = 180;
const SPILL_WIDTH: usize = 128;
const ACCESSES: usize = 2_000_000;
const AHEAD: usize = 16;
const SLICE: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from).join("lapwing-speed");
    let entities = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let spilled = arguments.next().map_or(Ok(5_000_000), |text| text.parse())?;
    std::fs::create_dir_all(&folder)?;
    for count in [1_000, 10_000, 100_000, entities] {
        accesses(count)?;
    }
    freeze(entities)?;
    snapshots(&folder, entities)?;
    spill(&folder, spilled)?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// SplitMix64: enough to pick keys.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }
}

#[expect(clippy::disallowed_methods, reason = "this program measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Time on the clock, and what of it this thread was at work: other programs disturb the first.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    work: Duration,
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2?} ({:.2?} at work)", self.wall, self.work)
    }
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, Took) {
    let (start, worked) = (now(), at_work());
    let result = act();
    (result, Took { wall: start.elapsed(), work: at_work().saturating_sub(worked) })
}

/// Time that this thread was at work; only Linux tells it, to a few milliseconds.
fn at_work() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

#[expect(clippy::print_stdout, reason = "this program's output is its figures")]
fn say(text: &str) {
    println!("{text}");
}

fn key(number: usize) -> String {
    format!("sensor-{number:08}")
}

/// Words as features leave them: two fifths never used, the rest counts, times, sums and means.
fn fill(words: &mut [f64], chance: &mut Chance) {
    for (index, word) in words.iter_mut().enumerate() {
        *word = match index % 10 {
            0..4 => 0.0,
            4..7 => chance.below(1000) as f64,
            7 => 1.7e15 + chance.below(1 << 40) as f64,
            8 => chance.below(100_000) as f64 / 100.0,
            _ => chance.next() as f64 / 3.0,
        };
    }
}

fn filled(mut table: EntityTable, count: usize) -> Result<EntityTable, Box<dyn Error>> {
    let mut chance = Chance(1);
    for number in 0..count {
        let (slot, _) = table.slot(&key(number), i64::MIN)?;
        table.seen(slot, number as i64);
        fill(table.words_mut(slot)?, &mut chance);
    }
    Ok(table)
}

/// A fold that waits for all words of its entity, one after the other, as a long one does.
#[inline]
fn fold(table: &mut EntityTable, slot: u32) -> Result<(), Box<dyn Error>> {
    let words = table.words_mut(slot)?;
    words[0] = words.iter().fold(1.0, |sum, word| sum * 0.5 + word);
    Ok(())
}

/// What an event costs beside its fold: a few words of its entity are changed.
#[inline]
fn touch(table: &mut EntityTable, slot: u32, time: i64) -> Result<(), Box<dyn Error>> {
    table.seen(slot, time);
    let words = table.words_mut(slot)?;
    let last = words.len() - 1;
    for index in [0, last / 3, last / 2, last] {
        words[index] += 1.0;
    }
    Ok(())
}

/// Nanoseconds per access in the median and the fastest of slices: other programs disturb some.
fn slices(
    keys: &[String],
    mut act: impl FnMut(&[String]) -> Result<(), Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    let mut times = Vec::new();
    for slice in keys.chunks(SLICE) {
        let (done, took) = timed(|| act(slice));
        done?;
        times.push(took.wall.as_nanos() as f64 / slice.len() as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok(format!("{:.0} ns (fastest {:.0})", times[times.len() / 2], times[0]))
}

fn accesses(count: usize) -> Result<(), Box<dyn Error>> {
    let mut table = filled(EntityTable::new(vec![0.0; WIDTH]), count)?;
    let mut chance = Chance(2);
    let keys: Vec<String> = (0..ACCESSES).map(|_| key(chance.below(count))).collect();
    let one = slices(&keys, |keys| each(&mut table, keys, |table, slot| touch(table, slot, 0)))?;
    let folded = slices(&keys, |keys| each(&mut table, keys, fold))?;
    let ahead = slices(&keys, |keys| {
        let mut guesses = [None; AHEAD];
        for keys in keys.chunks(AHEAD) {
            table.find_ahead(keys.iter().map(String::as_str), &mut guesses);
            for (key, guess) in keys.iter().zip(guesses) {
                let (slot, _) = table.slot_guessed(key, guess, i64::MIN)?;
                fold(&mut table, slot)?;
            }
        }
        Ok(())
    })?;
    let megabytes = table.memory_bytes() / 1_000_000;
    say(&format!(
        "{count} entities × {WIDTH} words, {megabytes} MB: {one} per access; with a fold over all words {folded}, in \
         blocks of {AHEAD} looked up ahead {ahead}"
    ));
    Ok(())
}

/// Looks each key up and does something to its entity.
fn each(
    table: &mut EntityTable,
    keys: &[String],
    act: impl Fn(&mut EntityTable, u32) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    for key in keys {
        let (slot, _) = table.slot(key, i64::MIN)?;
        act(table, slot)?;
    }
    Ok(())
}

fn freeze(count: usize) -> Result<(), Box<dyn Error>> {
    let mut table = filled(EntityTable::new(vec![0.0; FREEZE_WIDTH]), count)?;
    let mut chance = Chance(3);
    let (frozen, full) = timed(|| table.freeze(Kind::Full));
    let work = |table: &mut EntityTable, chance: &mut Chance| -> Result<Duration, Box<dyn Error>> {
        let keys: Vec<String> = (0..count / 10).map(|_| key(chance.below(count))).collect();
        let (done, took) = timed(|| -> Result<(), Box<dyn Error>> {
            for key in &keys {
                let (slot, _) = table.slot(key, i64::MIN)?;
                touch(table, slot, 0)?;
            }
            Ok(())
        });
        done.map(|()| took.work / (count as u32 / 10).max(1))
    };
    let copied = work(&mut table, &mut chance)?;
    drop(frozen);
    let (changes, delta) = timed(|| table.freeze(Kind::Delta));
    drop(changes);
    let mut again: Vec<Duration> = (0..9)
        .map(|_| {
            let (frozen, took) = timed(|| table.freeze(Kind::Full));
            drop(frozen);
            // Every chunk is the table's own again, as it is for a busy table after a while.
            (0..count).step_by(2).for_each(|number| drop(table.words_mut(number as u32).map(|words| words[0] = 1.0)));
            took.wall
        })
        .collect();
    again.sort();
    let taken_back = work(&mut table, &mut chance)?;
    say(&format!(
        "freeze of {count} entities × {FREEZE_WIDTH} words: full at first {full}, again {:.1?} to {:.1?}, a tenth \
         changed {delta}; access while the snapshot holds all {copied:.0?}, after it {taken_back:.0?}",
        again[0], again[8]
    ));
    Ok(())
}

fn snapshots(folder: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    let mut table = filled(EntityTable::new(vec![0.0; WIDTH]), count)?;
    let (pipeline, topic, digest) = ("speed".into(), "speed".into(), "speed".into());
    let identity = Identity { pipeline, topic, partition: 0, graph_digest: digest, layout: Vec::new() };
    let store = SnapshotStore::open(folder)?;
    let parts = |table, offset| SnapshotParts {
        identity: identity.clone(),
        offset,
        tables: vec![("entities".into(), table)],
        sections: Vec::new(),
    };
    let raw = count * WIDTH * 8;
    let frozen = table.freeze(Kind::Full);
    let (encoded, encode) = timed(|| frozen.encode(&mut std::io::sink()));
    encoded?;
    let (written, write) = timed(|| store.write(Plan::Full, parts(table.freeze(Kind::Full), 1)));
    let written = written?;
    let mut chance = Chance(4);
    for _ in 0..count / 10 {
        let (slot, _) = table.slot(&key(chance.below(count)), i64::MIN)?;
        touch(&mut table, slot, 0)?;
    }
    let plan = Plan::Delta { base: 1, link: 1, previous: written.checksum };
    let (delta, changes) = timed(|| store.write(plan, parts(table.freeze(Kind::Delta), 2)));
    let delta = delta?;
    let make = &mut |_: &lapwing_state::Header, _: &str, words| Ok(EntityTable::new(vec![0.0; words]));
    let (restored, read) = timed(|| restore(&store, &identity, Features::Same, Some(2), 0, make));
    let found = restored?.snapshot.ok_or("nothing was restored")?.take_table("entities")?.len();
    let rate = |time: Took| raw as f64 / 1e6 / time.work.as_secs_f64();
    say(&format!(
        "snapshot of {count} entities × {WIDTH} words, {} MB: encoded in {encode} ({:.0} MB/s), written and synced \
         in {write} as {} MB; a tenth changed: {} MB in {changes}; {found} restored from both in {read}",
        raw / 1_000_000,
        rate(encode),
        written.bytes / 1_000_000,
        delta.bytes / 1_000_000
    ));
    Ok(())
}

fn spill(folder: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    let table = EntityTable::with_budget(vec![0.0; SPILL_WIDTH], 1 << 30, &folder.join("spill"))?;
    let (table, fill) = timed(|| filled(table, count));
    let mut table = table?;
    let mut chance = Chance(5);
    let keys: Vec<String> = (0..ACCESSES / 4).map(|_| key(chance.below(count))).collect();
    let before = table.spill_traffic();
    let (done, took) = timed(|| -> Result<(), Box<dyn Error>> {
        for key in &keys {
            let (slot, _) = table.slot(key, i64::MIN)?;
            touch(&mut table, slot, 0)?;
        }
        Ok(())
    });
    done?;
    let (read, written) = table.spill_traffic();
    let (frozen, stall) = timed(|| table.freeze(Kind::Full));
    let (encoded, encode) = timed(|| frozen.encode(&mut std::io::sink()));
    encoded?;
    say(&format!(
        "{count} entities × {SPILL_WIDTH} words within 1 GiB ({} MB held): filled in {fill}; {:.0} random accesses \
         per second, {:.0} per second at work ({:.2} chunks read and {:.2} written each); freeze {stall}, encoded in {encode}",
        table.memory_bytes() / 1_000_000,
        keys.len() as f64 / took.wall.as_secs_f64(),
        keys.len() as f64 / took.work.as_secs_f64(),
        (read - before.0) as f64 / keys.len() as f64,
        (written - before.1) as f64 / keys.len() as f64,
    ));
    Ok(())
}
