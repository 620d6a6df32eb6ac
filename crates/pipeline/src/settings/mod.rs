//! The pipeline file: read with places, checked at once, and only then a [`Pipeline`](crate::settings::Pipeline).
//!
//! Reading goes section by section. Whatever cannot be used is reported and replaced by its default, so that reading
//! goes on and every fault is found in one go; a [`Pipeline`](crate::settings::Pipeline) is handed out only if nothing was reported. Thus whoever
//! holds one need not check again.

/// The pipeline: its parts, how it is made, what decides its state.
mod pipeline;
/// `[source]`: where events come from and which fields matter.
mod source;
/// `[schema]`: names, types and paths of the fields.
mod schema;
/// `[templates]`: what log messages were printed from.
mod templates;
/// `[join.*]`: other topics joined to the events.
mod join;
/// `[enrich]`: reference tables and the query; `[encode]`: categories for models.
mod enrich;
/// `[window]`: windows as the unit that is scored.
mod window;
/// `[features]`: measures over windows of event time.
mod features;
/// `[detect.*]`: detectors and the models they use.
mod detect;
/// `[decide]`: the alert rate and the anomaly types; `[train]`: what models are fitted to.
mod decide;
/// `[outputs]`: where results go; `[topics]`: how topics are laid out.
mod outputs;
/// `state.leave_out`: events that memory is to know nothing of.
mod leave_out;
/// `[state]` and `[models]`: folders on disk.
mod storage;
/// `[connect.*]`: the transport.
mod connect;
/// `[connect.kafka]`: properties of librdkafka, with variables of the environment.
mod kafka;
/// Values that must not be shown.
mod secret;
/// Faults, and the report of all of them.
mod fault;
/// Collects faults, and knows where each key stands in the file.
mod report;
/// A table of the file, its keys, and values of each type.
mod section;
/// Sizes as text, and which values are allowed.
mod units;
/// The name that was probably meant.
mod nearest;
/// Every key there is, by section.
mod keys;
/// What a join needs of the rest of the file.
mod join_fit;
/// What no section can check on its own.
mod consistency;
/// The checked pipeline as text again.
mod resolved;
/// The fingerprint of what decides state.
mod digest;
#[cfg(test)]
mod tests;

pub use connect::{Connect, EmbeddedLog, FilePlace, Files, LocalPath};
pub use decide::{AlertType, Decide, Likelihood, Postprocessing, Train, Vote, VoteAt};
pub use detect::{Detect, Detector, Inputs, ModelVersion};
pub use enrich::{Encoding, Enrich, ReferenceTable};
pub use fault::{Excerpt, Fault, Faults};
pub use join::{Join, JoinKind, Joined, Matches};
pub use kafka::{Kafka, KafkaProperty, PropertyValue};
pub use keys::known_keys;
pub use lapwing_detect::Method;
pub use leave_out::LeaveOut;
pub use outputs::{Outputs, Role, Topics};
pub use pipeline::{FILE_BYTES_MAX, Overrides, Pipeline, Settings, Variables};
pub use schema::{FieldType, SchemaField};
pub use secret::Secret;
pub use source::{Csv, Format, LINE, LineLayout, LineStart, Lines, Source};
pub use storage::{Models, State};
pub use templates::{PARAMETER, TEMPLATE, TEMPLATE_CODE, TEMPLATE_NEW, TEMPLATE_TEXT, Templates};
pub use units::{format_size, parse_size};
pub use window::{WINDOW_END, WINDOW_EVENTS, WINDOW_OWN, WINDOW_SECONDS, WINDOW_START, Window};
