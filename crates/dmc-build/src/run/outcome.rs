//! What tasks came to.

use crate::audit::AuditReport;
use crate::changes::Standing;
use crate::deploy::{Deployed, Undeployed};
use crate::farm::Delivered;
use crate::image::ImageSummary;
use crate::lock::{LockUpdate, LockedImages};
use crate::promote::{Promoted, Restarted};
use crate::push::Pushed;
use crate::sbom::Described;
use crate::signing::CheckedRepository;
use crate::workshop::Named;
use camino::Utf8PathBuf;
use dmc_archive::KeyInUse;
use dmc_archive::release::News;
use dmc_verify::Report;

/// What a task came to.
#[derive(Debug)]
pub enum Outcome {
    /// The store is there; the configuration file was written where a path is given.
    Prepared {
        /// The store's folder.
        store: Utf8PathBuf,
        /// The file that was made.
        conf: Option<Utf8PathBuf>,
    },
    /// The indices of an architecture are there.
    Indices {
        /// How many packages they hold; none where nothing has changed since they were read last,
        /// so that they are opened only by whoever needs them.
        packages: Option<usize>,
        /// The releases that vouch for them.
        releases: Vec<ReleaseLine>,
    },
    /// Whose signatures count, and for which suites.
    Keys(Vec<KeyInUse>),
    /// Which tools are there.
    Tools(Vec<Tool>),
    /// How a template's images stand to the indices.
    Changes(Vec<Standing>),
    /// An image is in the layout.
    Image {
        /// What is known of it.
        summary: Box<ImageSummary>,
        /// Whether it was there already.
        cached: bool,
    },
    /// An index is in the layout.
    Index(Named),
    /// All of so many tests hold.
    Tested(usize),
    /// What is wrong with an image.
    Verified(Box<Report>),
    /// What a security tracker knows of a template's images.
    Audited(Box<AuditReport>),
    /// What the layout has of documents about an image.
    Described(Vec<Described>),
    /// One of these, as it is.
    Document(Vec<u8>),
    /// The licences of an image's packages, none of which is denied.
    Licences,
    /// The engine has the image.
    Loaded(Vec<String>),
    /// The registry has the image.
    Pushed(Box<Pushed>),
    /// The live image is another, or the same again.
    Promoted(Box<Promoted>),
    /// What runs here is the live image, or nothing does.
    Restarted(Restarted),
    /// The image runs in the cluster, or is shown as it would.
    Deployed(Box<Deployed>),
    /// The cluster does not have it any more.
    Undeployed(Box<Undeployed>),
    /// The registry has the images of a shard.
    Delivered(Box<Delivered>),
    /// Trusted keys have signed what the registry has.
    Signatures(Box<CheckedRepository>),
    /// The packages of a template's images are known.
    Chosen(Box<LockedImages>),
    /// What became of the lock, or would.
    Lock {
        /// What differs.
        update: Box<LockUpdate>,
        /// Whether it was written.
        written: bool,
    },
}

/// A verified release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseLine {
    /// Its suite.
    pub suite: String,
    /// Its mirror.
    pub url: String,
    /// When it was made, in seconds since 1970.
    pub date: i64,
    /// When the one was made that was accepted last time, where that is another.
    pub before: Option<i64>,
    /// How it stands to the one that was accepted last time.
    pub news: News,
    /// Fingerprint of the certificate that signed it.
    pub signer: String,
}

/// A program that some activities use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// The program.
    pub program: &'static str,
    /// What for.
    pub purpose: &'static str,
    /// Whether it is there.
    pub found: bool,
}
