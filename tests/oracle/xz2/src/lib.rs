//! [liblzma](liblzma) by the name of the crate that it is a fork of, and whose interface it kept.
//!
//! Stands in for xz2, so that debian-packaging and dmc can be in one program.

pub use liblzma::*;
