//! Which vulnerabilities that Debian's security tracker knows concern an image, and which do not.
//!
//! [`Tracker::read`] takes the tracker's JSON apart as it streams past; [`audit`] holds the source
//! packages of an image against it: by name, source version and codename, as the tracker counts.
//! What the tracker does not speak of is "not covered", never clean. [`Curated`] is what people have
//! written down on where the code of a vulnerability lies; with it, and with the list of the files
//! that were kept, a finding may turn out not to affect the image. [`vex`] says all that as OpenVEX
//! 0.2.0 in an in-toto statement, which scanners find beside the image.
//!
//! Touches neither disk nor network. Whatever is read is bounded and may be hostile.

mod curated;
mod image;
mod judge;
mod tracker;
mod urgency;
pub mod vex;

pub use curated::{Curated, CuratedError};
pub use image::{Holdings, KeptFile, Package, Source};
pub use judge::{
    Audited, Evidence, Finding, Justification, NotCovered, Presence, Standing, Uncovered, audit,
};
pub use tracker::{Issue, NoDsa, Status, Tracker, TrackerError};
pub use urgency::{FailOn, UnknownUrgency, Urgency};
