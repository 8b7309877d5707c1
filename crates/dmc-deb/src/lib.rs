//! dmc-deb
