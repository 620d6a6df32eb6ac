/// The 41 features of a connection, by their official names and in their official order.
/// Source: KDD Cup 1999, `kddcup.names`.
pub const FEATURES: [&str; 41] = [
    "duration",
    "protocol_type",
    "service",
    "flag",
    "src_bytes",
    "dst_bytes",
    "land",
    "wrong_fragment",
    "urgent",
    "hot",
    "num_failed_logins",
    "logged_in",
    "num_compromised",
    "root_shell",
    "su_attempted",
    "num_root",
    "num_file_creations",
    "num_shells",
    "num_access_files",
    "num_outbound_cmds",
    "is_host_login",
    "is_guest_login",
    "count",
    "srv_count",
    "serror_rate",
    "srv_serror_rate",
    "rerror_rate",
    "srv_rerror_rate",
    "same_srv_rate",
    "diff_srv_rate",
    "srv_diff_host_rate",
    "dst_host_count",
    "dst_host_srv_count",
    "dst_host_same_srv_rate",
    "dst_host_diff_srv_rate",
    "dst_host_same_src_port_rate",
    "dst_host_srv_diff_host_rate",
    "dst_host_serror_rate",
    "dst_host_srv_serror_rate",
    "dst_host_rerror_rate",
    "dst_host_srv_rerror_rate",
];

/// Places in [`FEATURES`] that hold text: protocol, service, flag.
pub const TEXT_FEATURES: [usize; 3] = [1, 2, 3];

/// Column: event time, RFC 3339 in UTC with microseconds.
pub const UTC: &str = "utc";
/// Column: identity of the event, a UUID of version 4.
pub const UUID: &str = "uuid";
/// Column: number of the event at its host, from 1.
pub const SEQUENCE_ID: &str = "sequence_id";
/// Column: number of the event in the whole stream, from 0.
pub const INDEX: &str = "index";
/// Column: the host, and the key of the record.
pub const HOST_ID: &str = "host_id";
/// Column: address that opened the connection (scenario only).
pub const SRC_IP: &str = "src_ip";
/// Column: address that was called (scenario only).
pub const DST_IP: &str = "dst_ip";
/// Column: port that was called (scenario only).
pub const DST_PORT: &str = "dst_port";
/// Column: ground truth: `normal`, or the name of the anomaly.
pub const LABEL: &str = "label";

/// Name of host number `index`, counted from 0: `host-0001` and on.
pub fn host_id(index: usize) -> String {
    format!("host-{:04}", index + 1)
}
