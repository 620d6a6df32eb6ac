use super::distinct::{Distinct, EXACT_MAX, REGISTER_MAX};
use super::layout::Layout;
use super::offsets::{OFFSETS_MAX, Offsets};
use super::reader::Reader;
use super::totals::{Edge, Totals};

/// Events and the number of offsets.
pub(super) const TOTALS_BYTES_MIN: usize = 9;

/// Appends the totals of a window or pane.
///
/// ```text
/// events      u64
/// offsets     u8        how many, 1 to 16; then each, ascending: i64
/// words       f64 each, as the layout of the columns says
/// edges       of each `first` and `last`: u8 (0 none, 1 one); if one: time i64, offset i64, value f64
/// distincts   of each: u8 (0 exact, 1 estimated)
///   exact     u8        how many, at most 64; then each hash, ascending: u64
///   estimated 1024 registers, u8 each
/// ```
pub(super) fn put_totals(out: &mut Vec<u8>, totals: &Totals) {
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
    Ok(Totals { events, offsets, words, edges, distincts })
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
