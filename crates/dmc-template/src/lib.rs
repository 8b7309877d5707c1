//! dmc-template
