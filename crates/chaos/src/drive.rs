use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::broker::Broker;
use crate::campaign::{Campaign, Counts};
use crate::clock;
use crate::events;
use crate::failure::Failure;
use crate::feed::{self, Gauge};
use crate::follower::{self, Follower};
use crate::ledger::{EXAMPLES, Ledger};
use crate::ownership::Ownership;
use crate::plan::Plan;
use crate::report::{self, Report};
use crate::say;
use crate::scene::Scene;
use crate::undisturbed;
use crate::verdict::{Source, Verdict};
use crate::witness::Witness;

/// What the disturbed part left behind.
struct Disturbed {
    sent: Vec<u128>,
    book: Ledger,
    counts: Counts,
    ownership: Ownership,
    took: Duration,
}

/// Runs everything; whether the books agree.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    check(arguments)?;
    let date = clock::wall();
    // Two campaigns may begin in the same second.
    let name = format!("chaos-{}-{}", date.0 / 1_000_000, std::process::id());
    let broker = Broker::new(&arguments.broker, arguments.bootstrap.as_deref())?;
    let scene = Scene::make(arguments, &name)?;
    let command = command_line(arguments);
    say(&format!("{command}\nbroker {}, topics {name}.*, folder {}", broker.address, scene.folder.display()));
    let pipeline = scene.pipeline(arguments, &broker.address, &name)?;
    scene.train(arguments, &pipeline)?;

    let disturbed = disturb(arguments, &broker, &scene, &name, &pipeline)?;
    say("the same events once more, undisturbed");
    let calm = undisturbed::run(arguments, &broker, &scene, &format!("{name}-undisturbed"))?;
    say("comparing");
    let mut verdict = compare(arguments, &broker, &scene, &name, &disturbed, &calm)?;
    verdict.unexpected_ends = disturbed.counts.unexpected.len() as u64;

    let result = Report {
        date: date.to_string(),
        lapwing: version(arguments, &scene)?,
        broker: broker_version(arguments, &broker),
        taken: disturbed.ownership.taken,
        started_over: disturbed.ownership.started_over,
        seconds: disturbed.took.as_secs(),
        seconds_all: clock::elapsed().as_secs(),
        counts: disturbed.counts,
        verdict,
        command,
    };
    publish(arguments, &result)?;
    let holds = result.verdict.holds();
    match holds && !arguments.keep {
        true => scene.remove(),
        false => say(&format!("logs of all processes are in {}", scene.folder.join("logs").display())),
    }
    Ok(holds)
}

fn check(arguments: &Arguments) -> Result<(), Failure> {
    let refuse = |text: &str| Err(Failure::Usage(text.to_owned()));
    match arguments {
        Arguments { kills: 0, .. } => refuse("--kills: give at least 1"),
        Arguments { partitions, .. } if *partitions < 1 => refuse("--partitions: give at least 1"),
        Arguments { calm, .. } if !(0.0..=3600.0).contains(calm) => refuse("--calm: give 0 to 3600 seconds"),
        Arguments { train, events, .. } if train > events => refuse("--train: give at most as many as --events"),
        _ => Ok(()),
    }
}

/// The part in which copies are struck while events flow.
fn disturb(
    arguments: &Arguments,
    broker: &Broker,
    scene: &Scene,
    run: &str,
    pipeline: &str,
) -> Result<Disturbed, Failure> {
    let begun = clock::elapsed();
    let gauge = Arc::new(Gauge::default());
    let witness = Witness::start(broker, run, arguments.partitions)?;
    let feed = feed::start(broker, &scene.source, arguments.seed, arguments.events, gauge.clone())?;
    let mut campaign = Campaign::new(arguments, broker, scene, pipeline, gauge.clone(), &witness);
    let mut plan = Plan::new(arguments.seed, Duration::from_secs_f64(arguments.calm));
    let outcome = campaign.run(&mut plan);
    let (counts, ownership) = (campaign.counts.clone(), campaign.ownership.clone());
    drop(campaign);
    gauge.stop.store(true, Ordering::Relaxed);
    let sent = feed.join().map_err(|_| Failure::Panicked("feed"))?;
    let book = witness.finish();
    // Whoever ended early knows the reason; the campaign only saw that it did.
    match outcome {
        Err(Failure::Interrupted) | Ok(()) => {}
        Err(failure) => return Err(failure),
    }
    Ok(Disturbed { sent: sent?, book: book?, counts, ownership, took: clock::elapsed() - begun })
}

fn compare(
    arguments: &Arguments,
    broker: &Broker,
    scene: &Scene,
    run: &str,
    disturbed: &Disturbed,
    calm: &Ledger,
) -> Result<Verdict, Failure> {
    let source = read_source(arguments, broker, scene, disturbed)?;
    let mut verdict = Verdict::new(&source, &disturbed.book, calm);
    let mut topics = broker.topics()?;
    for topic in ["dead_letters", "late"] {
        verdict.set_aside += follower::count(&mut topics, &format!("{run}.{topic}"), arguments.partitions)?;
    }
    if !disturbed.book.doubled_at.is_empty() {
        verdict.cases.extend(places(arguments, broker, run, &disturbed.book)?);
    }
    Ok(verdict)
}

/// Reads what the source topic really holds, and where that lies which never came out.
fn read_source(
    arguments: &Arguments,
    broker: &Broker,
    scene: &Scene,
    disturbed: &Disturbed,
) -> Result<Source, Failure> {
    let mut source = Source::default();
    let mut follower = Follower::new(&scene.source, arguments.partitions);
    follower.drain(&mut broker.topics()?, &mut |records, index| {
        // What has no identity differs from what was sent, and is found by that.
        let id = events::id_of(records.value(index)).unwrap_or_default();
        source.ids.push(id);
        if !disturbed.book.events.contains(&id) {
            source.lost += 1;
            if source.lost_at.len() < EXAMPLES {
                source.lost_at.push((id, records.position(index).to_string()));
            }
        }
    })?;
    source.ids.sort_unstable();
    let mut sent = disturbed.sent.clone();
    sent.sort_unstable();
    let each_once = sent.windows(2).all(|pair| pair[0] != pair[1]);
    source.as_sent = sent == source.ids && each_once && sent.len() as u64 == arguments.events;
    Ok(source)
}

/// Every place of the doubled events, for whoever looks for the reason.
fn places(arguments: &Arguments, broker: &Broker, run: &str, book: &Ledger) -> Result<Vec<String>, Failure> {
    let wanted: Vec<u128> = book.doubled_at.iter().map(|(id, _)| *id).collect();
    let mut found = Vec::new();
    let mut follower = Follower::new(format!("{run}.enriched"), arguments.partitions);
    follower.drain(&mut broker.topics()?, &mut |records, index| {
        let id = events::id_of(records.value(index)).filter(|id| wanted.contains(id));
        found.extend(id.map(|id| {
            let written = records.timestamp(index);
            format!("place of {id:032x}: {}, written at {written}", records.position(index))
        }));
    })?;
    Ok(found)
}

fn version(arguments: &Arguments, scene: &Scene) -> Result<String, Failure> {
    let version = scene.lapwing(&["--version"])?;
    Ok(match &arguments.revision {
        Some(revision) => format!("{version} ({revision})"),
        None => version,
    })
}

/// What the script says of its broker: "running: address, name and version, …".
fn broker_version(arguments: &Arguments, broker: &Broker) -> String {
    let told = arguments.bootstrap.is_none().then(|| broker.ask("status").ok()).flatten();
    let name = told.as_deref().and_then(|status| status.split(", ").nth(1)).map(str::to_owned);
    name.unwrap_or_else(|| format!("at {}", broker.address))
}

fn publish(arguments: &Arguments, report: &Report) -> Result<(), Failure> {
    say(&report.text(arguments));
    if let Some(path) = &arguments.markdown {
        let before = std::fs::read_to_string(path).unwrap_or_default();
        let after = report::put_into(&before, &report.markdown(arguments));
        std::fs::write(path, after).map_err(Failure::io(format!("write {}", path.display())))?;
    }
    if arguments.json {
        let _ = writeln!(std::io::stdout(), "{}", report.json(arguments));
    }
    Ok(())
}

/// The command line that repeats a run: all that decides what happens in it.
fn command_line(arguments: &Arguments) -> String {
    let Arguments { kills, events, train, partitions, workers, seed, calm, .. } = arguments;
    let broker = match (arguments.broker_stays, arguments.broker_kill) {
        (true, _) => " --broker-stays",
        (_, true) => " --broker-kill",
        _ => "",
    };
    format!(
        "lapwing-chaos --kills {kills} --events {events} --train {train} --partitions {partitions} \
         --workers {workers} --seed {seed} --calm {calm}{broker}"
    )
}
