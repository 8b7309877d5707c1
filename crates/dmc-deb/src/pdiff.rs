//! Patches that bring an older index up to date (`Packages.diff/`).
//!
//! [`PatchIndex`] reads `Packages.diff/Index`: which texts can be brought up to date, by which
//! patches, with sizes and digests of them all. Either one patch leads from each older text to the
//! present one (`X-Patch-Precedence: merged`, as Debian's archive has it) or they are applied one
//! after the other. [`Patch`] reads one patch, and [`Patched`] is an older text with a patch
//! applied, read as a stream: memory grows with the patch, not with the text.
//!
//! A patch is an ed script as `diff --ed` writes it (commands `a`, `c` and `d`, from the end of the
//! text to its beginning). Nothing that comes out is to be trusted before its digest is checked.
//! Format: <https://wiki.debian.org/DebianRepository/Format#indices_diffs>.

mod patch;

pub use patch::{Patch, Patched};

use crate::deb822;
use dmc_types::Sha256;
use sha2::Digest as _;
use std::collections::BTreeMap;

/// Most patches that an index may list; Debian's lists 56.
const MOST: usize = 1024;

/// Why an index of patches, or a patch, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The index lacks something, or has it in another form.
    #[error("the index of patches has no proper `{field}`")]
    Index {
        /// The field.
        field: &'static str,
    },
    /// A patch has a command that is not of this format, or out of order.
    #[error("line {line} of the patch is no command that can be followed")]
    Command {
        /// Its number, from 1.
        line: usize,
    },
    /// A patch ends within the lines that it adds.
    #[error("the patch ends too soon")]
    Short,
}

impl PatchError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "the whole index can be fetched instead"
    }
}

/// Size and digest of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
}

impl Known {
    /// What these bytes are known by.
    pub fn of(bytes: &[u8]) -> Self {
        let sha256 = Sha256::from_bytes(sha2::Sha256::digest(bytes).into());
        Self { size: bytes.len() as u64, sha256 }
    }
}

/// One patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchFile {
    /// Its file's name beside the index, with `.gz`.
    pub file: String,
    /// The text that it is applied to.
    pub from: Known,
    /// The patch itself.
    pub plain: Known,
    /// The compressed file.
    pub packed: Known,
}

/// What `Packages.diff/Index` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchIndex {
    /// The present text.
    pub current: Known,
    /// Patches from the oldest text to the newest; one of which not all is known is not among them.
    patches: Vec<PatchFile>,
    /// Whether each leads to the present text at once.
    merged: bool,
}

impl PatchIndex {
    /// Reads the text of an index.
    pub fn parse(text: &[u8]) -> Result<Self, PatchError> {
        let stanza = deb822::stanzas(text).next().unwrap_or_default();
        let paragraph = deb822::Paragraph::new(stanza);
        let bad = |field| PatchError::Index { field };
        let rows = |field| -> Result<Vec<(Known, &str)>, PatchError> {
            let lines = paragraph.field(field).ok_or_else(|| bad(field))?.lines();
            let lines = lines.map(str::trim).filter(|line| !line.is_empty()).take(MOST);
            lines.map(|line| row(line).ok_or_else(|| bad(field))).collect()
        };
        let current = paragraph.field("SHA256-Current").and_then(row);
        let (current, _) = current.ok_or_else(|| bad("SHA256-Current"))?;
        let plain: BTreeMap<&str, Known> = by_name(rows("SHA256-Patches")?);
        let packed: BTreeMap<&str, Known> = by_name(rows("SHA256-Download")?);
        let patches = rows("SHA256-History")?.into_iter().filter_map(|(from, name)| {
            let file = format!("{name}.gz");
            let packed = *packed.get(&*file)?;
            Some(PatchFile { plain: *plain.get(name)?, file, from, packed })
        });
        let merged = paragraph.field("X-Patch-Precedence") == Some("merged");
        Ok(Self { current, patches: patches.collect(), merged })
    }

    /// The patches that lead from a text to the present one, in their order; none where no way
    /// does. Of a row of patches each must begin where the index says that one before it ended.
    pub fn way_from(&self, text: &Sha256) -> Option<&[PatchFile]> {
        let first = self.patches.iter().position(|patch| patch.from.sha256 == *text)?;
        Some(if self.merged { &self.patches[first..=first] } else { &self.patches[first..] })
    }
}

fn by_name(rows: Vec<(Known, &str)>) -> BTreeMap<&str, Known> {
    rows.into_iter().map(|(known, name)| (name, known)).collect()
}

/// `DIGEST SIZE [NAME]`; a name stays in its folder.
fn row(line: &str) -> Option<(Known, &str)> {
    let mut words = line.split_ascii_whitespace();
    let (sha256, size) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let name = words.next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.+~".contains(&b);
    let stays = !name.starts_with('.') && name.bytes().all(plain);
    (stays && words.next().is_none()).then_some((Known { size, sha256 }, name))
}

#[cfg(test)]
mod tests;
