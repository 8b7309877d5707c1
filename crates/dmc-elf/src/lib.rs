//! ELF facts of one file; which files a set of roots needs, and why.
//!
//! [`nature`] reads one file. [`search`] knows where the dynamic loader looks for a library.
//! [`Walk`] puts both together: from a template's roots it follows every edge (needed libraries,
//! interpreters, links, rules) through the facts of packages, until nothing new turns up, and
//! returns a [`Closure`] in which each kept file has its reasons.
//!
//! Nothing here touches a disk or a network; the walk says which packages it needs to see and its
//! caller brings them.

mod closure;
mod facts;
pub mod search;
mod universe;
mod walk;

pub use closure::{AlternativeLink, Closure, Edge, EdgeKind, Kept, Note};
pub use facts::{ElfError, nature, read};
pub use walk::{Answer, Brought, Need, Start, Walk, WalkError, Want};
