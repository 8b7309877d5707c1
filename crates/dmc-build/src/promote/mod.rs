//! Which names an image gets, and which image runs.
//!
//! [`tags`] says what create and push name an image. Beyond them stands one name, `live` unless the
//! configuration says otherwise, that promote moves once the tests of the very image hold and
//! rollback moves back. What it means is not the tag, which anybody who can write to a repository
//! can move, but a statement {repository, tag, digest, sequence}, attached to the image and signed
//! where keys are configured. Readers accept no sequence lower than the last that they accepted.

mod container;
mod error;
mod live;
mod memory;
mod place;
#[expect(clippy::module_inception, reason = "it is what the room is named after")]
mod promote;
mod read;
mod restart;
mod tags;

pub use error::PromoteError;
pub use live::{How, Live, Past};
pub(crate) use place::is_of_place;
pub use promote::Promoted;
pub(crate) use promote::{Trial, promote, rollback};
pub(crate) use read::{live, live_tag};
pub use restart::Restarted;
pub(crate) use restart::restart;
pub(crate) use tags::{check_host, check_private, is_private, tags};
