use std::sync::Arc;
use std::time::Duration;

use lapwing_pipeline::by_hand::HandClock;
use lapwing_vocabulary::port::{Backlog, TopicLayout, TopicState, Topics};
use lapwing_vocabulary::{Epoch, Offset, Partition, Polled, PortError, Records, Transport};

use crate::log::Member;
use crate::source::{NOW, TOPIC};
use crate::weather::Fault;
use crate::world::{Shared, World, locked};

/// What a process that dies within a call says; nothing must happen to its transport afterwards.
pub const DEATH: &str = "the process dies here";

/// The transport of one process. It decides nothing: it lets processes die around calls, and asks the world.
#[derive(Debug)]
pub struct SimTransport {
    world: Shared,
    member: Member,
    clock: Arc<HandClock>,
}

impl SimTransport {
    /// The transport of a member.
    pub fn new(world: &Shared, member: Member, clock: &Arc<HandClock>) -> Self {
        Self { world: world.clone(), member, clock: clock.clone() }
    }

    fn call<R>(&self, what: &str, act: impl FnOnce(&mut World) -> Result<R, PortError>) -> Result<R, PortError> {
        let (mut world, id) = (locked(&self.world), self.member);
        if world.members.get(&id).is_none_or(|member| member.dead) {
            world.find(format!("{id} calls {what} although it is dead"));
        }
        if world.strikes(Fault::DeathBefore) {
            return Err(die(&mut world, id, &format!("before {what}")));
        }
        let answer = act(&mut world);
        if world.strikes(Fault::DeathAfter) {
            return Err(die(&mut world, id, &format!("after {what}")));
        }
        answer
    }
}

fn die(world: &mut World, id: Member, when: &str) -> PortError {
    world.note(|| format!("{id}: dies {when}"));
    if let Some(member) = world.members.get_mut(&id) {
        member.dead = true;
    }
    PortError::Unreachable(DEATH.to_owned())
}

/// Reads committed markers, as a worker does when it takes a partition up.
pub struct SimTopics(pub Shared);

impl Topics for SimTopics {
    fn create(&mut self, _name: &str, _layout: &TopicLayout) -> Result<bool, PortError> {
        Ok(false)
    }

    fn describe(&mut self, name: &str) -> Result<Option<TopicState>, PortError> {
        let world = locked(&self.0);
        let bounds = |partition: Partition| match name {
            TOPIC => {
                (world.log.earliest(partition), world.log.records(partition).last().map_or(0, |last| last.offset + 1))
            }
            _ => (0, world.log.markers(name, partition).len() as Offset),
        };
        let partitions = world.log.partitions().map(bounds).collect();
        Ok(Some(TopicState { name: name.to_owned(), partitions, settings: Vec::new() }))
    }

    fn settle(&mut self, _name: &str, _partition: Partition) -> Result<(), PortError> {
        locked(&self.0).log.settle();
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<String>, PortError> {
        Ok(Vec::new())
    }

    fn read(
        &mut self,
        name: &str,
        partition: Partition,
        offset: Offset,
        records_max: usize,
    ) -> Result<Records, PortError> {
        let world = locked(&self.0);
        let mut records = Records::new(name.into(), partition);
        let markers = world.log.markers(name, partition);
        for (at, value) in markers.into_iter().enumerate().skip(offset as usize).take(records_max) {
            records.push(at as Offset, NOW, None, value, Vec::new());
        }
        Ok(records)
    }
}

impl Transport for SimTransport {
    fn poll(&mut self, records_max: usize, _wait: Duration) -> Result<Polled, PortError> {
        self.call("poll", |world| world.poll(self.member, records_max, &self.clock))
    }

    fn resume(&mut self, partition: Partition, offset: Offset) -> Result<(), PortError> {
        self.call("resume", |world| world.resume(self.member, partition, offset))
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), PortError> {
        self.call("release", |world| {
            world.release(self.member, partitions);
            Ok(())
        })
    }

    fn commit(&mut self, epoch: Epoch) -> Result<(), PortError> {
        self.call("commit", |world| world.commit(self.member, epoch))
    }

    fn backlog(&mut self) -> Result<Backlog, PortError> {
        self.call("backlog", |world| Ok(world.backlog(self.member)))
    }
}
