use lapwing_vocabulary::EventTime;

/// What can befall a host.
///
/// | kind | how it looks |
/// |---|---|
/// | `port_scan` | one stranger knocks at many services and ports: tiny or no bytes, mostly `REJ`, some `S0`, `RSTR`, `SH`; `same_srv_rate` near 0, `diff_srv_rate` near 1, `rerror_rate` high; a slow scan keeps `count` low and shows in `dst_host_*` only |
/// | `syn_flood` | openings without end at one service: `S0`, no bytes, `duration` 0, `serror_rate` above 0.9, `count` 60 to 511 |
/// | `exfiltration` | the host sends 20 to 200 times its usual `src_bytes` to one address it never talked to; little comes back; moderate number of events |
/// | `brute_force` | logins at `ssh`, `telnet`, `ftp`, `klogin` fail one after the other: `num_failed_logins` 1 to 5, `logged_in` 0, sizes nearly equal |
/// | `dead_host` | the host stops answering: its usual calls at their usual rate, but zero bytes both ways, `S0` or `REJ`, `duration` 0 |
///
/// Meanwhile the host goes on with its own events, labelled `normal`. Of a dead host's events the share that fails is
/// anomalous; in a mild case (severity 0) that is six in ten, in the worst all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnomalyKind {
    /// A stranger looks for open doors.
    PortScan,
    /// A stranger drowns the host in half-open connections.
    SynFlood,
    /// Data leave the host.
    Exfiltration,
    /// A stranger guesses passwords.
    BruteForce,
    /// The host no longer answers.
    DeadHost,
}

impl AnomalyKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::PortScan, Self::SynFlood, Self::Exfiltration, Self::BruteForce, Self::DeadHost];

    /// The word in the `label` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::PortScan => "port_scan",
            Self::SynFlood => "syn_flood",
            Self::Exfiltration => "exfiltration",
            Self::BruteForce => "brute_force",
            Self::DeadHost => "dead_host",
        }
    }

    /// The kind that a word stands for.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How many events it makes, when the host would make `usual` in the same time.
    /// The first figure is the least that deserves the name, the others follow from how loud such a thing is.
    pub(crate) fn events(self, severity: f64, usual: f64) -> f64 {
        let (least, mild, worst) = match self {
            Self::PortScan => (60.0, 2.0, 10.0),
            Self::SynFlood => (120.0, 4.0, 20.0),
            Self::Exfiltration => (12.0, 0.2, 0.7),
            Self::BruteForce => (30.0, 0.5, 2.5),
            Self::DeadHost => (0.0, 0.6, 1.0),
        };
        f64::max(least * (0.5 + severity), usual * (mild + (worst - mild) * severity))
    }
}

/// One anomaly of the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anomaly {
    /// What it is.
    pub kind: AnomalyKind,
    /// Number of the host it befalls, from 0.
    pub host: usize,
    /// First moment.
    pub start: EventTime,
    /// First moment after it.
    pub end: EventTime,
    /// How plain it is. Range: 0 (subtle) to 1 (glaring).
    pub severity: f64,
    /// Events it makes; for a dead host, about how many of the host's own fail.
    pub events: u64,
}

impl Anomaly {
    /// Whether a moment lies within it.
    pub fn covers(&self, time: EventTime) -> bool {
        self.start <= time && time < self.end
    }
}
