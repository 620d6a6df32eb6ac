//! How many lines of a log have the header of a layout, and how many are split in a second on one core.
//!
//! `cargo run --release -p lapwing-logs --example split -- LAYOUT FILE [KEYS]`: the file may be compressed by gzip; a
//! line is split, its time read, and its keys found. Without a file, with `LAPWING_DATA` set, the public HDFS and BGL
//! lines are taken.
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // A measurement reads the clock and tells what it saw.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use lapwing_logs::{FieldKind, Keys, Layout};

/// 2009-01-01T00:00:00Z; only times without a year look at it.
const ARRIVED_MICROS: i64 = 1_230_768_000_000_000;
/// As long as it takes for a steady figure.
const MEASURED: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [layout, file] => measure(layout, Path::new(file), None),
        [layout, file, keys] => measure(layout, Path::new(file), Some(keys)),
        _ => {
            let folder = std::env::var("LAPWING_DATA").map_err(|_| "give LAYOUT FILE [KEYS], or set LAPWING_DATA")?;
            measure("hdfs", &Path::new(&folder).join("hdfs/HDFS_20000.log.gz"), Some(r"blk_-?\d+"))?;
            measure("bgl", &Path::new(&folder).join("bgl/bgl_first_50000.log.gz"), None)
        }
    }
}

fn measure(layout: &str, file: &Path, keys: Option<&str>) -> Result<(), Box<dyn Error>> {
    let layout = Layout::named(layout)?;
    let keys = keys.map(Keys::new).transpose()?;
    let text = read(file)?;
    let lines: Vec<&str> = text.lines().collect();
    let (begun, mut rounds) = (Instant::now(), 0_u32);
    let mut seen = Seen::default();
    let busy_before = busy();
    while begun.elapsed() < MEASURED {
        seen = pass(&layout, keys.as_ref(), &lines);
        rounds += 1;
    }
    let seconds = match (busy_before, busy()) {
        (Some(before), Some(after)) => (after - before).as_secs_f64(),
        _ => begun.elapsed().as_secs_f64(),
    };
    let share = 100.0 * seen.fit as f64 / lines.len().max(1) as f64;
    let bytes = text.len() as f64 / lines.len().max(1) as f64;
    let per_second = lines.len() as f64 * f64::from(rounds) / seconds / 1e6;
    println!("{}: {} lines of {bytes:.0} bytes, {share:.3} % fit, {} keys", file.display(), lines.len(), seen.keys);
    println!("  {per_second:.2} million lines/s, sum of times {}", seen.time_sum);
    if let Some(misfit) = seen.misfit {
        println!("  first misfit: {misfit}");
    }
    Ok(())
}

/// Time that this thread had on a core, where Linux tells it: on a shared machine the clock also counts the others.
fn busy() -> Option<Duration> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn read(file: &Path) -> Result<String, Box<dyn Error>> {
    let mut bytes = Vec::new();
    File::open(file)?.read_to_end(&mut bytes)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let compressed = std::mem::take(&mut bytes);
        MultiGzDecoder::new(compressed.as_slice()).read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8(bytes)?)
}

#[derive(Default)]
struct Seen {
    fit: u64,
    keys: u64,
    time_sum: i64,
    misfit: Option<String>,
}

fn pass(layout: &Layout, keys: Option<&Keys>, lines: &[&str]) -> Seen {
    let time = layout.fields().iter().position(|field| field.kind == FieldKind::Time);
    let (mut ranges, mut found) = (Vec::new(), Vec::new());
    let mut seen = Seen::default();
    for line in lines {
        if let Err(error) = layout.split(line, &mut ranges) {
            seen.misfit.get_or_insert_with(|| format!("{error} in `{line}`"));
            continue;
        }
        if let Some((field, range)) = time.and_then(|field| Some((field, ranges[field].clone()?))) {
            match layout.time(field, &line[range.start as usize..range.end as usize], ARRIVED_MICROS) {
                Ok(micros) => seen.time_sum = seen.time_sum.wrapping_add(micros),
                Err(error) => {
                    seen.misfit.get_or_insert_with(|| format!("{error} in `{line}`"));
                    continue;
                }
            }
        }
        if let Some(keys) = keys {
            keys.find(line, &mut found);
            seen.keys += found.len() as u64;
        }
        seen.fit += 1;
    }
    seen
}
