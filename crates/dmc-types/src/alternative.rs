//! Links that `update-alternatives` keeps (update-alternatives(1)).

use crate::ImagePath;
use serde::{Deserialize, Serialize};

/// One candidate for a link: what `update-alternatives --install LINK NAME PATH PRIORITY` says,
/// with its `--slave LINK NAME PATH` items.
///
/// The image gets `LINK` → `/etc/alternatives/NAME` → `PATH` for the candidate of the highest
/// priority, and the slaves of the same candidate in the same manner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Alternative {
    /// The generic path: `/usr/bin/awk`.
    pub link: ImagePath,
    /// The name in `/etc/alternatives`: `awk`.
    pub name: String,
    /// What this candidate puts there: `/usr/bin/mawk`.
    pub path: ImagePath,
    /// The highest wins.
    pub priority: i64,
    /// Link, name and path of each slave, which follow the candidate that was chosen.
    pub slaves: Vec<(ImagePath, String, ImagePath)>,
}

impl Alternative {
    /// The links outside `/etc/alternatives` that this candidate and its slaves have.
    pub fn links(&self) -> impl Iterator<Item = &ImagePath> {
        std::iter::once(&self.link).chain(self.slaves.iter().map(|(link, ..)| link))
    }
}
