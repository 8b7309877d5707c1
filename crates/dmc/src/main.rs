//! dmc
fn main() {}
