//! dmc-archive
