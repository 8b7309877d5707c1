//! dmc-image
