use std::collections::VecDeque;
use std::sync::Arc;

use super::apart::{self, Apart};
use super::layout::Layout;
use super::reader::Reader;
use super::rules::{Cut, Rules, Shape, Slide, TIME_MAX};
use super::seat::{Phase, Window};
use super::sliding::{self, Pane, Sliding};
use super::stored_totals::{TOTALS_BYTES_MIN, put_totals, read_totals};
use super::windows::Store;

/// The format that is written. What [`VERSION_1`] has written is read too.
const VERSION: u8 = 2;
/// The format without lists and without the number of rows left out; of what it could hold, totals are the same.
const VERSION_1: u8 = 1;

/// What is stored.
pub(super) struct Stored {
    pub(super) watermark: Option<i64>,
    pub(super) counts: [u64; 4],
    pub(super) store: Store,
}

/// Writes all windows. Numbers are little-endian; what may be missing is u8 0, or u8 1 and the thing.
///
/// ```text
/// version     u8        2
/// digest      32 bytes  of kind and columns
/// watermark   i64       may be missing
/// counts      u64 × 4   forced, forgotten, too late, small (in version 1 there is no such)
/// entities    u32       how many; then of each, in the order of their keys:
///   key       u32       its length; then the bytes, UTF-8
///   windows   u32       how many, at least 1; then of each, in the order of their starts:
///     start   i64
///     last    i64       time of the newest event
///     phase   u8        0 open, 1 told, 2 reopened
///     rows    u32
///     told    f64 × values of the row, may be missing
///     due     i64       of the early row, may be missing
///     totals            see `put_totals`
/// ```
///
/// Of sliding windows an entity is, after its key:
///
/// ```text
///   silent    i64       last window that was closed to make room, may be missing
///   amended   u32       how many; then of each, ascending: window i64, rows u32
///   panes     u32       how many, at least 1; then of each, ascending: index i64, totals
/// ```
pub(super) fn encode(
    digest: &[u8; 32],
    watermark: Option<i64>,
    counts: [u64; 4],
    store: &Store,
    layout: &Layout,
) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(digest);
    put_option(&mut out, watermark);
    counts.iter().for_each(|count| out.extend_from_slice(&count.to_le_bytes()));
    match store {
        Store::Apart(apart) => {
            let mut entities: Vec<&apart::Entity> = apart.entities.values().collect();
            entities.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            put_count(&mut out, entities.len());
            entities.into_iter().for_each(|entity| put_windows(&mut out, entity, layout));
        }
        Store::Sliding(sliding) => {
            let mut entities: Vec<&sliding::Entity> = sliding.entities.values().collect();
            entities.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            put_count(&mut out, entities.len());
            entities.into_iter().for_each(|entity| put_panes(&mut out, entity, layout));
        }
    }
    out
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("four billion of anything here do not fit into memory");
    out.extend_from_slice(&count.to_le_bytes());
}

fn put_option(out: &mut Vec<u8>, number: Option<i64>) {
    out.push(u8::from(number.is_some()));
    number.into_iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

fn put_key(out: &mut Vec<u8>, key: &str) {
    put_count(out, key.len());
    out.extend_from_slice(key.as_bytes());
}

fn put_windows(out: &mut Vec<u8>, entity: &apart::Entity, layout: &Layout) {
    put_key(out, &entity.key);
    put_count(out, entity.windows.len());
    for window in &entity.windows {
        out.extend_from_slice(&window.start.to_le_bytes());
        out.extend_from_slice(&window.last.to_le_bytes());
        out.push(match window.phase {
            Phase::Open => 0,
            Phase::Told => 1,
            Phase::Reopened => 2,
        });
        out.extend_from_slice(&window.rows.to_le_bytes());
        out.push(u8::from(window.told.is_some()));
        window.told.iter().flatten().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        put_option(out, window.early_due);
        put_totals(out, &window.totals, layout);
    }
}

fn put_panes(out: &mut Vec<u8>, entity: &sliding::Entity, layout: &Layout) {
    put_key(out, &entity.key);
    put_option(out, entity.silent_to);
    put_count(out, entity.amended.len());
    for (window, rows) in &entity.amended {
        out.extend_from_slice(&window.to_le_bytes());
        out.extend_from_slice(&rows.to_le_bytes());
    }
    put_count(out, entity.panes.len());
    for pane in &entity.panes {
        out.extend_from_slice(&pane.index.to_le_bytes());
        put_totals(out, &pane.totals, layout);
    }
}

/// Reads what [`encode`] has written. The bytes may be anything.
pub(super) fn decode(bytes: &[u8], digest: &[u8; 32], shape: Shape, rules: &Rules) -> Result<Stored, String> {
    let mut reader = Reader::new(bytes);
    let version = reader.u8()?;
    if ![VERSION_1, VERSION].contains(&version) {
        return Err(reader.fault(&format!("format version {version} is not known, {VERSION_1} and {VERSION} are")));
    }
    let same = reader.array::<32>()? == *digest;
    reader.check(same, "they are of another kind or have other columns")?;
    let watermark = reader.option(read_time)?;
    let [forced, forgotten, too_late] = [reader.u64()?, reader.u64()?, reader.u64()?];
    let small = if version == VERSION_1 { 0 } else { reader.u64()? };
    let counts = [forced, forgotten, too_late, small];
    let store = match shape {
        Shape::Apart(cut) => {
            let entities = read_entities(&mut reader, |reader, key| read_windows(reader, key, cut, rules))?;
            Store::Apart(Apart::restore(cut, rules, entities, small))
        }
        Shape::Sliding(slide) => {
            let entities = read_entities(&mut reader, |reader, key| read_panes(reader, key, slide, rules))?;
            Store::Sliding(Sliding::restore(slide, rules, entities, watermark, small))
        }
    };
    reader.check(reader.rest() == 0, "bytes left over")?;
    Ok(Stored { watermark, counts, store })
}

/// Reads a time. Begins and deadlines may lie a length beyond what events can.
fn read_time(reader: &mut Reader) -> Result<i64, String> {
    let time = reader.i64()?;
    reader.check((-2 * TIME_MAX..=2 * TIME_MAX).contains(&time), "a time beyond all bounds")?;
    Ok(time)
}

fn read_entities<T>(
    reader: &mut Reader,
    read: impl Fn(&mut Reader, Arc<str>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    // Of each at least the length of its key, the number of its windows and one of them.
    let many = reader.count(8 + TOTALS_BYTES_MIN)?;
    let mut entities = Vec::new();
    let mut before: Option<Arc<str>> = None;
    for _ in 0..many {
        let length = reader.u32()? as usize;
        let key = std::str::from_utf8(reader.take(length)?).map_err(|_| reader.fault("a key is not UTF-8"))?;
        let key: Arc<str> = key.into();
        reader.check(before.as_ref().is_none_or(|before| *before < key), "keys not in order")?;
        before = Some(Arc::clone(&key));
        entities.push(read(reader, key)?);
    }
    Ok(entities)
}

fn read_windows(reader: &mut Reader, key: Arc<str>, cut: Cut, rules: &Rules) -> Result<apart::Entity, String> {
    let many = reader.count(23 + TOTALS_BYTES_MIN)?;
    reader.check(many > 0, "an entity without windows")?;
    reader.check(many == 1 || cut.keeps(), "several counts open at once")?;
    let mut windows = VecDeque::new();
    for _ in 0..many {
        let window = read_window(reader, cut, rules)?;
        let in_order = windows.back().is_none_or(|before: &Window| before.start < window.start);
        reader.check(in_order, "windows not in order")?;
        windows.push_back(window);
    }
    Ok(apart::Entity { key, windows })
}

fn read_window(reader: &mut Reader, cut: Cut, rules: &Rules) -> Result<Window, String> {
    let (start, last) = (read_time(reader)?, read_time(reader)?);
    reader.check(last >= start && cut.start(start) == start, "a window that cannot begin or end there")?;
    let phase = match reader.u8()? {
        0 => Phase::Open,
        1 => Phase::Told,
        2 => Phase::Reopened,
        other => return Err(reader.fault(&format!("{other} is no phase of a window"))),
    };
    let rows = reader.u32()?;
    let values = rules.layout.width;
    let told = reader.option(|reader| (0..values).map(|_| reader.f64()).collect::<Result<_, _>>())?;
    let agree = (rows > 0) == told.is_some() && (phase != Phase::Reopened || rows > 0);
    reader.check(agree, "a window of which it is not clear whether it has been told")?;
    let early_due = reader.option(read_time)?;
    let totals = read_totals(reader, &rules.layout)?;
    Ok(Window { start, last, phase, rows, told, early_due, totals })
}

fn read_panes(reader: &mut Reader, key: Arc<str>, slide: Slide, rules: &Rules) -> Result<sliding::Entity, String> {
    let mut entity = sliding::Entity::new(key);
    let index_max = 2 * TIME_MAX / slide.step;
    let read_index = |reader: &mut Reader| {
        let index = reader.i64()?;
        reader.check((-index_max..=index_max).contains(&index), "a time beyond all bounds")?;
        Ok::<i64, String>(index)
    };
    entity.silent_to = reader.option(read_index)?;
    for _ in 0..reader.count(12)? {
        let (window, rows) = (read_index(reader)?, reader.u32()?);
        let in_order = entity.amended.last_key_value().is_none_or(|(before, _)| *before < window);
        reader.check(in_order, "amended windows not in order")?;
        entity.amended.insert(window, rows);
    }
    let many = reader.count(8 + TOTALS_BYTES_MIN)?;
    reader.check(many > 0, "an entity without panes")?;
    for _ in 0..many {
        let index = read_index(reader)?;
        let in_order = entity.panes.back().is_none_or(|before| before.index < index);
        reader.check(in_order, "panes not in order")?;
        entity.panes.push_back(Pane { index, totals: read_totals(reader, &rules.layout)? });
    }
    Ok(entity)
}
