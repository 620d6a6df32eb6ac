//! Behaviour of the whole crate; one program, so that it is linked once.

mod commands;
mod figures;
mod files;
mod refusals;
mod searches;
mod world;
