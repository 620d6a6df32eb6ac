use std::sync::Arc;

use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{HOUR, MINUTE, SECOND};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::chance::{log_normal, one_of};

/// Jobs that write at the same time.
const RUNNING: usize = 8;
/// Share of jobs whose files stay.
const KEPT: f64 = 0.2;
/// A job's files lie at least so long after its end: by then all of its blocks are stored.
const HOLD_MICROS_MIN: i64 = 2 * MINUTE;

const OWNERS: [&str; 6] = ["root", "crawl", "etl", "marta", "jonas", "reports"];
const SETS: [&str; 7] = ["clicks", "sorted", "rand", "index", "sessions", "daily", "joined"];

/// Who writes a file, and until when its blocks are there.
#[derive(Clone, Debug)]
struct Job {
    /// Start of the names of its files, up to the number of the task.
    folder: Arc<str>,
    ends_at: i64,
    deleted_at: Option<i64>,
    tasks: u32,
}

/// The file that a block belongs to.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) folder: Arc<str>,
    pub(crate) task: u32,
    /// When it is deleted; `None`: not at all.
    pub(crate) deleted_at: Option<i64>,
}

/// The jobs that write at present.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs {
    running: Vec<Job>,
    begun: u64,
}

impl Jobs {
    /// The file whose next block is written now.
    pub(crate) fn file(&mut self, now: i64, rng: &mut ChaCha8Rng) -> File {
        while self.running.len() < RUNNING {
            let job = self.begin(now, rng);
            self.running.push(job);
        }
        let place = rng.random_range(0..RUNNING as u32) as usize;
        if self.running[place].ends_at <= now {
            self.running[place] = self.begin(now, rng);
        }
        let job = &mut self.running[place];
        job.tasks += 1;
        // A folder is deleted file by file.
        let deleted_at = job.deleted_at.map(|at| at + rng.random_range(0..2 * SECOND));
        File { folder: job.folder.clone(), task: job.tasks - 1, deleted_at }
    }

    fn begin(&mut self, now: i64, rng: &mut ChaCha8Rng) -> Job {
        self.begun += 1;
        let digits: String = EventTime(now).to_rfc3339().chars().filter(char::is_ascii_digit).take(12).collect();
        let (owner, set) = (*one_of(rng, &OWNERS), *one_of(rng, &SETS));
        let (number, phase) = (self.begun, if rng.random_bool(0.7) { 'm' } else { 'r' });
        let folder = format!("/user/{owner}/{set}/_temporary/_task_{digits}_{number:04}_{phase}_");
        let minutes = |rng: &mut ChaCha8Rng, median, spread| (log_normal(rng, median, spread) * MINUTE as f64) as i64;
        let ends_at = now + minutes(rng, 8.0, 0.6).clamp(MINUTE, 45 * MINUTE);
        let hold = minutes(rng, 20.0, 1.0).clamp(HOLD_MICROS_MIN, 5 * HOUR);
        let deleted_at = (!rng.random_bool(KEPT)).then_some(ends_at + hold);
        Job { folder: folder.into(), ends_at, deleted_at, tasks: 0 }
    }
}
