use super::service::{
    DOMAIN, ECHO, FTP, FTP_DATA, HTTP, HTTPS, IMAP, LDAP, NETBIOS, NTP, OTHER, POP, PRINTER, PRIVATE, SMTP, SQL, SSH,
    Service, TELNET, TRANSFER,
};

/// What a host is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A desk with a person at it.
    Workstation,
    /// Cameras, meters, door locks.
    Iot,
    /// Serves pages.
    Web,
    /// Answers queries of applications.
    Database,
    /// Keeps and serves files.
    File,
    /// Takes and delivers mail.
    Mail,
    /// Resolves names.
    Dns,
    /// Where people enter from outside.
    Gateway,
}

/// What is typical of a role.
pub(crate) struct Profile {
    /// Hosts of this role. Units: percent; all roles together make 100.
    pub(crate) hosts_percent: u32,
    /// Events of one host, relative to a workstation's.
    pub(crate) rate: f64,
    /// How far the level swings about its mean within a day. Range: 0..1.
    pub(crate) swing: f64,
    /// Hour of the day (UTC) at which it is busiest.
    pub(crate) peak_hour: f64,
    /// Level on Saturday and Sunday, relative to a weekday.
    pub(crate) weekend: f64,
    /// Bytes relative to the service's usual.
    pub(crate) size: f64,
    /// Spread of the logarithm of bytes.
    pub(crate) spread: f64,
    /// Connections within two seconds, typically.
    pub(crate) count: f64,
    /// Share of connections whose opening is never answered.
    pub(crate) s_error: f64,
    /// Share of connections that are refused or reset.
    pub(crate) r_error: f64,
    /// Share of connections that last longer than a second.
    pub(crate) lasting: f64,
    /// Whether the host opens its connections, or is called.
    pub(crate) opens: bool,
    /// Services with their weights; the weights make 100.
    pub(crate) services: &'static [(&'static Service, u32)],
}

impl Role {
    /// Every role, the commonest first.
    pub const ALL: [Self; 8] =
        [Self::Workstation, Self::Iot, Self::Web, Self::Database, Self::File, Self::Mail, Self::Dns, Self::Gateway];

    /// The name in the reference table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Workstation => "workstation",
            Self::Iot => "iot",
            Self::Web => "web",
            Self::Database => "database",
            Self::File => "file",
            Self::Mail => "mail",
            Self::Dns => "dns",
            Self::Gateway => "gateway",
        }
    }

    pub(crate) fn profile(self) -> &'static Profile {
        match self {
            Self::Workstation => &WORKSTATION,
            Self::Iot => &IOT,
            Self::Web => &WEB,
            Self::Database => &DATABASE,
            Self::File => &FILE,
            Self::Mail => &MAIL,
            Self::Dns => &DNS,
            Self::Gateway => &GATEWAY,
        }
    }
}

static WORKSTATION: Profile = Profile {
    hosts_percent: 44,
    rate: 1.0,
    swing: 0.85,
    peak_hour: 13.0,
    weekend: 0.15,
    size: 1.0,
    spread: 0.8,
    count: 3.0,
    s_error: 0.006,
    r_error: 0.020,
    lasting: 0.06,
    opens: true,
    services: &[(&HTTPS, 48), (&HTTP, 22), (&DOMAIN, 18), (&IMAP, 5), (&SMTP, 3), (&NETBIOS, 3), (&PRINTER, 1)],
};
static IOT: Profile = Profile {
    hosts_percent: 16,
    rate: 0.6,
    swing: 0.10,
    peak_hour: 18.0,
    weekend: 1.0,
    size: 0.7,
    spread: 0.35,
    count: 1.5,
    s_error: 0.010,
    r_error: 0.010,
    lasting: 0.02,
    opens: true,
    services: &[(&OTHER, 70), (&NTP, 16), (&DOMAIN, 10), (&ECHO, 4)],
};
static WEB: Profile = Profile {
    hosts_percent: 14,
    rate: 5.0,
    swing: 0.55,
    peak_hour: 19.0,
    weekend: 0.9,
    size: 1.3,
    spread: 1.0,
    count: 14.0,
    s_error: 0.008,
    r_error: 0.010,
    lasting: 0.04,
    opens: false,
    services: &[(&HTTPS, 70), (&HTTP, 27), (&SSH, 2), (&ECHO, 1)],
};
static DATABASE: Profile = Profile {
    hosts_percent: 8,
    rate: 4.0,
    swing: 0.45,
    peak_hour: 14.0,
    weekend: 0.5,
    size: 1.6,
    spread: 0.9,
    count: 10.0,
    s_error: 0.002,
    r_error: 0.004,
    lasting: 0.25,
    opens: false,
    services: &[(&SQL, 94), (&LDAP, 3), (&SSH, 3)],
};
static FILE: Profile = Profile {
    hosts_percent: 6,
    rate: 2.0,
    swing: 0.7,
    peak_hour: 10.0,
    weekend: 0.3,
    size: 2.2,
    spread: 1.1,
    count: 5.0,
    s_error: 0.004,
    r_error: 0.012,
    lasting: 0.20,
    opens: false,
    services: &[(&NETBIOS, 62), (&FTP_DATA, 16), (&FTP, 12), (&LDAP, 6), (&SSH, 4)],
};
static MAIL: Profile = Profile {
    hosts_percent: 5,
    rate: 3.0,
    swing: 0.6,
    peak_hour: 9.0,
    weekend: 0.4,
    size: 1.5,
    spread: 1.1,
    count: 6.0,
    s_error: 0.012,
    r_error: 0.030,
    lasting: 0.10,
    opens: false,
    services: &[(&SMTP, 55), (&IMAP, 30), (&POP, 10), (&DOMAIN, 5)],
};
static DNS: Profile = Profile {
    hosts_percent: 4,
    rate: 8.0,
    swing: 0.5,
    peak_hour: 14.0,
    weekend: 0.6,
    size: 1.0,
    spread: 0.3,
    count: 40.0,
    s_error: 0.001,
    r_error: 0.002,
    lasting: 0.0,
    opens: false,
    services: &[(&DOMAIN, 95), (&TRANSFER, 2), (&NTP, 2), (&PRIVATE, 1)],
};
static GATEWAY: Profile = Profile {
    hosts_percent: 3,
    rate: 2.5,
    swing: 0.7,
    peak_hour: 8.0,
    weekend: 0.35,
    size: 1.2,
    spread: 0.9,
    count: 4.0,
    s_error: 0.010,
    r_error: 0.025,
    lasting: 0.35,
    opens: false,
    services: &[(&SSH, 46), (&HTTPS, 40), (&TELNET, 6), (&PRIVATE, 5), (&ECHO, 3)],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_roles_and_services_make_a_whole() {
        assert_eq!(Role::ALL.iter().map(|role| role.profile().hosts_percent).sum::<u32>(), 100);
        for role in Role::ALL {
            let weights: u32 = role.profile().services.iter().map(|(_, weight)| weight).sum();
            assert_eq!(weights, 100, "{}", role.name());
        }
    }
}
