use super::service::Service;
use super::window::Window;
use crate::json;
use crate::schema::{DST_IP, DST_PORT, FEATURES, SRC_IP};

/// How a connection ended. Source: the flags of KDD Cup 1999 (as Bro named connection states).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    /// Opened and closed in order.
    Sf,
    /// Opening never answered.
    S0,
    /// Opened, never closed.
    S1,
    /// Opening taken back before an answer.
    Sh,
    /// Refused.
    Rej,
    /// Reset by the caller.
    Rsto,
    /// Reset by the called.
    Rstr,
}

impl Flag {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sf => "SF",
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::Sh => "SH",
            Self::Rej => "REJ",
            Self::Rsto => "RSTO",
            Self::Rstr => "RSTR",
        }
    }

    pub(crate) fn is_s_error(self) -> bool {
        matches!(self, Self::S0 | Self::S1 | Self::Sh)
    }

    pub(crate) fn is_r_error(self) -> bool {
        matches!(self, Self::Rej | Self::Rsto | Self::Rstr)
    }

    /// Whether no byte of content ever passed.
    pub(crate) fn is_silent(self) -> bool {
        matches!(self, Self::S0 | Self::Sh | Self::Rej)
    }
}

/// One connection as a network device reports it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connection {
    pub(crate) src_ip: [u8; 4],
    pub(crate) dst_ip: [u8; 4],
    pub(crate) dst_port: u16,
    pub(crate) service: &'static Service,
    pub(crate) flag: Flag,
    pub(crate) duration_seconds: u64,
    pub(crate) src_bytes: u64,
    pub(crate) dst_bytes: u64,
    pub(crate) content: Content,
    pub(crate) window: Window,
}

/// What was done within a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Content {
    pub(crate) wrong_fragment: u64,
    pub(crate) hot: u64,
    pub(crate) num_failed_logins: u64,
    pub(crate) logged_in: bool,
    pub(crate) num_file_creations: u64,
    pub(crate) num_access_files: u64,
    pub(crate) is_guest_login: bool,
}

/// A feature's value.
enum Value {
    Number(u64),
    Rate(u8),
    Text(&'static str),
}

impl Connection {
    /// Values in the order of [`FEATURES`].
    fn features(&self) -> [Value; 41] {
        use Value::{Number, Rate, Text};
        let (content, window) = (&self.content, &self.window);
        let flag = |set: bool| Number(u64::from(set));
        [
            Number(self.duration_seconds),
            Text(self.service.protocol.name()),
            Text(self.service.name),
            Text(self.flag.name()),
            Number(self.src_bytes),
            Number(self.dst_bytes),
            flag(self.src_ip == self.dst_ip),
            Number(content.wrong_fragment),
            Number(0),
            Number(content.hot),
            Number(content.num_failed_logins),
            flag(content.logged_in),
            Number(0),
            Number(0),
            Number(0),
            Number(0),
            Number(content.num_file_creations),
            Number(0),
            Number(content.num_access_files),
            Number(0),
            Number(0),
            flag(content.is_guest_login),
            Number(u64::from(window.count)),
            Number(u64::from(window.srv_count)),
            Rate(window.serror_rate),
            Rate(window.srv_serror_rate),
            Rate(window.rerror_rate),
            Rate(window.srv_rerror_rate),
            Rate(window.same_srv_rate),
            Rate(window.diff_srv_rate),
            Rate(window.srv_diff_host_rate),
            Number(u64::from(window.dst_host_count)),
            Number(u64::from(window.dst_host_srv_count)),
            Rate(window.dst_host_same_srv_rate),
            Rate(window.dst_host_diff_srv_rate),
            Rate(window.dst_host_same_src_port_rate),
            Rate(window.dst_host_srv_diff_host_rate),
            Rate(window.dst_host_serror_rate),
            Rate(window.dst_host_srv_serror_rate),
            Rate(window.dst_host_rerror_rate),
            Rate(window.dst_host_srv_rerror_rate),
        ]
    }

    /// Appends addresses and features as JSON fields.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        json::name(out, SRC_IP);
        json::address(out, self.src_ip);
        json::name(out, DST_IP);
        json::address(out, self.dst_ip);
        json::name(out, DST_PORT);
        json::integer(out, u64::from(self.dst_port));
        for (name, value) in FEATURES.iter().zip(self.features()) {
            json::name(out, name);
            match value {
                Value::Number(number) => json::integer(out, number),
                Value::Rate(share) => json::hundredths(out, share),
                Value::Text(text) => json::plain(out, text.as_bytes()),
            }
        }
    }
}
