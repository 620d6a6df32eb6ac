/// Keys and tables of the file.
pub(super) const ROOT: &[&str] = &[
    "name",
    "workers",
    "processing",
    "commit_interval",
    "max_batch_events",
    "min_batch_events",
    "max_batch_delay",
    "max_record_bytes",
    "source",
    "schema",
    "templates",
    "join",
    "enrich",
    "encode",
    "window",
    "features",
    "detect",
    "decide",
    "train",
    "outputs",
    "topics",
    "state",
    "models",
    "connect",
];
/// `[source]`
pub(super) const SOURCE: &[&str] = &[
    "topic",
    "format",
    "key",
    "time",
    "id",
    "dedup",
    "dedup_ids",
    "watermark",
    "idle_after",
    "max_future",
    "repartition",
    "group",
    "csv",
    "lines",
];
/// `[source.lines]`
pub(super) const LINES: &[&str] = &["layout", "pattern", "example", "keys", "utc_offset", "multiline"];
/// `[templates]`
pub(super) const TEMPLATES: &[&str] = &[
    "column",
    "seed",
    "learn",
    "masks",
    "patterns",
    "depth",
    "similarity",
    "max_children",
    "max_templates",
    "max_tokens",
    "max_bytes",
    "parameters",
];
/// `[source.csv]`
pub(super) const CSV: &[&str] = &["delimiter", "header", "columns"];
/// A field of `[schema]` written as a table.
pub(super) const SCHEMA_FIELD: &[&str] = &["type", "path"];
/// `[join.<join>]`
pub(super) const JOIN: &[&str] = &[
    "topic",
    "format",
    "key",
    "time",
    "schema",
    "on",
    "within",
    "before",
    "after",
    "wait",
    "match",
    "kind",
    "table",
    "ttl",
    "max_rows",
    "max_bytes",
    "csv",
];
/// `[enrich]`
pub(super) const ENRICH: &[&str] = &["tables", "query"];
/// A feature of `[features]`.
pub(super) const FEATURE: &[&str] = &[
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "std",
    "rate",
    "distinct",
    "quantile",
    "iqr_position",
    "entropy",
    "share",
    "zscore",
    "robust_zscore",
    "ewma",
    "last",
    "delta",
    "velocity",
    "acceleration",
    "since_last",
    "first_seen",
    "rarity",
    "surprise",
    "geo_distance",
    "geo_speed",
    "correlation",
    "sequence",
    "over",
    "baseline",
    "panes",
    "q",
    "season",
    "peers",
    "length",
    "learn",
    "nulls",
    "fill",
];
/// `[window]`
pub(super) const WINDOW: &[&str] = &[
    "kind",
    "size",
    "step",
    "gap",
    "max_age",
    "events",
    "min_events",
    "allowed_lateness",
    "early",
    "open_max",
    "columns",
    "texts",
];
/// `[window.texts]`
pub(super) const WINDOW_TEXTS: &[&str] = &["column", "events", "bytes"];
/// A column of `[window.columns]`.
pub(super) const WINDOW_COLUMN: &[&str] = &[
    "count", "sum", "mean", "min", "max", "std", "first", "last", "distinct", "counts", "sequence", "span", "labels",
    "length",
];
/// What every detector has; its other keys are options of its method.
pub(super) const DETECTOR_COMMON: &[&str] = &["method", "inputs", "exclude", "model", "rules"];
/// `[detect.<detector>]`
pub(super) const DETECTOR: &[&str] = &[
    "method",
    "inputs",
    "exclude",
    "model",
    "rules",
    "trees",
    "samples",
    "balanced",
    "column_fraction",
    "extension",
    "fraction",
    "held_back",
    "l2",
    "leaf_rows_min",
    "leaves_max",
    "learning_rate",
    "patience",
    "rounds",
    "sample_fraction",
    "split_columns",
    "hidden",
    "bottleneck",
    "epochs",
    "batch_rows",
    "masked_key",
    "by_rank",
    "vocabulary",
    "heads",
    "layers",
    "file",
    "output",
    "negate",
    "bins",
    "dynamic",
    "skewness",
    "variance",
    "weighted",
    "vectors_max",
    "rarity",
    "minimum_effect",
    "context",
    "smoothing",
    "mean",
];
/// A column of `[detect.<detector>.rules]`
pub(super) const INPUT_RULE: &[&str] = &["direction", "minimum", "minimum_share"];
/// `[decide]`
pub(super) const DECIDE: &[&str] = &["alert_rate", "segment", "likelihood", "rest", "release", "types"];
/// `[decide.likelihood]`
pub(super) const LIKELIHOOD: &[&str] = &["recent", "over"];
/// `[decide.types.<type>]`
pub(super) const ALERT_TYPE: &[&str] = &["when", "severity", "detector", "alert_rate", "min_score"];
/// `[train]`
pub(super) const TRAIN: &[&str] = &["where", "label", "normal", "sample", "seed"];
/// `[outputs]`
pub(super) const OUTPUTS: &[&str] = &["alerts", "enriched", "dead_letters", "late", "features", "scores"];
/// What can be said of one topic, and of all of them.
pub(super) const LAYOUT: &[&str] = &["partitions", "replication", "retention", "retention_bytes", "compact"];
/// `[topics]`: the layout, and a table for each role.
pub(super) const TOPICS: &[&str] = &[
    "partitions",
    "replication",
    "retention",
    "retention_bytes",
    "compact",
    "source",
    "joined",
    "alerts",
    "enriched",
    "dead_letters",
    "late",
    "markers",
    "repartitioned",
];
/// `[state]`
pub(super) const STATE: &[&str] = &["path", "snapshots", "snapshot_interval", "memory", "ttl", "leave_out"];
/// An interval of `state.leave_out`.
pub(super) const LEAVE_OUT: &[&str] = &["from", "to", "entity"];
/// `[models]`
pub(super) const MODELS: &[&str] = &["path"];
/// `[connect]`
pub(super) const CONNECT: &[&str] = &["embedded", "kafka", "files"];
/// `[connect.embedded]`
pub(super) const EMBEDDED: &[&str] = &["path", "sync"];
/// `[connect.files]`
pub(super) const FILES: &[&str] = &["inputs", "outputs", "follow"];

/// Every table with its keys; `<…>` stands for a name the user chooses.
const SECTIONS: &[(&str, &[&str])] = &[
    ("", ROOT),
    ("source", SOURCE),
    ("source.csv", CSV),
    ("source.lines", LINES),
    ("templates", TEMPLATES),
    ("templates.patterns", &["<name>"]),
    ("schema.<field>", SCHEMA_FIELD),
    ("join.<join>", JOIN),
    ("join.<join>.csv", CSV),
    ("join.<join>.schema.<field>", SCHEMA_FIELD),
    ("enrich", ENRICH),
    ("enrich.tables", &["<table>"]),
    ("encode", &["<column>"]),
    ("window", WINDOW),
    ("window.columns.<column>", WINDOW_COLUMN),
    ("window.texts", WINDOW_TEXTS),
    ("features.<feature>", FEATURE),
    ("detect.<detector>", DETECTOR),
    ("detect.<detector>.rules.<column>", INPUT_RULE),
    ("decide", DECIDE),
    ("decide.likelihood", LIKELIHOOD),
    ("decide.types.<type>", ALERT_TYPE),
    ("train", TRAIN),
    ("outputs", OUTPUTS),
    ("topics", TOPICS),
    ("topics.<role>", LAYOUT),
    ("state", STATE),
    ("state.leave_out", LEAVE_OUT),
    ("models", MODELS),
    ("connect", CONNECT),
    ("connect.embedded", EMBEDDED),
    ("connect.kafka", &["<property>"]),
    ("connect.files", FILES),
];

/// Every key the pipeline file knows, by its full name: `source.watermark`, `detect.<detector>.trees`. `<…>` stands for
/// a name the user chooses.
pub fn known_keys() -> Vec<String> {
    let full = |section: &str, key: &str| if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
    SECTIONS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| full(section, key))).collect()
}

/// The tables in which a key stands.
pub(super) fn sections_of(key: &str) -> Vec<&'static str> {
    let has = SECTIONS.iter().filter(|(_, keys)| keys.contains(&key));
    has.map(|(section, _)| if section.is_empty() { "the top of the file, before any table" } else { section }).collect()
}
