//! `lapwing templates`: what log messages were printed from.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, AsArray};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use lapwing_logs::{Miner, Template, TemplateSpec, write_seed};
use lapwing_pipeline::decode::{DecodeOptions, Decoder};
use lapwing_pipeline::join::is_event;
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::settings::{Overrides, Templates};
use lapwing_vocabulary::{EventTime, Records};

use crate::failure::{CONFIGURATION, DATA, Failure, IO};
use crate::history::History;
use crate::load;
use crate::places::Inputs;
use crate::state::Place;

/// Records read at a time.
const BATCH: usize = 8_192;
/// Longest line that is read from a terminal or a pipe. Units: bytes.
const LINE_BYTES_MAX: u64 = 1 << 24;

/// Learn the templates of a log, look at them, try lines on them.
#[derive(Subcommand, Debug)]
pub enum TemplatesCommand {
    /// Learn templates from the source, or from files, and write them as a list for `seed`.
    Learn {
        /// The pipeline file.
        pipeline: PathBuf,
        /// Read these files instead of the source topic.
        #[arg(long)]
        input: Vec<PathBuf>,
        /// Where the list goes (`-` is standard output).
        #[arg(long, default_value = "-")]
        output: PathBuf,
        /// Read no more than so many records.
        #[arg(long)]
        limit: Option<u64>,
        /// Leave out templates of fewer lines.
        #[arg(long, default_value_t = 1)]
        min_lines: u64,
    },
    /// The templates that the newest snapshots know, those of most lines first.
    List {
        /// The pipeline file.
        pipeline: PathBuf,
        /// One JSON object per template instead of text.
        #[arg(long)]
        json: bool,
    },
    /// One template: its text, its lines, and where it is known.
    Show {
        /// The pipeline file.
        pipeline: PathBuf,
        /// Its id.
        id: String,
    },
    /// Say what becomes of lines: their fields, keys and template. Without lines those of standard input.
    Test {
        /// The pipeline file.
        pipeline: PathBuf,
        /// Lines of the log, each as one argument.
        lines: Vec<String>,
    },
}

/// Runs the command.
pub fn run(command: &TemplatesCommand, stop: &AtomicBool) -> Result<(), Failure> {
    match command {
        TemplatesCommand::Learn { pipeline, input, output, limit, min_lines } => {
            learn(pipeline, input, output, limit.unwrap_or(u64::MAX), *min_lines, stop)
        }
        TemplatesCommand::List { pipeline, json } => list(pipeline, *json),
        TemplatesCommand::Show { pipeline, id } => show(pipeline, id),
        TemplatesCommand::Test { pipeline, lines } => test(pipeline, lines),
    }
}

/// What a pipeline says of templates.
fn settings_of(plan: &Plan) -> Result<&Templates, Failure> {
    plan.settings.templates.as_ref().ok_or_else(|| {
        let text = format!("{} has no [templates]\nhint: docs/templates.md says how", plan.settings.file().display());
        Failure::new(CONFIGURATION, text)
    })
}

/// Reads the messages of a log and nothing else of them.
struct Messages {
    decoder: Decoder,
    column: String,
}

impl Messages {
    fn new(plan: &Plan, templates: &Templates) -> Result<Self, Failure> {
        let wanted = [Some(&plan.decode.key), plan.decode.time.as_ref(), Some(&templates.column)];
        let wanted: Vec<String> = wanted.into_iter().flatten().cloned().collect();
        let schema = plan.decode.schema.narrowed(&wanted);
        let options = DecodeOptions { schema, max_future_micros: i64::MAX, ..plan.decode.clone() };
        let decoder = Decoder::new(options).map_err(|fault| Failure::new(CONFIGURATION, fault))?;
        Ok(Self { decoder, column: templates.column.clone() })
    }

    /// Hands each message over, once; returns how many records do not fit.
    fn each(&mut self, records: &Records, mut take: impl FnMut(&str)) -> u64 {
        let events: Vec<usize> = (0..records.len()).filter(|index| is_event(records, *index)).collect();
        let decoded = self.decoder.decode_at(records, events.into_iter());
        let Some(column) = decoded.events.rows.column_by_name(&self.column) else { return 0 };
        let texts = column.as_string::<i32>();
        let mut before = None;
        for (row, record) in decoded.records.iter().enumerate() {
            // A line that names several keys has a row for each.
            if before != Some(record) && texts.is_valid(row) {
                take(texts.value(row));
            }
            before = Some(record);
        }
        decoded.dead.len() as u64
    }
}

fn learn(
    pipeline: &Path,
    input: &[PathBuf],
    output: &Path,
    limit: u64,
    lines_min: u64,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let settings = load::settings(pipeline, &Overrides::default())?;
    let inputs = Inputs { files: input.to_vec() };
    let plan = keeping_messages(settings, &inputs)?;
    let templates = settings_of(&plan)?;
    let spec = TemplateSpec { learn: true, ..templates.spec.clone() };
    let mut miner = Miner::new(spec).map_err(|error| Failure::new(CONFIGURATION, error))?;
    let mut messages = Messages::new(&plan, templates)?;
    let mut history = History::open(&plan, &inputs)?;
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("learning {spinner} {human_pos} lines, {per_sec}");
    bar.set_style(style.expect("the template is valid"));
    let (mut left, mut refused) = (limit, 0);
    while left > 0
        && !stop.load(Ordering::Relaxed)
        && let Some(records) = history.next(left.min(BATCH as u64) as usize)?
    {
        left -= records.len() as u64;
        refused += messages.each(&records, |message| _ = miner.take(message, None));
        bar.inc(records.len() as u64);
    }
    bar.finish_and_clear();
    let counts = miner.counts();
    if counts.lines == 0 {
        let text = "no message was found\nhint: produce some first, or name a file with --input";
        return Err(Failure::new(DATA, text));
    }
    let mut found: Vec<&Template> = miner.templates().filter(|template| template.lines >= lines_min).collect();
    // Those of the list keep their places, and with them their codes.
    found.sort_by(|a, b| {
        let place = |template: &Template| if template.code > 0 { template.code } else { u32::MAX };
        (place(a), b.lines, &a.id).cmp(&(place(b), a.lines, &b.id))
    });
    let list = write_seed(found.iter().map(|template| (&*template.id, template.text.as_str())));
    write(output, &list)?;
    tracing::info!(lines = counts.lines, templates = found.len(), refused, forgotten = counts.evicted, "learned");
    Ok(())
}

/// Compiles a plan whose decode keeps the messages, whether or not a stage reads them.
fn keeping_messages(
    settings: lapwing_pipeline::settings::Pipeline,
    inputs: &Inputs,
) -> Result<std::sync::Arc<Plan>, Failure> {
    let column = settings.templates.as_ref().map(|templates| templates.column.clone());
    load::plan_with(settings, inputs, Purpose::Run, &column.into_iter().collect::<Vec<_>>())
}

fn write(output: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = match output.as_os_str() == "-" {
        true => std::io::stdout().write_all(bytes),
        false => std::fs::write(output, bytes),
    };
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failure::new(IO, format!("write {}: {error}", output.display()))),
    }
}

/// A template as the snapshots of all partitions know it.
struct Known {
    text: String,
    code: u32,
    lines: u64,
    partitions: Vec<i32>,
}

fn known(pipeline: &Path) -> Result<BTreeMap<String, Known>, Failure> {
    let place = Place::open(pipeline)?;
    let templates = settings_of(&place.plan)?;
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for (at, seed) in templates.spec.seed.iter().enumerate() {
        let (text, code) = (seed.text.clone(), at as u32 + 1);
        known.insert(seed.id.clone(), Known { text, code, lines: 0, partitions: Vec::new() });
    }
    for partition in 0..place.partitions {
        let Some(memory) = place.memory(partition)? else { continue };
        for template in memory.templates() {
            let entry = known.entry(template.id.to_string()).or_insert_with(|| Known {
                text: template.text.clone(),
                code: template.code,
                lines: 0,
                partitions: Vec::new(),
            });
            entry.lines += template.lines;
            if template.lines > 0 {
                entry.partitions.push(partition);
            }
        }
    }
    Ok(known)
}

fn list(pipeline: &Path, json: bool) -> Result<(), Failure> {
    let mut known: Vec<(String, Known)> = known(pipeline)?.into_iter().collect();
    known.sort_by(|(a, one), (b, other)| (other.lines, a).cmp(&(one.lines, b)));
    if !json {
        crate::print_line(&format!("{:<14} {:>12}  template", "id", "lines"));
    }
    for (id, template) in known {
        let Known { text, code, lines, partitions } = template;
        crate::print_line(&match json {
            true => serde_json::json!({
                "id": id, "code": code, "lines": lines, "text": text, "partitions": partitions,
            })
            .to_string(),
            false => format!("{id:<14} {lines:>12}  {text}"),
        });
    }
    Ok(())
}

fn show(pipeline: &Path, id: &str) -> Result<(), Failure> {
    let known = known(pipeline)?;
    let Some(template) = known.get(id) else {
        let text = format!("no template `{id}` is known\nhint: `lapwing templates list` shows all");
        return Err(Failure::new(DATA, text));
    };
    crate::print_line(&format!("{id}: {}", template.text));
    let origin = match template.code {
        0 => "learned from the lines".to_owned(),
        code => format!("number {code} of the list"),
    };
    let of = match template.partitions.len() {
        0 => "no lines yet, as far as snapshots go".to_owned(),
        count => format!("{} lines in {count} partitions", template.lines),
    };
    crate::print_line(&format!("  {origin}, {of}"));
    Ok(())
}

fn test(pipeline: &Path, lines: &[String]) -> Result<(), Failure> {
    let settings = load::settings(pipeline, &Overrides::default())?;
    let plan = keeping_messages(settings, &Inputs::default())?;
    let templates = settings_of(&plan)?;
    let mut miner = Miner::new(templates.spec.clone()).map_err(|error| Failure::new(CONFIGURATION, error))?;
    let mut tester = Tester::new(&plan, templates)?;
    if !lines.is_empty() {
        lines.iter().for_each(|line| tester.tell(line, &mut miner));
        return Ok(());
    }
    let mut input = std::io::stdin().lock();
    loop {
        let mut line = Vec::new();
        let fault = |error: std::io::Error| Failure::new(IO, format!("standard input: {error}"));
        let length = std::io::Read::take(&mut input, LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(fault)?;
        if length == 0 {
            return Ok(());
        }
        tester.tell(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']), &mut miner);
    }
}

/// Says what becomes of single lines.
struct Tester {
    decoder: Decoder,
    column: String,
    key: String,
}

impl Tester {
    fn new(plan: &Plan, templates: &Templates) -> Result<Self, Failure> {
        let options = DecodeOptions { max_future_micros: i64::MAX, ..plan.decode.clone() };
        let decoder = Decoder::new(options).map_err(|fault| Failure::new(CONFIGURATION, fault))?;
        Ok(Self { decoder, column: templates.column.clone(), key: plan.settings.source.key.clone() })
    }

    fn tell(&mut self, line: &str, miner: &mut Miner) {
        let mut records = Records::new("test".into(), 0);
        let now = crate::clock::SystemClock;
        let arrived = lapwing_pipeline::clock::Clock::wall_micros(&now);
        records.push(0, arrived, None, line.as_bytes(), Vec::new());
        let decoded = self.decoder.decode(&records, 0..1);
        crate::print_line(line);
        for (_, letter) in &decoded.dead {
            crate::print_line(&format!("  dead letter ({}): {}", letter.reason.name(), letter.message));
        }
        let rows = &decoded.events.rows;
        let text = |name: &str, row: usize| {
            let column =
                rows.column_by_name(name).map(|column| arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8));
            let column = column?.ok()?;
            let texts = column.as_string::<i32>();
            texts.is_valid(row).then(|| texts.value(row).to_owned())
        };
        let Some(message) = (!decoded.records.is_empty()).then(|| text(&self.column, 0)).flatten() else { return };
        let keys: Vec<String> = (0..decoded.records.len()).filter_map(|row| text(&self.key, row)).collect();
        let time: EventTime = decoded.events.times[0];
        crate::print_line(&format!("  {}: {}; time {}", self.key, keys.join(", "), time.to_rfc3339()));
        let mut parameters = Vec::new();
        let taken = miner.take(&message, Some(&mut parameters));
        let Some(template) = miner.template(taken.slot) else { return };
        let new = if taken.is_new { ", new with this line" } else { "" };
        crate::print_line(&format!("  template {}{new}: {}", template.id, template.text));
        let values = parameters.iter().map(|range| &message[range.start as usize..range.end as usize]);
        let values: Vec<&str> = values.collect();
        crate::print_line(&format!(
            "  parameters: {}",
            if values.is_empty() { "none".to_owned() } else { values.join(" | ") }
        ));
    }
}
