pub use crate::schema::{LABEL, UTC};

/// Column: identifies the payment.
pub const ID: &str = "id";
/// Column: who pays, and the key of the record.
pub const CUSTOMER_ID: &str = "customer_id";
/// Column: where the payment was taken.
pub const TERMINAL_ID: &str = "terminal_id";
/// Column: how much, in units of the currency, with two decimals.
pub const AMOUNT: &str = "amount";
/// Column: ISO 4217 code of the terminal's country.
pub const CURRENCY: &str = "currency";
/// Column: what the terminal sells.
pub const CATEGORY: &str = "category";
/// Column: ISO 3166 code of the country of the place.
pub const COUNTRY: &str = "country";
/// Column: of the terminal if the card was there, else of the device that paid. Units: degrees north.
pub const LATITUDE: &str = "latitude";
/// Column: goes with `latitude`. Units: degrees east.
pub const LONGITUDE: &str = "longitude";
/// Column: whether the card was at the terminal.
pub const CARD_PRESENT: &str = "card_present";
/// Column: `chip`, `contactless`, `magstripe` or `online`.
pub const CHANNEL: &str = "channel";

/// Every column, in the order in which an event has them.
pub const COLUMNS: [&str; 13] = [
    UTC,
    ID,
    CUSTOMER_ID,
    TERMINAL_ID,
    AMOUNT,
    CURRENCY,
    CATEGORY,
    COUNTRY,
    LATITUDE,
    LONGITUDE,
    CARD_PRESENT,
    CHANNEL,
    LABEL,
];

/// Name of customer number `index`, counted from 0: `customer-00001` and on.
pub fn customer_id(index: usize) -> String {
    format!("customer-{:05}", index + 1)
}
