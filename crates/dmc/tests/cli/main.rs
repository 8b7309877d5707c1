//! The program as its users meet it: words, exit codes, what goes where.

mod building;
mod interrupted;
mod listing;
mod machine;
mod messages;
mod same;
mod stage;
