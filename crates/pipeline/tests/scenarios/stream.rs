use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{HOUR, MINUTE, SECOND};

/// Event time of the first event: 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000_000;
/// When the records were appended: long after they happened, so that none of them lies in the future by chance.
pub(crate) const NOW: i64 = START + 24 * HOUR;

/// A seeded generator whose numbers are the same for ever.
/// Source: SplitMix64; Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    /// A number from 0 up to, but without, `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// One event before it is written as a record.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) host: String,
    pub(crate) at: i64,
    pub(crate) bytes: i64,
    pub(crate) errors: f64,
    pub(crate) service: &'static str,
}

impl Event {
    pub(crate) fn json(&self) -> Vec<u8> {
        let Self { id, host, at, bytes, errors, service } = self;
        let at = EventTime(*at).to_rfc3339();
        format!(
            r#"{{"id":"{id}","host":"{host}","at":"{at}","bytes":{bytes},"errors":{errors},"service":"{service}"}}"#
        )
        .into_bytes()
    }
}

/// Ordinary events of six hosts, slightly out of order but never late by more than 20 seconds.
pub(crate) fn ordinary(count: usize, seed: u64) -> Vec<Event> {
    let mut chance = Chance::new(seed);
    (0..count).map(|number| ordinary_event(number, seed, &mut chance)).collect()
}

fn ordinary_event(number: usize, seed: u64, chance: &mut Chance) -> Event {
    let host = chance.below(6);
    let level = 500 * (1 + host as i64);
    Event {
        id: format!("e{seed}-{number}"),
        host: format!("h{host}"),
        at: START + HOUR + number as i64 * 700_000 - chance.below(20) as i64 * SECOND,
        bytes: level + chance.below(level as u64) as i64,
        errors: (chance.unit() * 50.0).round() / 1000.0,
        service: ["dns", "http", "http", "ssh"][chance.below(4) as usize],
    }
}

/// Ordinary events with something wrong, late or strange every now and then, as records.
pub(crate) fn messy(count: usize, seed: u64) -> Vec<Vec<u8>> {
    ordinary(count, seed).into_iter().enumerate().map(|(number, event)| messy_record(number + 1, event)).collect()
}

/// The primes keep the cases from falling on the same events; each comes several times in a thousand.
fn messy_record(number: usize, event: Event) -> Vec<u8> {
    let text = |event: &Event| String::from_utf8(event.json()).expect("events are text");
    let every = |prime: usize| number.is_multiple_of(prime);
    match () {
        () if every(97) => Event { at: event.at - 10 * MINUTE, ..event }.json(),
        () if every(101) => b"{\"id\":\"cut off".to_vec(),
        () if every(103) => text(&event).replace("\"bytes\":", "\"bytes\":\"many\",\"was\":").into_bytes(),
        () if every(107) => Event { at: NOW + 2 * HOUR, ..event }.json(),
        () if every(109) => text(&event).replace("\"host\":", "\"host\":null,\"was\":").into_bytes(),
        () if every(113) => text(&event).replace("\"at\":", "\"when\":").into_bytes(),
        () if every(127) => text(&event).replace("\"id\":\"", &format!("\"id\":\"{}", "x".repeat(600))).into_bytes(),
        () if every(53) => text(&event).replace("\"bytes\":", "\"bytes\":\"77\",\"was\":").into_bytes(),
        () if every(61) => Event { service: "noise", ..event }.json(),
        () if every(71) => Event { bytes: event.bytes * 500, ..event }.json(),
        () if every(83) => Event { errors: 0.9, ..event }.json(),
        () => event.json(),
    }
}

/// Ordinary events with a strange one every now and then, as records; `strange_every` of 0 leaves them all ordinary.
pub(crate) fn with_spikes(count: usize, seed: u64, strange_every: usize) -> Vec<Vec<u8>> {
    let spike = |(number, event): (usize, Event)| match strange_every > 0 && number % strange_every == strange_every - 1
    {
        true => Event { bytes: event.bytes * 500, errors: 0.9, ..event }.json(),
        false => event.json(),
    };
    ordinary(count, seed).into_iter().enumerate().map(spike).collect()
}
