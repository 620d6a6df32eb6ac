//! The server, asked over real connections on loopback.

/// A client of a few lines, and a pipeline that answers with fixed figures.
mod support;
/// What each route answers.
mod routes;
/// Who is let in.
mod access;
/// Starting and stopping.
mod lifecycle;
