//! Signatures of what is pushed: made, found again, and held against the keys that are trusted.

mod error;
mod keys;

pub use error::SigningError;
pub(crate) use keys::Keys;
pub use keys::{NewKeys, Passwords, keygen};

use crate::workshop::Workshop;
use dmc_sign::PublicKey;

impl Workshop {
    /// What signs; none where no key is named.
    pub(crate) fn signer(&self) -> Result<Option<&keys::Signer>, SigningError> {
        self.keys.signer(&self.settings.conf.signing, &*self.settings.passwords)
    }

    /// The keys whose signatures count.
    pub(crate) fn trusted(&self) -> Result<&[PublicKey], SigningError> {
        self.keys.trusted(&self.settings.conf.signing, &*self.settings.passwords)
    }
}
