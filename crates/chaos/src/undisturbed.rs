use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::broker::Broker;
use crate::clock;
use crate::copy::Copy;
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::say;
use crate::scene::Scene;
use crate::witness::Witness;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Longest time that the copy may take to end in order.
const END_MAX: Duration = Duration::from_secs(60);
/// Longest time without a further event.
const SILENCE_MAX: Duration = Duration::from_secs(180);

/// Has one copy process all events of the source topic, with a group, outputs and memory of its own; nothing befalls it.
pub(crate) fn run(arguments: &Arguments, broker: &Broker, scene: &Scene, run: &str) -> Result<Ledger, Failure> {
    let pipeline = scene.pipeline(arguments, &broker.address, run)?;
    let witness = Witness::start(broker, run, arguments.partitions)?;
    let mut copy = Copy::new("undisturbed", scene, &pipeline);
    copy.start()?;
    let (mut last, mut moved, mut told) = (0, clock::elapsed(), clock::elapsed());
    while last < arguments.events {
        // A further event is waited for, and not for long, so that what else may be wrong is seen.
        clock::until(TELL_EVERY, LOOK_EVERY, || {
            let more = witness.seen.events.load(Ordering::Relaxed) > last;
            Ok((more || witness.has_failed()).then_some(()))
        })?;
        let (now, events) = (clock::elapsed(), witness.seen.events.load(Ordering::Relaxed));
        if events > last {
            (last, moved) = (events, now);
        }
        if let Some(status) = copy.ended()? {
            let command = "lapwing run (undisturbed)".to_owned();
            return Err(Failure::Command { command, code: status.to_string(), said: copy.last_words() });
        }
        if witness.has_failed() {
            break;
        }
        if now - moved > SILENCE_MAX {
            let what = format!("the undisturbed run goes on after {last} events");
            return Err(Failure::Stuck { what, seconds: SILENCE_MAX.as_secs() });
        }
        if now - told >= TELL_EVERY {
            say(&format!("{:>5} s: undisturbed, {last} of {} enriched", now.as_secs(), arguments.events));
            told = now;
        }
    }
    copy.signal("TERM")?;
    if clock::until(END_MAX, LOOK_EVERY, || copy.ended())?.is_none() {
        let what = "the undisturbed run ends after SIGTERM".to_owned();
        return Err(Failure::Stuck { what, seconds: END_MAX.as_secs() });
    }
    witness.finish()
}
