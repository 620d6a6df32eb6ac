use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::block::{Block, Step, write_name};
use super::cluster::Cluster;
use super::message::Message;
use crate::json::integer;

/// Where the nodes of data listen.
const PORT: &[u8] = b":50010";
/// Folders that a node spreads its blocks over.
const FOLDERS: u64 = 64;

/// A part of a message.
#[derive(Clone, Copy, Debug)]
enum Part {
    Words(&'static str),
    Block,
    Blocks,
    Node,
    Other,
    OtherAddress,
    Port,
    Bytes,
    Number,
    Path,
    File,
}

/// A message, taken to pieces.
#[derive(Clone, Debug)]
struct Pattern {
    source: &'static str,
    is_of_names: bool,
    parts: Vec<Part>,
}

impl Pattern {
    fn new(message: Message) -> Self {
        let form = message.form();
        let mut parts = Vec::new();
        let mut rest = form.text;
        while let Some((words, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').expect("every brace of the messages is closed");
            parts.extend([Part::Words(words), part(name)]);
            rest = after;
        }
        parts.push(Part::Words(rest));
        Self { source: form.source, is_of_names: message.is_of_names(), parts }
    }
}

fn part(name: &str) -> Part {
    match name {
        "block" => Part::Block,
        "blocks" => Part::Blocks,
        "node" => Part::Node,
        "other" => Part::Other,
        "other_ip" => Part::OtherAddress,
        "port" => Part::Port,
        "bytes" => Part::Bytes,
        "number" => Part::Number,
        "path" => Part::Path,
        "file" => Part::File,
        name => unreachable!("no message holds a value named {name}"),
    }
}

/// Writes lines.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    /// By message.
    patterns: Vec<Pattern>,
    second: i64,
    stamp: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self { patterns: Message::ALL.map(Pattern::new).to_vec(), second: i64::MIN, stamp: Vec::new() }
    }

    /// Appends the line that a step of a block writes; `others` are the further blocks that it names.
    pub(crate) fn write(
        &mut self,
        out: &mut Vec<u8>,
        (step, block): (&Step, &Block),
        others: &[i64],
        cluster: &Cluster,
        rng: &mut ChaCha8Rng,
    ) {
        self.stamp(out, step.at);
        let pattern = &self.patterns[step.message as usize];
        let chance: u64 = rng.random();
        let thread = if pattern.is_of_names { 13 + chance % 24 } else { 100 + chance % 24_000 };
        integer(out, thread);
        out.push(b' ');
        out.extend_from_slice(pattern.source.as_bytes());
        for part in &pattern.parts {
            match part {
                Part::Words(words) => out.extend_from_slice(words.as_bytes()),
                Part::Block => write_name(out, block.id),
                Part::Blocks => {
                    write_name(out, block.id);
                    for id in others {
                        out.push(b' ');
                        write_name(out, *id);
                    }
                }
                Part::Node => write_listener(out, cluster, step.node),
                Part::Other => write_listener(out, cluster, step.other),
                Part::OtherAddress => out.extend_from_slice(cluster.address(step.other).as_bytes()),
                Part::Port => integer(out, 32_768 + (chance >> 32) % 28_000),
                Part::Bytes => integer(out, u64::from(block.size)),
                Part::Number => integer(out, u64::from(step.number)),
                Part::Path => write_path(out, block),
                Part::File => write_file(out, block.id),
            }
        }
    }

    /// Appends date and time, remembered because many lines share a second: `081109 203518 `.
    fn stamp(&mut self, out: &mut Vec<u8>, at: i64) {
        let second = at.div_euclid(SECOND);
        if self.second != second {
            self.second = second;
            let date = EventTime(at.div_euclid(DAY) * DAY).to_rfc3339();
            self.stamp.clear();
            self.stamp.extend(date.bytes().take(10).skip(2).filter(u8::is_ascii_digit));
            self.stamp.push(b' ');
            let rest = at.rem_euclid(DAY);
            for value in [rest / HOUR, rest / MINUTE % 60, rest / SECOND % 60] {
                self.stamp.extend([b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
            }
            self.stamp.push(b' ');
        }
        out.extend_from_slice(&self.stamp);
    }
}

fn write_listener(out: &mut Vec<u8>, cluster: &Cluster, node: u16) {
    out.extend_from_slice(cluster.address(node).as_bytes());
    out.extend_from_slice(PORT);
}

/// Appends the name of the file that the block belongs to.
fn write_path(out: &mut Vec<u8>, block: &Block) {
    let task = block.file.task;
    out.extend_from_slice(block.file.folder.as_bytes());
    out.extend_from_slice(format!("{task:06}_0/part-{task:05}").as_bytes());
}

/// Appends the name of the file that holds the block on a node.
fn write_file(out: &mut Vec<u8>, id: i64) {
    out.extend_from_slice(b"/mnt/hadoop/dfs/data/current/subdir");
    integer(out, id.unsigned_abs() % FOLDERS);
    out.push(b'/');
    write_name(out, id);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_stands_at_its_place_and_its_pattern_is_sound() {
        for (place, message) in Message::ALL.into_iter().enumerate() {
            assert_eq!(message as usize, place);
            let parts = Pattern::new(message).parts;
            assert!(parts.iter().any(|part| matches!(part, Part::Block | Part::Blocks)), "{message:?}");
        }
    }

    #[test]
    fn the_stamp_follows_the_second() {
        let mut writer = Writer::new();
        let mut out = Vec::new();
        for text in ["2008-11-09T20:35:18.999999Z", "2008-11-09T20:35:19Z", "2026-01-01T00:00:00Z"] {
            writer.stamp(&mut out, EventTime::parse(text).unwrap().0);
        }
        assert_eq!(out, b"081109 203518 081109 203519 260101 000000 ");
    }
}
