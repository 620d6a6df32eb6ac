/// Transport of a service, in KDD'99's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Icmp,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

/// A service as KDD'99 names it, with its port and the median bytes of one connection, to and fro.
#[derive(Debug, PartialEq)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    pub(crate) src_bytes: f64,
    pub(crate) dst_bytes: f64,
    /// Whether its connections begin with a login.
    pub(crate) login: bool,
}

const fn tcp(name: &'static str, port: u16, src_bytes: f64, dst_bytes: f64) -> Service {
    Service { name, protocol: Protocol::Tcp, port, src_bytes, dst_bytes, login: false }
}

const fn login(name: &'static str, port: u16, src_bytes: f64, dst_bytes: f64) -> Service {
    Service { name, protocol: Protocol::Tcp, port, src_bytes, dst_bytes, login: true }
}

const fn udp(name: &'static str, port: u16, src_bytes: f64, dst_bytes: f64) -> Service {
    Service { name, protocol: Protocol::Udp, port, src_bytes, dst_bytes, login: false }
}

const fn icmp(name: &'static str, src_bytes: f64) -> Service {
    Service { name, protocol: Protocol::Icmp, port: 0, src_bytes, dst_bytes: 0.0, login: false }
}

pub(crate) static HTTP: Service = tcp("http", 80, 240.0, 2_400.0);
pub(crate) static HTTPS: Service = tcp("http_443", 443, 420.0, 3_600.0);
pub(crate) static SMTP: Service = tcp("smtp", 25, 1_100.0, 330.0);
pub(crate) static IMAP: Service = login("imap4", 143, 320.0, 1_900.0);
pub(crate) static POP: Service = login("pop_3", 110, 120.0, 1_400.0);
pub(crate) static FTP: Service = login("ftp", 21, 180.0, 420.0);
pub(crate) static FTP_DATA: Service = tcp("ftp_data", 20, 2_600.0, 900.0);
pub(crate) static SSH: Service = login("ssh", 22, 900.0, 1_300.0);
pub(crate) static TELNET: Service = login("telnet", 23, 160.0, 700.0);
pub(crate) static SQL: Service = tcp("sql_net", 1521, 380.0, 1_700.0);
pub(crate) static LDAP: Service = tcp("ldap", 389, 150.0, 310.0);
pub(crate) static NETBIOS: Service = tcp("netbios_ssn", 139, 700.0, 1_500.0);
pub(crate) static PRINTER: Service = tcp("printer", 515, 1_500.0, 60.0);
pub(crate) static DOMAIN: Service = udp("domain_u", 53, 44.0, 130.0);
pub(crate) static TRANSFER: Service = tcp("domain", 53, 90.0, 800.0);
pub(crate) static NTP: Service = udp("ntp_u", 123, 48.0, 48.0);
pub(crate) static PRIVATE: Service = udp("private", 161, 105.0, 146.0);
pub(crate) static ECHO: Service = icmp("eco_i", 30.0);
pub(crate) static OTHER: Service = tcp("other", 8883, 210.0, 160.0);
static FINGER: Service = tcp("finger", 79, 10.0, 150.0);
static SUNRPC: Service = tcp("sunrpc", 111, 60.0, 40.0);
static AUTH: Service = tcp("auth", 113, 12.0, 30.0);
static X11: Service = tcp("X11", 6000, 400.0, 900.0);
static IRC: Service = tcp("IRC", 6667, 90.0, 300.0);
static WHOIS: Service = tcp("whois", 43, 20.0, 600.0);
static GOPHER: Service = tcp("gopher", 70, 20.0, 800.0);
static NNTP: Service = tcp("nntp", 119, 200.0, 900.0);
static BGP: Service = tcp("bgp", 179, 60.0, 60.0);
static UUCP: Service = tcp("uucp", 540, 60.0, 60.0);
static EXEC: Service = tcp("exec", 512, 60.0, 60.0);
static SHELL: Service = tcp("shell", 514, 60.0, 60.0);
static KERBEROS: Service = tcp("klogin", 543, 60.0, 60.0);

/// What a port scan knocks at: every service over TCP.
pub(crate) static SCANNED: [&Service; 26] = [
    &HTTP, &HTTPS, &SMTP, &IMAP, &POP, &FTP, &FTP_DATA, &SSH, &TELNET, &SQL, &LDAP, &NETBIOS, &PRINTER, &TRANSFER,
    &FINGER, &SUNRPC, &AUTH, &X11, &IRC, &WHOIS, &GOPHER, &NNTP, &BGP, &UUCP, &EXEC, &SHELL,
];
/// What brute force tries to log in to.
pub(crate) static GUESSED: [&Service; 4] = [&SSH, &TELNET, &FTP, &KERBEROS];
/// What a SYN flood drowns.
pub(crate) static FLOODED: [&Service; 4] = [&HTTP, &HTTPS, &SMTP, &SQL];
/// What data leave by.
pub(crate) static CARRIERS: [&Service; 4] = [&HTTPS, &FTP_DATA, &SSH, &OTHER];
