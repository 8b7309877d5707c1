//! dmc-build
