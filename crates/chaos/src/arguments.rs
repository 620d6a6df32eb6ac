use std::path::PathBuf;

use clap::Parser;

/// Kills copies of Lapwing on a real Kafka at random, and counts what was lost or doubled.
#[derive(Parser, Clone, Debug)]
#[command(name = "lapwing-chaos", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// The program under test.
    #[arg(long, default_value = "target/release/lapwing")]
    pub(crate) lapwing: PathBuf,
    /// host:port of the broker; left out, the one of the --broker script.
    #[arg(long)]
    pub(crate) bootstrap: Option<String>,
    /// Script that stops and starts the broker in the middle, and says where it is.
    #[arg(long, default_value = "scripts/kafka")]
    pub(crate) broker: PathBuf,
    /// Kill the broker in the middle without warning, instead of stopping it in order.
    #[arg(long, conflicts_with = "broker_stays")]
    pub(crate) broker_kill: bool,
    /// Leave the broker alone.
    #[arg(long)]
    pub(crate) broker_stays: bool,
    /// How many times a copy is killed with SIGKILL.
    #[arg(long, default_value_t = 200)]
    pub(crate) kills: u32,
    /// How many events are produced.
    #[arg(long, default_value_t = 5_000_000)]
    pub(crate) events: u64,
    /// How many of the first events a model is trained on.
    #[arg(long, default_value_t = 50_000)]
    pub(crate) train: u64,
    /// Partitions of every topic.
    #[arg(long, default_value_t = 8)]
    pub(crate) partitions: i32,
    /// Threads of each copy.
    #[arg(long, default_value_t = 2)]
    pub(crate) workers: usize,
    /// Seed of the events and of the blows.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Longest time, in seconds, from a rebalance to the next blow; it is drawn.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) calm: f64,
    /// Where the folder of the run is made.
    #[arg(long, default_value = ".cache/chaos")]
    pub(crate) scratch: PathBuf,
    /// Keep the folder also when everything holds.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print the result as one line of JSON to standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the result as a table: into the place that a document has for it (docs/reliability.md), or as a new file.
    #[arg(long)]
    pub(crate) markdown: Option<PathBuf>,
    /// What the program under test was built from, for the result.
    #[arg(long)]
    pub(crate) revision: Option<String>,
}
