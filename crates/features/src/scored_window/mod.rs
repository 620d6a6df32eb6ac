//! Windows as the scored unit: instead of each event, each *window of an entity* becomes a row.
//!
//! [`ScoredWindows`] holds the windows of one partition. Each event is placed into its windows and, as the watermark
//! reaches a window's end, the window is told: one [`Closed`] row. All of it is a fold of events and watermarks: the
//! caller moves its watermark event by event, so how events are cut into batches changes nothing.
//!
//! **Told, kept, amended.** A told window is kept until its end plus the allowed lateness. An event that still falls
//! into it makes a new row with the next revision and the values before it. A row is known by its entity and the start
//! of its window; of several the highest revision holds. Where a late event joins two sessions, or makes one begin
//! earlier, the row of the start that is no more is *withdrawn*: amended to 0 events.
//!
//! **Order.** Which events a window holds does not depend on the order in which they come, as long as none is too
//! late, but for two cases that count by arrival: `count_or_timeout`, and sessions with an `age_max` of which a part
//! comes late. Sums of fractions differ in their last bits with the order of the summands; those of whole numbers (up
//! to 2⁵³) do not, and standard deviations always may.
//!
//! **Cost.** An event touches one window, or of sliding windows one pane. Deadlines lie in heaps that are mended when
//! read: an event that moves the end of its session moves nothing in the heap.

/// What is computed of each window.
mod columns;
/// What the windows are, and what is asked of each.
mod spec;
/// Why a set of windows was refused.
mod error;
/// What comes in and what goes out.
mod row;
/// Which columns are read, and how a row's values follow from what is remembered.
mod layout;
/// The first and the last offsets of a set of events.
mod offsets;
/// How many different values there are.
mod distinct;
/// How many events there are of each of many codes.
mod tally;
/// The values of the oldest events.
mod sequence;
/// The texts of the oldest and the newest events.
mod texts;
/// What is remembered of the events of one window or pane.
mod totals;
/// What holds for all windows of a partition, worked out once.
mod rules;
/// What is due when.
mod timers;
/// Where an event belongs among the windows of its entity, when these lie apart: the decision.
mod seat;
/// Windows that lie apart: tumbling, sessions, counts.
mod apart;
/// Windows that overlap, made of panes.
mod sliding;
/// Bytes that may be anything, read within bounds.
mod reader;
/// The stored form of totals.
mod stored_totals;
/// The windows of one partition.
mod windows;
/// The stored form of a partition's windows.
mod stored;

pub use columns::{WindowColumn, WindowMeasure};
pub use error::ScoredWindowError;
pub use row::{Arrival, Cause, Closed, OpenWindow, Placement, WindowText};
pub use spec::{ScoredWindowSpec, Texts, WindowKind};
pub use windows::ScoredWindows;
