//! Which names an image gets, and which image runs.
//!
//! [`tags`] says what create and push name an image. Beyond them stands one name, `live` unless the
//! configuration says otherwise, that promote moves once the tests of the very image hold and
//! rollback moves back. What it means is not the tag, which anybody who can write to a repository
//! can move, but a statement {repository, tag, digest, sequence}, attached to the image and signed
//! where keys are configured. Readers accept no sequence lower than the last that they accepted.

mod error;
mod live;
mod memory;
mod place;
mod read;
mod tags;

pub use error::PromoteError;
pub use live::{How, Live, Past};
#[expect(unused_imports, reason = "for verify and deploy")]
pub(crate) use read::{accept_live, live, live_tag};
pub(crate) use tags::{check_host, check_private, is_private, tags};
