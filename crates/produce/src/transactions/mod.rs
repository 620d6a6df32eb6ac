//! Seeded card payments. Customers live in cities, have a level of spending, habits, favourite shops and a payday, and
//! travel now and then; terminals are shops or sell online, and are replaced from time to time; now and then one of
//! five things befalls a card. The same options give the same bytes; an event takes some 330 bytes.
//!
//! The idea of such a simulator is that of Le Borgne, Siblini, Lebichot, Bontempi 2022, "Reproducible Machine Learning
//! for Credit Card Fraud Detection – Practical Handbook", chapter 3; the world here is another one.
//!
//! Ordinary payments are a Poisson process whose rate follows the customers' rhythms. A payment that would fall into a
//! journey, or into the rest that a bank gives a misused card, does not take place, so there are about two in a hundred
//! fewer than asked for per second.

/// The columns of a payment.
pub mod schema;
/// What is sold, and for how much.
mod category;
/// Cities, points and distances.
mod place;
/// Who takes payments.
mod terminal;
/// Who pays, and when.
mod customer;
/// Where customers are.
mod travel;
/// Customers and terminals together.
mod world;
/// What can befall a card.
mod anomaly;
/// One payment, and how it is written.
mod payment;
/// Payments on an ordinary day.
mod ordinary;
/// Payments of thieves.
mod story;
/// When what befalls whom.
mod thieves;
/// Settings of the scenario.
mod options;
/// The iterator of events.
mod scenario;

pub use anomaly::AnomalyKind;
pub use category::Category;
pub use options::{AnomalyOptions, TransactionsOptions};
pub use scenario::Transactions;
