//! How many machines share a build: the plan, and what each of them does.
//!
//! Touches neither disk nor network.
