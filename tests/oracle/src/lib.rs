//! An independent opinion on Debian's formats.
//!
//! [debian-packaging](https://docs.rs/debian-packaging) was written by others, from the same
//! documents. Each module here says one thing twice, once as dmc reads it and once as that crate
//! does, in plain text and numbers that a test compares with `assert_eq!`. Where that crate is
//! wrong, [`faults`] says exactly where: what is not on that list must be equal.
//!
//! `tests/fixtures.rs` reads what its builders write, `tests/faults.rs` asserts that the list is
//! not too long, `tests/archive.rs` (feature `archive`) reads the machine's real mirror. See
//! docs/oracle.md.

pub mod faults;
pub mod index;
pub mod package;
pub mod relation;
pub mod release;
pub mod site;
