//! Prints the reference table of the scenario's hosts, for `pipelines/reference/hosts.csv`.
//! Usage: `cargo run -p lapwing-produce --example hosts_csv > pipelines/reference/hosts.csv`

use lapwing_produce::hosts_csv;
use lapwing_produce::telemetry::{DEFAULT_HOSTS, DEFAULT_SEED};

#[allow(clippy::print_stdout)] // Printing is its purpose.
fn main() {
    print!("{}", hosts_csv(DEFAULT_SEED, DEFAULT_HOSTS));
}
