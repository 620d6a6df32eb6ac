use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use lapwing_vocabulary::EventTime;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::anomaly::{Anomaly, AnomalyKind};
use super::connection::Connection;
use super::extraordinary::{Story, failing_share};
use super::hosts::{Host, hosts};
use super::options::TelemetryOptions;
use super::ordinary::ordinary;
use super::rhythm::{Rhythm, weights};
use super::schedule::{BLOCK_MICROS, Block, plan};
use crate::chance::generator;
use crate::error::ProduceError;
use crate::flow::Flow;
use crate::json::{self, Calendar};
use crate::produced::{Label, NORMAL, Produced};
use crate::schema::{HOST_ID, INDEX, LABEL, SEQUENCE_ID, UTC, UUID};
use crate::volume::Volume;

/// Room for one event: measured ones take 1,039 to 1,067 bytes, with four-digit hosts and six-digit numbers.
const EVENT_BYTES: usize = 1152;

/// Streams of the scenario's generator, below those of hosts and blocks.
const ARRIVALS: u64 = 0;
const CONTENT: u64 = 1;

/// The scenario: an iterator of labelled events, nearly in the order of their times.
#[derive(Debug)]
pub struct Telemetry {
    options: TelemetryOptions,
    hosts: Vec<Host>,
    rhythm: Rhythm,
    /// Ordinary events per second, on average over a week.
    per_second: f64,

    arrivals: ChaCha8Rng,
    content: ChaCha8Rng,
    flow: Flow,
    calendar: Calendar,
    planned_until: i64,
    blocks: u64,
    stories: Vec<Story>,
    /// Next event of each anomaly under way or to come: time, story, events made before.
    coming: BinaryHeap<Reverse<(i64, usize, u64)>>,
    /// Per host: stories in which it is dead.
    deaths: Vec<Vec<usize>>,

    sequences: Vec<u64>,
    emitted: u64,
}

impl Telemetry {
    /// Builds the world. Errors: `Option`.
    pub fn new(options: TelemetryOptions) -> Result<Self, ProduceError> {
        options.check()?;
        let hosts = hosts(options.seed, options.hosts);
        let rhythm = Rhythm::new(&hosts);
        let per_second = ordinary_per_second(&options, &rhythm);
        let weight: f64 = hosts.iter().map(|host| host.weight).sum();
        let mut arrivals = generator(options.seed, ARRIVALS);
        let flow = Flow::new(&|slice| weights(&hosts, slice), per_second / weight, options.start.0, &mut arrivals);
        Ok(Self {
            content: generator(options.seed, CONTENT),
            planned_until: options.start.0.saturating_add(options.quiet_micros),
            blocks: 0,
            stories: Vec::new(),
            coming: BinaryHeap::new(),
            deaths: vec![Vec::new(); hosts.len()],
            sequences: vec![0; hosts.len()],
            emitted: 0,
            calendar: Calendar::default(),
            options,
            hosts,
            rhythm,
            per_second,
            arrivals,
            flow,
        })
    }

    /// The hosts, in the order of their numbers.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The anomalies planned so far: those of the blocks of time that the stream has reached.
    pub fn anomalies(&self) -> impl Iterator<Item = &Anomaly> {
        self.stories.iter().map(|story| &story.anomaly)
    }

    /// Plans every block of time that the next ordinary event has reached.
    fn plan_ahead(&mut self) {
        let end = self.options.end().0;
        while self.planned_until <= self.flow.next_micros() && self.planned_until < end {
            let until = self.planned_until.saturating_add(BLOCK_MICROS).min(end);
            self.plan_block(until);
            self.planned_until = until;
        }
    }

    fn plan_block(&mut self, until: i64) {
        let share = self.options.anomalies.share;
        let ordinary_events = self.per_second * self.rhythm.mean_seconds(self.planned_until, until);
        let weight: f64 = self.hosts.iter().map(|host| host.weight).sum();
        let block = Block {
            number: self.blocks,
            start: self.planned_until,
            end: until,
            budget: ordinary_events * share / (1.0 - share),
            rate_per_weight: self.per_second / weight,
        };
        self.blocks += 1;
        self.bury(block.start);
        for anomaly in plan(self.options.seed, &self.hosts, &self.options.anomalies, &block) {
            self.admit(anomaly);
        }
    }

    /// Forgets deaths that no event can fall into any more.
    fn bury(&mut self, now: i64) {
        let (stories, oldest) = (&self.stories, now.saturating_sub(self.options.disorder_micros));
        for deaths in &mut self.deaths {
            deaths.retain(|number| stories[*number].anomaly.end.0 > oldest);
        }
    }

    fn admit(&mut self, anomaly: Anomaly) {
        let number = self.stories.len();
        if anomaly.kind == AnomalyKind::DeadHost {
            self.deaths[anomaly.host].push(number);
        } else {
            let first = self.moment_of(&anomaly, 0);
            self.coming.push(Reverse((first, number, 0)));
        }
        self.stories.push(Story::new(anomaly, &mut self.arrivals));
    }

    /// When the anomaly's event after `made` others arrives: somewhere within its equal part of the duration.
    fn moment_of(&mut self, anomaly: &Anomaly, made: u64) -> i64 {
        let duration = (anomaly.end.0 - anomaly.start.0) as f64;
        let within: f64 = self.arrivals.random();
        anomaly.start.0 + (duration * (made as f64 + within) / anomaly.events as f64) as i64
    }

    /// The next event of an anomaly, if it comes before the next ordinary one.
    fn next_of_anomaly(&mut self) -> Option<(i64, usize, u64)> {
        let Reverse((at, number, made)) = *self.coming.peek()?;
        if at > self.flow.next_micros() {
            return None;
        }
        self.coming.pop();
        let anomaly = self.stories[number].anomaly;
        if made + 1 < anomaly.events {
            let next = self.moment_of(&anomaly, made + 1);
            self.coming.push(Reverse((next, number, made + 1)));
        }
        Some((at, number, made))
    }

    fn is_over(&self, at: i64) -> bool {
        match self.options.volume {
            Volume::Total(total) => self.emitted >= total,
            Volume::PerSecond(_) => at >= self.options.end().0,
        }
    }

    /// The event's own time: most are reported at once, a few as late as the disorder allows.
    fn own_time(&mut self, at: i64, earliest: EventTime) -> EventTime {
        let u: f64 = self.content.random();
        let delay = self.options.disorder_micros as f64 * u * u * u * u;
        EventTime(at - delay as i64).max(earliest)
    }

    fn of_anomaly(&mut self, at: i64, number: usize, made: u64) -> Produced {
        let story = &self.stories[number];
        let (host, start, kind) = (story.anomaly.host, story.anomaly.start, story.anomaly.kind);
        let time = self.own_time(at, start);
        let connection = self.stories[number].connection(&self.hosts[host], made, &mut self.content);
        self.emit(host, time, &connection, Some(kind))
    }

    fn of_host(&mut self, at: i64, host: usize) -> Produced {
        let time = self.own_time(at, self.options.start);
        match self.death(host, time) {
            Some(number) => {
                let connection = self.stories[number].connection(&self.hosts[host], 0, &mut self.content);
                self.emit(host, time, &connection, Some(AnomalyKind::DeadHost))
            }
            None => {
                let connection = ordinary(&self.hosts[host], &mut self.content);
                self.emit(host, time, &connection, None)
            }
        }
    }

    /// The story in which the host fails to answer at this moment.
    fn death(&mut self, host: usize, time: EventTime) -> Option<usize> {
        let stories = &self.stories;
        let number = self.deaths[host].iter().copied().find(|number| stories[*number].anomaly.covers(time))?;
        let failing = failing_share(stories[number].anomaly.severity);
        (self.content.random::<f64>() < failing).then_some(number)
    }

    fn emit(&mut self, host: usize, time: EventTime, connection: &Connection, kind: Option<AnomalyKind>) -> Produced {
        let id = self.hosts[host].id.as_bytes();
        self.sequences[host] += 1;
        let mut value = Vec::with_capacity(EVENT_BYTES);
        value.push(b'{');
        json::name(&mut value, UTC);
        self.calendar.moment(&mut value, time);
        json::name(&mut value, UUID);
        json::uuid(&mut value, self.content.random());
        json::name(&mut value, SEQUENCE_ID);
        json::integer(&mut value, self.sequences[host]);
        json::name(&mut value, INDEX);
        json::integer(&mut value, self.emitted);
        json::name(&mut value, HOST_ID);
        json::plain(&mut value, id);
        connection.write(&mut value);
        json::name(&mut value, LABEL);
        json::plain(&mut value, kind.map_or(NORMAL, AnomalyKind::name).as_bytes());
        value.push(b'}');
        self.emitted += 1;
        let label = kind.map_or(Label::Normal, |kind| Label::Anomaly(Cow::Borrowed(kind.name())));
        Produced { key: Some(id.to_vec()), value, time, label }
    }
}

impl Iterator for Telemetry {
    type Item = Produced;

    fn next(&mut self) -> Option<Produced> {
        self.plan_ahead();
        if let Some((at, number, made)) = self.next_of_anomaly() {
            return (!self.is_over(at)).then(|| self.of_anomaly(at, number, made));
        }
        let at = self.flow.next_micros();
        if self.is_over(at) {
            return None;
        }
        let host = self.flow.draw(&mut self.arrivals);
        self.flow.advance(&|slice| weights(&self.hosts, slice), &mut self.arrivals);
        Some(self.of_host(at, host))
    }
}

/// Ordinary events per second at mean level, such that they and the anomalous ones make the volume asked for.
fn ordinary_per_second(options: &TelemetryOptions, rhythm: &Rhythm) -> f64 {
    let share = if options.anomalies.kinds.is_empty() { 0.0 } else { options.anomalies.share };
    let (start, end) = (options.start.0, options.end().0);
    let turn = start.saturating_add(options.quiet_micros).min(end);
    options.volume.ordinary_per_second(share, [start, turn, end], &|from, to| rhythm.mean_seconds(from, to))
}
