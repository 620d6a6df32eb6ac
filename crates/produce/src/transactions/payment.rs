use lapwing_vocabulary::EventTime;

use super::anomaly::AnomalyKind;
use super::customer::Customer;
use super::place::{CITIES, Point};
use super::schema::{
    AMOUNT, CARD_PRESENT, CATEGORY, CHANNEL, COUNTRY, CURRENCY, CUSTOMER_ID, ID, LABEL, LATITUDE, LONGITUDE,
    TERMINAL_ID, UTC,
};
use super::terminal::Terminal;
use crate::json::{self, Calendar};
use crate::produced::NORMAL;

/// How the card, or its number, came to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Chip,
    Contactless,
    /// What a copy of a card can do.
    Magstripe,
    Online,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Contactless => "contactless",
            Self::Magstripe => "magstripe",
            Self::Online => "online",
        }
    }
}

/// One payment, but for its time and id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payment {
    pub(crate) customer: usize,
    pub(crate) terminal: usize,
    pub(crate) cents: u64,
    /// City of the terminal if the card was there, else of the device that paid.
    pub(crate) city: usize,
    pub(crate) point: Point,
    pub(crate) channel: Channel,
    pub(crate) kind: Option<AnomalyKind>,
}

/// What an event says beside the payment itself.
pub(crate) struct Frame<'a> {
    pub(crate) time: EventTime,
    pub(crate) id: u128,
    pub(crate) customer: &'a Customer,
    pub(crate) terminal: &'a Terminal,
    /// Name of the terminal at the time.
    pub(crate) terminal_id: &'a str,
}

impl Payment {
    /// Appends the event as a JSON object.
    pub(crate) fn write(&self, frame: &Frame<'_>, calendar: &mut Calendar, out: &mut Vec<u8>) {
        out.push(b'{');
        json::name(out, UTC);
        calendar.moment(out, frame.time);
        json::name(out, ID);
        json::uuid(out, frame.id);
        json::name(out, CUSTOMER_ID);
        json::plain(out, frame.customer.id.as_bytes());
        json::name(out, TERMINAL_ID);
        json::plain(out, frame.terminal_id.as_bytes());
        json::name(out, AMOUNT);
        json::integer(out, self.cents / 100);
        json::fraction(out, self.cents % 100, 2);
        json::name(out, CURRENCY);
        json::plain(out, CITIES[frame.terminal.city].currency.as_bytes());
        json::name(out, CATEGORY);
        json::plain(out, frame.terminal.category.name().as_bytes());
        json::name(out, COUNTRY);
        json::plain(out, CITIES[self.city].country.as_bytes());
        json::name(out, LATITUDE);
        json::degrees(out, self.point.latitude);
        json::name(out, LONGITUDE);
        json::degrees(out, self.point.longitude);
        json::name(out, CARD_PRESENT);
        out.extend_from_slice(if self.channel == Channel::Online { b"false" } else { b"true" });
        json::name(out, CHANNEL);
        json::plain(out, self.channel.name().as_bytes());
        json::name(out, LABEL);
        json::plain(out, self.kind.map_or(NORMAL, AnomalyKind::name).as_bytes());
        out.push(b'}');
    }
}
