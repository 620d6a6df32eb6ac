//! `lapwing watermark`: how late events come, and what watermark they need.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use lapwing_features::{Lateness, advise, disorder_micros};
use lapwing_pipeline::decode::Decoder;
use lapwing_pipeline::join::is_event;
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::settings::Overrides;
use lapwing_vocabulary::time_confusion::ConfusionTally;
use lapwing_vocabulary::{EventTime, Records};

use crate::failure::{CONFIGURATION, DATA, Failure};
use crate::history::History;
use crate::load;
use crate::places::Inputs;

/// Records read at a time.
const BATCH: usize = 8_192;

/// Say how late the events of a source come, and what watermark they need.
#[derive(Args, Debug)]
pub struct WatermarkArgs {
    /// The pipeline file.
    pub pipeline: PathBuf,
    /// Read these files instead of the source topic.
    #[arg(long)]
    pub input: Vec<PathBuf>,
    /// Read no more than so many records.
    #[arg(long)]
    pub limit: Option<u64>,
    /// One JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What was seen of a source.
#[derive(Default)]
struct Seen {
    lateness: Lateness,
    confusion: ConfusionTally,
    newest: BTreeMap<i32, EventTime>,
    refused: u64,
}

/// Runs the command.
pub fn run(args: &WatermarkArgs, stop: &AtomicBool) -> Result<(), Failure> {
    let settings = load::settings(&args.pipeline, &Overrides::default())?;
    let inputs = Inputs { files: args.input.clone() };
    let plan = load::plan(settings, &inputs, Purpose::Run)?;
    let mut decoder = decoder(&plan)?;
    let mut history = History::open(&plan, &inputs)?;
    let mut seen = Seen::default();
    let mut left = args.limit.unwrap_or(u64::MAX);
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("reading {spinner} {human_pos} events, {per_sec}");
    bar.set_style(style.expect("the template is valid"));
    while left > 0
        && let Some(records) = history.next(left.min(BATCH as u64) as usize)?
    {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        left -= records.len() as u64;
        seen.take_in(&mut decoder, &records, plan.settings.source.watermark_micros);
        bar.inc(records.len() as u64);
    }
    bar.finish_and_clear();
    if seen.lateness.events() == 0 {
        let text = "no event with a time was found\nhint: produce some first, or name a file with --input";
        return Err(Failure::new(DATA, text));
    }
    tell(&seen, &plan, args.json);
    Ok(())
}

/// Decodes key and time, and lets clocks in the future through: they are what is looked for.
fn decoder(plan: &Plan) -> Result<Decoder, Failure> {
    let mut options = plan.decode.clone();
    let wanted: Vec<String> = std::iter::once(options.key.clone()).chain(options.time.clone()).collect();
    options.schema = options.schema.narrowed(&wanted);
    options.max_future_micros = i64::MAX;
    Decoder::new(options).map_err(|fault| Failure::new(CONFIGURATION, fault))
}

impl Seen {
    fn take_in(&mut self, decoder: &mut Decoder, records: &Records, watermark_micros: i64) {
        let events: Vec<usize> = (0..records.len()).filter(|index| is_event(records, *index)).collect();
        let decoded = decoder.decode_at(records, events.into_iter());
        self.refused += decoded.dead.len() as u64;
        let newest = self.newest.entry(records.partition());
        let newest = newest.or_insert(EventTime(i64::MIN));
        for (time, arrived) in decoded.events.times.iter().zip(&decoded.events.arrived) {
            let before = (newest.0 != i64::MIN).then_some(*newest);
            let disorder = disorder_micros(before, *time);
            self.lateness.observe(disorder, arrived.saturating_sub(time.0));
            if disorder > watermark_micros {
                self.confusion.observe(*time, EventTime(*arrived));
            }
            *newest = (*newest).max(*time);
        }
    }
}

fn tell(seen: &Seen, plan: &Plan, json: bool) {
    let advice = advise(&seen.lateness, plan.settings.source.watermark_micros);
    if json {
        let quantiles = |of: &lapwing_features::Quantiles| serde_json::json!({ "p50": of.p50, "p90": of.p90, "p99": of.p99, "p99.9": of.p999, "max": of.max });
        let suggestions = advice.suggestions.iter().map(|suggestion| {
            serde_json::json!({ "watermark_micros": suggestion.watermark_micros, "late_share": suggestion.late_share })
        });
        let answer = serde_json::json!({
            "events": advice.events,
            "watermark_micros": advice.watermark_micros,
            "late_share": advice.late_share_now,
            "disorder_micros": quantiles(&advice.disorder),
            "delay_micros": quantiles(&advice.delay),
            "suggestions": suggestions.collect::<Vec<_>>(),
            "refused": seen.refused,
        });
        return crate::print_line(&answer.to_string());
    }
    crate::print_line(&advice.to_string());
    if let Some(confusion) = seen.confusion.finding() {
        crate::print_line(&confusion.to_string());
    }
    if seen.refused > 0 {
        crate::print_line(&format!("{} records have no key or no time, and were left out", seen.refused));
    }
}
