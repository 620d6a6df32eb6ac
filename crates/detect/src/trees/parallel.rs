use std::sync::Mutex;

/// Runs `work` on every job, at most `threads` at a time. The results come in the order of the jobs, so they do not
/// depend on the number of threads. A panic of one job is the caller's.
pub(crate) fn parallel<J: Send, R: Send>(threads: usize, jobs: Vec<J>, work: impl Fn(J) -> R + Sync) -> Vec<R> {
    let threads = threads.min(jobs.len());
    if threads < 2 {
        return jobs.into_iter().map(work).collect();
    }
    let queue = Mutex::new(jobs.into_iter().enumerate());
    let next = || queue.lock().expect("no job runs under the lock, so no panic can poison it").next();
    let run = || -> Vec<(usize, R)> { std::iter::from_fn(next).map(|(place, job)| (place, work(job))).collect() };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for other in others {
            match other.join() {
                Ok(part) => done.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs_whatever_the_number_of_threads() {
        let expected: Vec<usize> = (0..100).map(|job| job * job).collect();
        for threads in [0, 1, 2, 7, 200] {
            assert_eq!(parallel(threads, (0..100).collect(), |job: usize| job * job), expected, "{threads} threads");
        }
        assert_eq!(parallel(3, Vec::<usize>::new(), |job| job), Vec::<usize>::new());
    }
}
