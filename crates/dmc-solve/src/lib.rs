//! Which packages an installation of some packages comes to.
//!
//! [`solve`] answers what `apt-get --no-install-recommends install` answers on an empty system: the
//! essential packages, those that were asked for, and everything that these depend on (Debian
//! Policy 7.2). One architecture, one version a package, nothing installed before; Recommends and
//! Suggests do not count.
//!
//! It is a pure function over an [`Index`], and its answer depends on the index alone. As in apt,
//! dependencies are followed depth first, in the order in which packages have them; one that no
//! package of the set meets yet takes its first alternative that works, real packages before those
//! that provide the name. A choice that leads into a conflict is taken back. Reasons are kept for
//! every package.

mod error;
mod listing;
mod package;
mod solve;
mod state;
#[cfg(test)]
mod tests;

pub use error::{SolveError, Unsolvable};
pub use listing::Listing;
pub use package::{Index, MultiArch, Package, PackageText, Priority};
pub use solve::solve;
pub use state::{Chosen, Field, Why};
