use lapwing_vocabulary::EventTime;

use super::distinct::{Distinct, EXACT_MAX, REGISTER_MAX};
use super::layout::Layout;
use super::offsets::{OFFSETS_MAX, Offsets};
use super::reader::Reader;
use super::row::WindowText;
use super::sequence::{Sequence, Step};
use super::spec::Texts;
use super::tally::Tally;
use super::texts::Kept;
use super::totals::{Edge, Lists, Totals};
use crate::accumulator::usable;

/// Events and the number of offsets.
pub(super) const TOTALS_BYTES_MIN: usize = 9;

/// Appends the totals of a window or pane.
///
/// ```text
/// events      u64
/// offsets     u8        how many, 1 to 16; then each, ascending: i64
/// words       f64 each, as the layout of the columns says
/// edges       of each `first` and `last`, two of each `span`: u8 (0 none, 1 one); if one: time i64, offset i64, value f64
/// distincts   of each: u8 (0 exact, 1 estimated)
///   exact     u8        how many, at most 64; then each hash, ascending: u64
///   estimated 1024 registers, u8 each
/// tallies     of each `counts` of more than 64 labels: u16 how many slots; then each, ascending: slot u16, events u64
/// sequences   of each: u16 how many; then each, ascending: time i64, offset i64, value f64
/// texts       if texts are kept: u8 how many; then each, ascending:
///   place     time i64, offset i64
///   text      u8 (1 if cut); u16 its length; then the bytes, UTF-8
/// ```
pub(super) fn put_totals(out: &mut Vec<u8>, totals: &Totals, layout: &Layout) {
    out.extend_from_slice(&totals.events.to_le_bytes());
    let offsets = totals.offsets.as_slice();
    out.push(offsets.len() as u8);
    offsets.iter().for_each(|offset| out.extend_from_slice(&offset.to_le_bytes()));
    totals.words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    for edge in &totals.edges {
        out.push(u8::from(edge.is_some()));
        if let Some(Edge { time, offset, value }) = edge {
            out.extend_from_slice(&time.to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
    for distinct in &totals.distincts {
        match distinct {
            Distinct::Exact(hashes) => {
                out.extend_from_slice(&[0, hashes.len() as u8]);
                hashes.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
            }
            Distinct::Estimated(registers) => {
                out.push(1);
                out.extend_from_slice(&registers[..]);
            }
        }
    }
    if let Some(lists) = &totals.lists {
        put_lists(out, lists, layout.texts.is_some());
    }
}

fn put_lists(out: &mut Vec<u8>, lists: &Lists, has_texts: bool) {
    for tally in &lists.tallies {
        let entries = tally.entries();
        out.extend_from_slice(&(entries.len() as u16).to_le_bytes());
        for (slot, events) in entries {
            out.extend_from_slice(&(slot as u16).to_le_bytes());
            out.extend_from_slice(&events.to_le_bytes());
        }
    }
    for sequence in &lists.sequences {
        out.extend_from_slice(&(sequence.as_slice().len() as u16).to_le_bytes());
        for Step { time, offset, value } in sequence.as_slice() {
            out.extend_from_slice(&time.to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
    if !has_texts {
        return;
    }
    out.push(lists.texts.as_slice().len() as u8);
    for WindowText { offset, time, text, is_cut } in lists.texts.as_slice() {
        out.extend_from_slice(&time.0.to_le_bytes());
        out.extend_from_slice(&offset.to_le_bytes());
        out.push(u8::from(*is_cut));
        out.extend_from_slice(&(text.len() as u16).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
}

/// Reads what [`put_totals`] has written.
pub(super) fn read_totals(reader: &mut Reader, layout: &Layout) -> Result<Totals, String> {
    let events = reader.u64()?;
    reader.check(events > 0, "a window of 0 events")?;
    let many = usize::from(reader.u8()?);
    reader.check(many <= OFFSETS_MAX, "more offsets than are kept")?;
    let offsets = (0..many).map(|_| reader.i64()).collect::<Result<Vec<_>, _>>()?;
    let offsets = Offsets::from_kept(offsets).ok_or_else(|| reader.fault("no offsets, or not in order"))?;
    let words = layout.empty_words.iter().map(|_| reader.f64()).collect::<Result<_, _>>()?;
    let edges = layout.edges.iter().map(|_| reader.option(read_edge)).collect::<Result<_, _>>()?;
    let distincts = layout.distincts.iter().map(|_| read_distinct(reader)).collect::<Result<_, _>>()?;
    let lists = layout.has_lists().then(|| read_lists(reader, layout)).transpose()?.map(Box::new);
    Ok(Totals { events, offsets, words, edges, distincts, lists })
}

fn read_lists(reader: &mut Reader, layout: &Layout) -> Result<Lists, String> {
    let tallies = layout.tallies.iter().map(|of| read_tally(reader, of.labels)).collect::<Result<_, _>>()?;
    let sequences = layout.sequences.iter().map(|of| read_sequence(reader, of.length)).collect::<Result<_, _>>()?;
    let texts = layout.texts.map_or(Ok(Kept::default()), |of| read_texts(reader, of))?;
    Ok(Lists { tallies, sequences, texts })
}

fn read_tally(reader: &mut Reader, labels: usize) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut next = 0;
    for _ in 0..reader.u16()? {
        let (slot, events) = (usize::from(reader.u16()?), reader.u64()?);
        reader.check((next..=labels).contains(&slot), "codes not in order, or without a slot")?;
        next = slot + 1;
        tally.add(slot, events);
    }
    Ok(tally)
}

fn read_sequence(reader: &mut Reader, length: usize) -> Result<Sequence, String> {
    let many = usize::from(reader.u16()?);
    reader.check(many <= length, "a sequence longer than it can be")?;
    let step = |reader: &mut Reader| {
        let step = Step { time: reader.i64()?, offset: reader.i64()?, value: reader.f64()? };
        reader.check(usable(step.value), "a sequence with a value that is none")?;
        Ok::<_, String>(step)
    };
    let steps = (0..many).map(|_| step(reader)).collect::<Result<Vec<_>, _>>()?;
    Sequence::from_kept(steps).ok_or_else(|| reader.fault("a sequence not in order"))
}

fn read_texts(reader: &mut Reader, of: Texts) -> Result<Kept, String> {
    let many = usize::from(reader.u8()?);
    reader.check(many <= of.events, "more texts than are kept")?;
    let texts = (0..many).map(|_| read_text(reader, of)).collect::<Result<Vec<_>, _>>()?;
    Kept::from_kept(texts).ok_or_else(|| reader.fault("texts not in order"))
}

fn read_text(reader: &mut Reader, of: Texts) -> Result<WindowText, String> {
    let (time, offset) = (EventTime(reader.i64()?), reader.i64()?);
    let is_cut = reader.u8()?;
    reader.check(is_cut <= 1, "a text neither cut (1) nor whole (0)")?;
    let length = usize::from(reader.u16()?);
    reader.check(length <= of.bytes, "a text longer than it can be")?;
    let text = std::str::from_utf8(reader.take(length)?).map_err(|_| reader.fault("a text is not UTF-8"))?;
    Ok(WindowText { offset, time, text: text.into(), is_cut: is_cut == 1 })
}

fn read_edge(reader: &mut Reader) -> Result<Edge, String> {
    Ok(Edge { time: reader.i64()?, offset: reader.i64()?, value: reader.f64()? })
}

fn read_distinct(reader: &mut Reader) -> Result<Distinct, String> {
    match reader.u8()? {
        0 => {
            let many = usize::from(reader.u8()?);
            reader.check(many <= EXACT_MAX, "more hashes than are kept")?;
            let hashes = (0..many).map(|_| reader.u64()).collect::<Result<Vec<_>, _>>()?;
            reader.check(hashes.is_sorted_by(|a, b| a < b), "hashes not in order")?;
            Ok(Distinct::Exact(hashes))
        }
        1 => {
            let registers = Box::new(reader.array()?);
            reader.check(registers.iter().all(|rank| *rank <= REGISTER_MAX), "a register that no hash can fill")?;
            Ok(Distinct::Estimated(registers))
        }
        other => Err(reader.fault(&format!("{other} is neither 0 (exact) nor 1 (estimated)"))),
    }
}
