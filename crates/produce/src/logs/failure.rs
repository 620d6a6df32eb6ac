//! How things go wrong with a block: each story tells its whole life, and returns when it has shown.

use lapwing_vocabulary::time::{MINUTE, SECOND};
use rand::Rng;

use super::anomaly::AnomalyKind;
use super::life::{Life, REPLICAS};
use super::message::{Message, UNHEARD_OF};
use crate::chance::one_of;

/// Nothing has come of a block for so long after it was written: what is missing will not come.
const PATIENCE_MICROS: i64 = 10 * SECOND;

/// Tells the life of a block with which this goes wrong. Returns when it has shown.
pub(crate) fn tell(kind: AnomalyKind, life: &mut Life<'_>, end: i64) -> i64 {
    match kind {
        AnomalyKind::WriteFailure if life.rng.random_bool(0.6) => pipeline_shortened(life),
        AnomalyKind::WriteFailure => writer_gone(life),
        AnomalyKind::LostReplica => lost_replica(life),
        AnomalyKind::RedundantStore => redundant_store(life),
        AnomalyKind::DeleteRace => match life.rng.random_range(0..3_u32) {
            0 => deleted_unknown(life, end),
            1 => deleted_before_received(life),
            _ => reported_without_file(life),
        },
        AnomalyKind::SlowReplication if life.rng.random_bool(0.5) => copy_timed_out(life),
        AnomalyKind::SlowReplication => copy_late(life),
        AnomalyKind::UnknownMessage => unknown_message(life),
    }
}

/// The last or the middle node breaks off; the others finish, and mostly a copy is asked for later.
fn pipeline_shortened(life: &mut Life<'_>) -> i64 {
    life.begin();
    let lost = life.rng.random_range(1..REPLICAS as u32) as usize;
    let (node, before) = (life.line[lost], life.line[lost - 1]);
    let broken_at = life.birth + 100_000 + (life.writing_micros() - 120_000) * life.rng.random_range(2..8_i64) / 10;
    life.step(broken_at, Message::ReceiveFailed, node, before);
    life.step(broken_at + 2_000, Message::WriteFailed, node, before);
    life.step(broken_at + 5_000, Message::MirrorFailed, before, node);
    life.step_with(broken_at + 9_000, Message::Interrupted, before, (REPLICAS - lost) as u32);
    let delay = life.within(SECOND, 4 * SECOND);
    life.written_at += delay;
    for place in (0..REPLICAS).filter(|place| *place != lost) {
        let (node, offset) = (life.line[place], life.rng.random_range(0..1 << 20));
        life.step(broken_at + delay - 50_000, Message::Reopened, node, node);
        life.step_with(broken_at + delay - 20_000, Message::OffsetChanged, node, offset);
        life.finish(place);
    }
    if life.rng.random_bool(0.7) {
        let asked_at = life.written_at + life.within(20 * SECOND, 5 * MINUTE);
        if life.deleted_at.is_none_or(|at| at > asked_at + MINUTE) {
            life.copy(asked_at);
        }
    }
    life.live_on();
    broken_at + 9_000
}

/// Who writes the block dies: no node has the whole of it.
fn writer_gone(life: &mut Life<'_>) -> i64 {
    life.begin();
    let broken_at = life.birth + 100_000 + (life.writing_micros() - 120_000) * life.rng.random_range(2..8_i64) / 10;
    let mut last = broken_at;
    for place in 0..REPLICAS {
        let node = life.line[place];
        let at = broken_at + life.within(0, 30_000);
        life.step(at, Message::ReceiveFailed, node, node);
        let number = (REPLICAS - 1 - place) as u32;
        let message = if life.rng.random_bool(0.5) { Message::ResponderFailed } else { Message::Interrupted };
        life.step_with(at + 3_000, message, node, number);
        life.step(at + 7_000, Message::WriteFailed, node, node);
        last = last.max(at + 7_000);
    }
    last
}

/// A copy is missing, and no line says so.
fn lost_replica(life: &mut Life<'_>) -> i64 {
    let lost = life.rng.random_range(0..REPLICAS as u32) as usize;
    let way = life.rng.random_range(0..3_u32);
    life.allocate();
    for place in (0..REPLICAS).filter(|place| way != 1 || *place != lost) {
        life.receive(place);
    }
    if way < 2 {
        for place in (0..REPLICAS).filter(|place| *place != lost) {
            life.finish(place);
        }
        // It is not copied: it is just as if nobody had noticed.
        life.delete();
    }
    life.written_at + PATIENCE_MICROS
}

/// Copies are reported again, some of them to a node that has it already.
fn redundant_store(life: &mut Life<'_>) -> i64 {
    life.write();
    let mut shown = i64::MAX;
    for _ in 0..life.rng.random_range(1..=4_u32) {
        let node = *one_of(life.rng, &life.holders);
        let at = life.written_at + life.within(SECOND, MINUTE);
        if life.rng.random_bool(0.3) {
            life.step(at - 20_000, Message::ExistsAlready, node, node);
        }
        life.step(at, Message::StoredTwice, node, node);
        shown = shown.min(at);
    }
    life.live_on();
    shown
}

/// At its deletion a node, or all of them, have lost it already.
fn deleted_unknown(life: &mut Life<'_>, end: i64) -> i64 {
    let own = life.written_at + life.within(MINUTE, 20 * MINUTE);
    let at = life.deleted_at.filter(|at| at + MINUTE < end).unwrap_or(own);
    life.write();
    let unknown = life.rng.random_range(1..=REPLICAS);
    let ends = (0..REPLICAS).map(|place| {
        let ending = if place < unknown { Message::DeleteFailed } else { Message::Deleted };
        (place < unknown, life.delete_at(life.line[place], at, ending))
    });
    ends.filter(|(is_unknown, _)| *is_unknown).map(|(_, at)| at).min().expect("one at least does not know it")
}

/// A node still writes while the others delete: the lines are the usual ones, in the wrong order.
fn deleted_before_received(life: &mut Life<'_>) -> i64 {
    life.begin();
    let slow = life.rng.random_range(0..REPLICAS as u32) as usize;
    let at = life.written_at + life.within(SECOND, 10 * SECOND);
    life.deleted_at = Some(at);
    let mut last = at;
    for place in (0..REPLICAS).filter(|place| *place != slow) {
        life.finish(place);
        last = last.max(life.delete_at(life.line[place], at, Message::Deleted));
    }
    let stored_at = last + life.within(SECOND, MINUTE);
    let reported_at = life.respond(slow, stored_at);
    life.store(life.line[slow], reported_at);
    life.delete_at(life.line[slow], reported_at, Message::Deleted);
    reported_at
}

/// A report comes for a block whose file is gone.
fn reported_without_file(life: &mut Life<'_>) -> i64 {
    life.begin();
    let slow = life.rng.random_range(0..REPLICAS as u32) as usize;
    let at = life.written_at + life.within(SECOND, 10 * SECOND);
    for place in (0..REPLICAS).filter(|place| *place != slow) {
        life.finish(place);
        life.delete_at(life.line[place], at, Message::Deleted);
    }
    let stored_at = at + life.within(5 * SECOND, MINUTE);
    let node = life.line[slow];
    let reported_at = life.respond(slow, stored_at);
    life.step(reported_at, Message::StoredWithoutFile, node, node);
    if life.rng.random_bool(0.5) {
        let noticed_at = reported_at + life.within(5 * SECOND, MINUTE);
        life.step(noticed_at, Message::NoLongerNeeded, node, node);
    }
    life.delete_at(node, reported_at + SECOND, Message::Deleted);
    reported_at
}

/// A copy is asked for twice, because the first one does not come in time.
fn copy_timed_out(life: &mut Life<'_>) -> i64 {
    life.write();
    let asked_at = life.written_at + life.within(4 * SECOND, MINUTE);
    let (from, to) = life.ask_for_copy(asked_at);
    if life.rng.random_bool(0.5) {
        life.step(asked_at + MINUTE, Message::TransferFailed, from, to);
    }
    let late_at = asked_at + life.within(5 * MINUTE, 15 * MINUTE);
    life.step(late_at, Message::CopyTimedOut, from, to);
    let again_at = late_at + life.within(SECOND, 30 * SECOND);
    life.copy(again_at);
    stay_until(life, again_at + 2 * MINUTE);
    life.live_on();
    late_at
}

/// A copy comes, but far too late: the lines and their order are the usual ones.
fn copy_late(life: &mut Life<'_>) -> i64 {
    life.write();
    let asked_at = life.written_at + life.within(4 * SECOND, MINUTE);
    let ends = life.ask_for_copy(asked_at);
    let late_at = asked_at + life.within(10 * MINUTE, 50 * MINUTE);
    life.finish_copy(late_at, ends);
    stay_until(life, late_at + MINUTE);
    life.delete();
    late_at
}

/// Puts off deletion.
fn stay_until(life: &mut Life<'_>, at: i64) {
    life.deleted_at = life.deleted_at.map(|deleted_at| deleted_at.max(at));
}

/// All is as usual, and something new is said besides.
fn unknown_message(life: &mut Life<'_>) -> i64 {
    life.ordinary();
    let mut shown = i64::MAX;
    for _ in 0..life.rng.random_range(1..=2_u32) {
        let message = *one_of(life.rng, &UNHEARD_OF);
        let at = life.birth + life.within(SECOND / 2, MINUTE);
        let place = life.rng.random_range(0..REPLICAS as u32) as usize;
        let number = life.rng.random_range(1_000..60_000);
        let (node, other) = (life.line[place], life.line[(place + 1) % REPLICAS]);
        life.steps.push(super::block::Step { at, message, node, other, number });
        shown = shown.min(at);
    }
    shown
}
