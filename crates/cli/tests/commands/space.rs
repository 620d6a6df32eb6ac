use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{Ended, Outputs, Shape, World, embedded, events_of};

/// Events in the source: their log takes about 21 MB, that of a whole run twice as much.
const EVENTS: usize = 20_000;
/// Space that is enough for the source but not for the run. Units: MB.
const SPACE_MB: usize = 30;

fn produced() -> (World, Shape) {
    let (world, shape) = (World::new(), Shape::embedded());
    let pipeline = world.pipeline("first.toml", &shape);
    world.produce(&pipeline, EVENTS, &[]);
    world.lapwing(&["train", &pipeline]).succeeded();
    (world, shape)
}

/// Checks that a run that found no space said so, and that the next one completes what it began.
fn assert_completed_after(world: &World, shape: &Shape, failed: Ended) {
    let said = failed.failed(74);
    let before = Outputs::read(embedded(world).as_mut(), shape).enriched.len();
    assert!((1..EVENTS).contains(&before), "{before} events were processed before: it was not in the middle");
    world.lapwing(&["run", "first.toml", "--until-end", "--no-page"]).succeeded();
    let mut topics = embedded(world);
    let uuids = events_of(topics.as_mut(), "sensor_messages", "uuid");
    Outputs::read(topics.as_mut(), shape).assert_exactly_once(&uuids);
    assert!(said.contains("embedded log in log: "), "the place is not named: {said}");
    assert!(said.contains("free some space on that disk and start again"), "the remedy is not named: {said}");
}

#[test]
fn a_run_whose_files_may_not_grow_fails_and_the_next_one_completes_it() {
    let (world, shape) = produced();
    // The signal is ignored so that the write itself fails; `ulimit` counts blocks of 512 bytes.
    let limit = format!("trap '' XFSZ; ulimit -f {}", SPACE_MB * 2_000);
    let failed =
        world.start_after(&limit, &["run", "first.toml", "--until-end", "--no-page", "--workers", "4"]).ended();
    assert_completed_after(&world, &shape, failed);
}

#[test]
fn a_run_on_a_full_disk_fails_and_the_next_one_completes_it_when_there_is_space() {
    let (world, shape) = produced();
    let Some(disk) = SmallDisk::mount(&world.path("log")) else {
        eprintln!("this user may not mount a disk: only files that may not grow were tested");
        return;
    };
    let failed = world.lapwing(&["run", "first.toml", "--until-end", "--no-page", "--workers", "4"]);
    disk.resize(10 * SPACE_MB);
    assert_completed_after(&world, &shape, failed);
}

/// A disk in memory, mounted over a folder, with what the folder held.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// `None` if this user may not mount.
    fn mount(folder: &Path) -> Option<Self> {
        let aside = folder.with_extension("aside");
        fs::rename(folder, &aside).unwrap();
        fs::create_dir(folder).unwrap();
        let size = format!("size={SPACE_MB}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "lapwing-test"]).arg(folder).output();
        let mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        let disk = mounted.then(|| Self { folder: folder.to_owned() });
        let copied = Command::new("cp").arg("-a").arg(aside.join(".")).arg(folder).status().unwrap();
        assert!(copied.success());
        disk
    }

    fn resize(&self, megabytes: usize) {
        let options = format!("remount,size={megabytes}m");
        let resized = Command::new("mount").args(["-o", &options]).arg(&self.folder).status().unwrap();
        assert!(resized.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: another process may still be about to close a file.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
