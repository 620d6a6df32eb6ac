//! `lapwing check`: what the pipeline file means, stage by stage, or everything that is wrong with it.

use std::fmt::Write;
use std::path::PathBuf;

use arrow::datatypes::Schema as ArrowSchema;
use clap::Args;
use lapwing_detect::Inputs as MemberInputs;
use lapwing_pipeline::error::RunError;
use lapwing_pipeline::join::JoinPlan;
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::score::ModelSource;
use lapwing_pipeline::settings::{Joined, Overrides};
use lapwing_vocabulary::time::format_duration;

use crate::failure::Failure;
use crate::load;
use crate::places::Inputs;
use crate::state;

/// Check a pipeline file; print the resolved settings and the columns at every stage.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The pipeline file.
    pub pipeline: PathBuf,
    /// Infer the schema from this file instead of the source topic.
    #[arg(long)]
    pub input: Vec<PathBuf>,
    /// Say what becomes of the state that is there: what is kept, what begins empty, what cannot be used.
    #[arg(long)]
    pub against_state: bool,
}

/// Runs the command.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let settings = load::settings(&args.pipeline, &Overrides::default())?;
    let resolved = settings.resolved();
    let model = load::model_source(&settings).changed_from(None);
    // Planned for training, so that the columns of `train.where` are checked too.
    let plan = load::plan(settings, &Inputs { files: args.input.clone() }, Purpose::Train)?;
    let mut text = format!("{}\n\n", resolved.trim_end());
    describe(&plan, &mut text);
    let fits = match model {
        Ok(Some(model)) => {
            let _ = writeln!(text, "# model: {}", model.id());
            let none = arrow::array::RecordBatch::new_empty(plan.rows.clone());
            let fits = model.ensemble.columns().encode(&none).map(|_| ());
            fits.map_err(|error| Failure::from(RunError::Score { model: model.id(), error }))
        }
        Ok(None) => {
            text.push_str("# model: none yet; events are enriched and forwarded, none is scored\n");
            Ok(())
        }
        Err(fault) => Err(Failure::new(crate::failure::DATA, fault)),
    };
    crate::print_line(text.trim_end());
    // What becomes of the state is said whether or not the model fits.
    let kept = if args.against_state { state::against(&args.pipeline) } else { Ok(()) };
    fits.and(kept)
}

fn describe(plan: &Plan, text: &mut String) {
    let decoded = plan.decode.schema.arrow();
    let _ = writeln!(text, "# columns that decode builds ({}):\n#   {}", decoded.fields().len(), columns(&decoded, 0));
    for join in plan.joins.iter() {
        let _ = writeln!(text, "# join {}:\n#   {}", join.settings.name, join_in_words(join, plan));
        let given = ArrowSchema::new(join.fields());
        let _ = writeln!(text, "#   columns it gives:\n#   {}", columns(&given, 0));
    }
    let features = plan.features().len();
    let enriched = plan.rows.fields().len() - features;
    let rows = columns(&plan.rows, 0).split(", ").map(str::to_owned).collect::<Vec<_>>();
    let _ = writeln!(text, "# columns after enrich ({enriched}):\n#   {}", rows[..enriched].join(", "));
    let _ = writeln!(text, "# features ({features}): {} bytes of state per entity", plan.entity_bytes());
    let _ = writeln!(text, "#   {}", plan.features().join(", "));
    for member in &plan.members {
        let inputs = match &member.inputs {
            MemberInputs::All => "all".to_owned(),
            MemberInputs::Named(names) => names.join(", "),
        };
        let _ = writeln!(text, "# detector {} ({}) reads:\n#   {inputs}", member.name, member.method.name());
    }
}

fn join_in_words(join: &JoinPlan, plan: &Plan) -> String {
    let settings = &join.settings;
    let what = match settings.what {
        Joined::Table { ttl_micros: None } => "the last value of the key".to_owned(),
        Joined::Table { ttl_micros: Some(ttl) } => format!("the last value of the key, for {}", format_duration(ttl)),
        Joined::Interval { before_micros, after_micros, wait_micros, .. } => {
            let [before, after, wait] = [before_micros, after_micros, wait_micros].map(length);
            format!("records from {before} before to {after} after the event, which waits for {wait}")
        }
    };
    let place = match settings.is_by_entity(&plan.settings.source.key) {
        true => "in the partition of its entity",
        false => "in every partition, because it is not joined by the entity",
    };
    format!("{} by {} = {}: {what}; {place}", settings.topic, settings.on, settings.key)
}

fn length(micros: i64) -> String {
    if micros == 0 { "0s".to_owned() } else { format_duration(micros) }
}

fn columns(schema: &ArrowSchema, from: usize) -> String {
    let named = schema.fields().iter().skip(from).map(|field| format!("{} {}", field.name(), short(field.data_type())));
    named.collect::<Vec<_>>().join(", ")
}

fn short(kind: &arrow::datatypes::DataType) -> &'static str {
    use arrow::datatypes::DataType;
    match kind {
        DataType::Boolean => "bool",
        DataType::Timestamp(..) => "time",
        kind if kind.is_integer() => "int",
        kind if kind.is_numeric() => "float",
        _ => "text",
    }
}
