use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::broker::Broker;
use crate::clock;
use crate::copy::Copy;
use crate::failure::Failure;
use crate::feed::{self, Gauge};
use crate::ownership::Ownership;
use crate::plan::{Blow, Plan, Strike};
use crate::say;
use crate::scene::Scene;
use crate::witness::Witness;

/// How often everything is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Longest time until all partitions are held again after a blow. Includes a transaction that only its timeout of 15 s
/// ends, and a slow machine.
const REBALANCE_MAX: Duration = Duration::from_secs(180);
/// Longest time that a copy may take to end in order.
const END_MAX: Duration = Duration::from_secs(90);
/// Longest time without a single further event before the rest counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(180);
/// What a blow takes besides the calm before it, on a machine that has other things to do; only the flow of events
/// depends on it.
const BLOW_TAKES: Duration = Duration::from_secs(5);
/// Exit codes of an orderly end: done, and "this copy lost its place while it stopped".
const ORDERLY: [i32; 2] = [0, 69];

/// What was done, and what was seen of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Blows with SIGKILL.
    pub(crate) kills: u32,
    /// Processes ended by SIGKILL.
    pub(crate) processes_killed: u32,
    /// Blows that hit both copies at once.
    pub(crate) both: u32,
    /// Blows that hit a successor while it recovered.
    pub(crate) recovering: u32,
    /// Orderly stops by SIGTERM.
    pub(crate) stops: u32,
    /// Copies that stood still until the group gave them up, and then woke up.
    pub(crate) freezes: u32,
    /// Blows after which partitions were taken up anew, and in the end all were held.
    pub(crate) rebalances: u32,
    /// Restarts of the broker.
    pub(crate) broker_restarts: u32,
    /// Copies that ended by themselves, and how.
    pub(crate) unexpected: Vec<String>,
}

/// Two copies, and what befalls them.
pub(crate) struct Campaign<'a> {
    arguments: &'a Arguments,
    broker: &'a Broker,
    scene: &'a Scene,
    gauge: Arc<Gauge>,
    witness: &'a Witness,

    copies: [Copy; 2],
    pub(crate) ownership: Ownership,
    last_blow: Duration,
    told: (Duration, u64),

    pub(crate) counts: Counts,
}

impl<'a> Campaign<'a> {
    /// Nothing runs yet.
    pub(crate) fn new(
        arguments: &'a Arguments,
        broker: &'a Broker,
        scene: &'a Scene,
        pipeline: &str,
        gauge: Arc<Gauge>,
        witness: &'a Witness,
    ) -> Self {
        Self {
            copies: ["a", "b"].map(|name| Copy::new(name, scene, pipeline)),
            ownership: Ownership::new(arguments.partitions as usize),
            last_blow: Duration::MAX,
            told: (clock::elapsed(), 0),
            counts: Counts::default(),
            arguments,
            broker,
            scene,
            gauge,
            witness,
        }
    }

    /// Starts both copies, strikes as planned, and waits until every event came out or none does any more.
    pub(crate) fn run(&mut self, plan: &mut Plan) -> Result<(), Failure> {
        self.copies.iter_mut().try_for_each(Copy::start)?;
        self.wait_for("both copies share the partitions", REBALANCE_MAX, |it| it.ownership.is_whole())?;
        self.last_blow = clock::elapsed();
        while self.counts.kills < self.arguments.kills {
            let strike = plan.next();
            self.wait(strike.calm)?;
            let taken = self.ownership.taken;
            let broker_is_due = !self.arguments.broker_stays && self.counts.broker_restarts == 0;
            match broker_is_due && self.counts.kills >= self.arguments.kills / 2 {
                true => self.restart_broker(&strike)?,
                false => self.strike(&strike)?,
            }
            self.last_blow = clock::elapsed();
            let what = format!("the group comes to rest after {strike:?}");
            self.wait_for(&what, REBALANCE_MAX, |it| it.ownership.taken > taken && it.ownership.is_whole())?;
            self.counts.rebalances += 1;
        }
        self.until_all_came_out()?;
        self.end_in_order()
    }

    fn strike(&mut self, strike: &Strike) -> Result<(), Failure> {
        let copy = strike.copy;
        match strike.blow {
            Blow::Kill => self.kill(copy)?,
            Blow::KillTwice { lives } => {
                self.kill(copy)?;
                self.wait(strike.absence)?;
                self.copies[copy].start()?;
                self.wait(lives)?;
                self.kill(copy)?;
                self.counts.recovering += 1;
            }
            Blow::KillBoth => {
                self.kill(copy)?;
                self.kill(1 - copy)?;
                self.copies[1 - copy].start()?;
                self.counts.both += 1;
            }
            Blow::Stop => {
                self.stop(copy)?;
                self.counts.stops += 1;
            }
            Blow::Freeze { stands } => {
                self.copies[copy].signal("STOP")?;
                self.wait(stands)?;
                self.copies[copy].signal("CONT")?;
                self.counts.freezes += 1;
                return Ok(());
            }
        }
        self.counts.kills += u32::from(strike.blow.is_kill());
        self.wait(strike.absence)?;
        self.copies[copy].start()
    }

    /// Takes the broker away, kills a copy and starts it again while there is none, and brings the broker back.
    fn restart_broker(&mut self, strike: &Strike) -> Result<(), Failure> {
        let verb = if self.arguments.broker_kill { "kill9" } else { "stop" };
        say(&format!("the broker is restarted: {verb}, then start"));
        let notes = self.scene.folder.join("logs");
        self.broker.tell(verb, &notes.join("broker-stop.log"))?;
        self.kill(strike.copy)?;
        self.counts.kills += 1;
        self.wait(strike.absence)?;
        self.copies[strike.copy].start()?;
        self.wait(Duration::from_secs(2))?;
        self.broker.tell("start", &notes.join("broker-start.log"))?;
        self.counts.broker_restarts += 1;
        Ok(())
    }

    fn kill(&mut self, copy: usize) -> Result<(), Failure> {
        if let Some(status) = self.copies[copy].ended()? {
            self.note_unexpected(copy, status);
        }
        self.counts.processes_killed += u32::from(self.copies[copy].kill()?);
        self.read_log(copy)?;
        self.ownership.gone(copy);
        Ok(())
    }

    fn stop(&mut self, copy: usize) -> Result<(), Failure> {
        self.copies[copy].signal("TERM")?;
        let status = clock::until(END_MAX, LOOK_EVERY, || {
            self.read_log(copy)?;
            let status = self.copies[copy].ended()?;
            if status.is_some() || !self.copies[copy].runs_now() {
                return Ok(Some(status));
            }
            self.look_at(1 - copy)?;
            Ok(None)
        })?;
        let status = status.flatten();
        self.read_log(copy)?;
        self.ownership.gone(copy);
        match status {
            Some(status) if status.code().is_some_and(|code| ORDERLY.contains(&code)) => {}
            Some(status) => self.note_unexpected(copy, status),
            None => {
                let name = self.copies[copy].name;
                self.counts.unexpected.push(format!("copy {name} did not end within {END_MAX:?} of SIGTERM"));
                self.copies[copy].kill()?;
            }
        }
        Ok(())
    }

    fn end_in_order(&mut self) -> Result<(), Failure> {
        self.stop(0)?;
        self.stop(1)
    }

    fn until_all_came_out(&mut self) -> Result<(), Failure> {
        self.gauge.allowed.store(self.arguments.events, Ordering::Relaxed);
        let (mut last, mut moved) = (0, clock::elapsed());
        while last < self.arguments.events && clock::elapsed() - moved < SILENCE_MAX {
            self.wait(Duration::from_millis(200))?;
            let now = self.witness.seen.events.load(Ordering::Relaxed);
            if now > last {
                (last, moved) = (now, clock::elapsed());
            }
        }
        Ok(())
    }

    fn wait(&mut self, time: Duration) -> Result<(), Failure> {
        // The moment of a blow is drawn, so here the time itself is what is waited for.
        clock::until::<()>(time, LOOK_EVERY, || self.look().map(|()| None)).map(|_| ())
    }

    fn wait_for(&mut self, what: &str, limit: Duration, done: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let met = clock::until(limit, LOOK_EVERY, || {
            if done(self) {
                return Ok(Some(()));
            }
            self.look().map(|()| None)
        })?;
        met.ok_or_else(|| {
            let free = self.ownership.free_count();
            let what = format!("{what} ({free} partitions are held by nobody)");
            Failure::Stuck { what, seconds: limit.as_secs() }
        })
    }

    /// Reads the logs, starts again what ended by itself, lets events flow, tells how it goes.
    fn look(&mut self) -> Result<(), Failure> {
        self.look_at(0)?;
        self.look_at(1)?;
        if self.witness.has_failed() || self.gauge.failed.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        let since = clock::elapsed().saturating_sub(self.last_blow);
        let usual = Duration::from_secs_f64(self.arguments.calm / 2.0) + BLOW_TAKES;
        let all = self.arguments.events;
        // The last blow still falls among events: they end with it, not before.
        let allowed = feed::allowed(all, self.arguments.kills, self.counts.kills, since, usual);
        self.gauge.allowed.fetch_max(allowed, Ordering::Relaxed);
        self.tell();
        Ok(())
    }

    fn look_at(&mut self, copy: usize) -> Result<(), Failure> {
        self.read_log(copy)?;
        if let Some(status) = self.copies[copy].ended()? {
            self.read_log(copy)?;
            self.ownership.gone(copy);
            self.note_unexpected(copy, status);
            self.copies[copy].start()?;
        }
        Ok(())
    }

    fn note_unexpected(&mut self, copy: usize, status: ExitStatus) {
        let Copy { name, runs, .. } = &self.copies[copy];
        let text = format!("copy {name}, process {runs}, ended by itself: {status}");
        say(&format!("{text}\n{}", self.copies[copy].last_words()));
        self.counts.unexpected.push(text);
    }

    fn read_log(&mut self, copy: usize) -> Result<(), Failure> {
        for sign in self.copies[copy].signs()? {
            self.ownership.note(copy, &sign);
        }
        Ok(())
    }

    fn tell(&mut self) {
        let now = clock::elapsed();
        let (at, before) = self.told;
        if now - at < TELL_EVERY {
            return;
        }
        let seen = &self.witness.seen;
        let (events, sent) = (seen.events.load(Ordering::Relaxed), self.gauge.sent.load(Ordering::Relaxed));
        let rate = events.saturating_sub(before) as f64 / (now - at).as_secs_f64();
        let (done, all) = (self.counts.kills, self.arguments.kills);
        let left = match done {
            0 => "?".to_owned(),
            done => format!("{:.0} min", now.as_secs_f64() / f64::from(done) * f64::from(all - done) / 60.0),
        };
        say(&format!(
            "{:>5} s: {done}/{all} kills, {} rebalances, {sent} events sent, {events} enriched ({rate:.0}/s, {} behind), \
             {} alerts, {} doubled, about {left} left",
            now.as_secs(),
            self.counts.rebalances,
            sent.saturating_sub(events),
            seen.alerts.load(Ordering::Relaxed),
            seen.doubled.load(Ordering::Relaxed),
        ));
        self.told = (now, events);
    }
}
