//! What maintainer scripts would have done, from the packages' own data.
//!
//! Scripts are never run for a micro image. Users, folders, alternatives, certificates and the
//! loader's cache are worked out here from declarations that packages ship, and from those
//! statements of their scripts that a small grammar covers; every other statement is reported.
//! Pure: bytes and facts in, values out.

mod accounts;
mod alternatives;
mod certificates;
mod fields;
#[cfg(test)]
mod fixture;
mod loader_cache;
mod scripts;
mod shell;
mod tmpfiles;

pub use accounts::{SystemAccounts, SystemGroup, SystemUser};
pub use alternatives::alternatives;
pub use loader_cache::{
    LDCONFIG, LOADER_CACHE, Library, generator, is_library_name, library_folders, library_names,
    loader_cache,
};
pub use scripts::{Covered, Grammar, GrammarError, Statement, script_report};

pub use certificates::{
    BUNDLE, CERTIFICATE_FOLDERS, CertificateError, LONGEST_CERTIFICATE, TRUST_FOLDER, TrustStore,
    is_certificate, trust_store,
};
pub use tmpfiles::{TmpFile, TmpKind, TmpLine, read_tmpfiles, tmpfiles_of};
