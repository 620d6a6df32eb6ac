//! Prints how fast messages get their templates, and which they are.
//! Run with `cargo run --release -p lapwing-logs --example templates -- FILE [OPTIONS]`; a file holds one message per line.
//!
//! `--seed FILE` known templates; `--no-learn`; `--lines N` repeats the messages until there are that many;
//! `--parameters` asks for them; `--unique` gives each message words of its own; `--every N` prints the speed after each N;
//! `--assign FILE` writes the id of each message's template; `--write FILE` the templates as a list of known ones.
#![allow(clippy::print_stdout)]

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Instant;

use lapwing_logs::{Miner, TemplateSpec, read_seed, write_seed};

#[derive(Default)]
struct Options {
    messages: PathBuf,
    seed: Option<PathBuf>,
    no_learn: bool,
    lines: usize,
    parameters: bool,
    unique: bool,
    every: usize,
    assign: Option<PathBuf>,
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("templates: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options::default();
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        let mut value = || given.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse::<usize>().map_err(|_| format!("{text} is not a number"));
        match word.as_str() {
            "--seed" => options.seed = Some(value()?.into()),
            "--assign" => options.assign = Some(value()?.into()),
            "--write" => options.write = Some(value()?.into()),
            "--lines" => options.lines = number(value()?)?,
            "--every" => options.every = number(value()?)?,
            "--no-learn" => options.no_learn = true,
            "--parameters" => options.parameters = true,
            "--unique" => options.unique = true,
            _ if word.starts_with("--") => return Err(format!("{word} is no option")),
            _ => options.messages = word.into(),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), String> {
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| format!("read {}: {error}", path.display()));
    let text = String::from_utf8(read(&options.messages)?).map_err(|_| "the messages are not UTF-8")?;
    let messages: Vec<&str> = text.lines().collect();
    let seed = match &options.seed {
        Some(path) => read_seed(&read(path)?).map_err(|error| error.to_string())?,
        None => Vec::new(),
    };
    let spec = TemplateSpec { seed, learn: !options.no_learn, ..TemplateSpec::default() };
    let mut miner = Miner::new(spec).map_err(|error| error.to_string())?;
    if let Some(path) = &options.assign {
        let ids: String = messages.iter().map(|message| id(&mut miner, message) + "\n").collect();
        std::fs::write(path, ids).map_err(|error| format!("write {}: {error}", path.display()))?;
    } else {
        measure(options, &mut miner, &messages);
    }
    if let Some(path) = &options.write {
        let list = write_seed(miner.templates().map(|template| (&*template.id, template.text.as_str())));
        std::fs::write(path, list).map_err(|error| format!("write {}: {error}", path.display()))?;
    }
    let counts = miner.counts();
    println!(
        "templates {} created {} evicted {} unknown {} cut {} bytes {}",
        miner.templates().filter(|template| template.lines > 0).count(),
        counts.created,
        counts.evicted,
        counts.unknown,
        counts.cut,
        miner.bytes()
    );
    Ok(())
}

fn id(miner: &mut Miner, message: &str) -> String {
    let taken = miner.take(message, None);
    miner.template(taken.slot).map(|template| template.id.to_string()).unwrap_or_default()
}

/// Only the miner's own time counts: making messages unique does not.
fn measure(options: &Options, miner: &mut Miner, messages: &[&str]) {
    let lines = options.lines.max(messages.len());
    let every = if options.every > 0 { options.every } else { lines };
    let (mut total, mut parameters): (f64, Vec<Range<u32>>) = (0.0, Vec::new());
    let mut new = 0_usize;
    for start in (0..lines).step_by(every) {
        let numbers = start..(start + every).min(lines);
        let count = numbers.len();
        let made: Vec<String> = match options.unique {
            true => numbers.clone().map(|number| unique(number, messages[number % messages.len()])).collect(),
            false => Vec::new(),
        };
        let from = processor_seconds();
        for (at, number) in numbers.enumerate() {
            let message = made.get(at).map_or(messages[number % messages.len()], String::as_str);
            new += usize::from(miner.take(message, options.parameters.then_some(&mut parameters)).is_new);
        }
        let spent = processor_seconds() - from;
        total += spent;
        if every < lines {
            println!("after {} lines: {:.0} lines/s", start + count, count as f64 / spent);
        }
    }
    println!("{lines} lines, {new} made a template: {:.0} lines/s", lines as f64 / total);
}

/// Seconds that this process has run on a processor: what others do at the same time hardly moves them. Where the
/// system does not tell, the clock on the wall.
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn processor_seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(|| START.get_or_init(Instant::now).elapsed().as_secs_f64(), |nanos| nanos * 1e-9)
}

/// A message whose words no other has: no mask knows them and nothing is similar.
fn unique(number: usize, message: &str) -> String {
    let letters: String = (0..6).map(|place| char::from(b'a' + (number >> (place * 4) & 15) as u8)).collect();
    message.split(' ').map(|word| format!("{word}{letters} ")).collect()
}
