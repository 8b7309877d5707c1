//! What a release says of its indices, read line by line when it is asked for: a run looks up a few
//! of a thousand.

use super::text::malformed;
use super::{IndexFile, ReleaseError};
use bytes::Bytes;
use dmc_types::Checksum;
use memchr::{memchr, memmem, memrchr};

/// The lines of a release's strongest checksums, where they stand in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexFiles {
    field: Field,
    lines: Bytes,
}

/// Fields of checksums that are strong enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Sha256,
    Sha512,
}

impl Field {
    pub(super) const STRONGEST_FIRST: [Self; 2] = [Self::Sha256, Self::Sha512];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    fn checksum(self, digest: &str) -> Option<Checksum> {
        match self {
            Self::Sha256 => digest.parse().ok().map(Checksum::Sha256),
            Self::Sha512 => digest.parse().ok().map(Checksum::Sha512),
        }
    }
}

impl IndexFiles {
    pub(super) fn new(field: Field, lines: Bytes) -> Self {
        Self { field, lines }
    }

    /// Reads every line: each must be of digest, size and a path that leads nowhere else, and no
    /// two may differ about one path.
    pub(super) fn check(&self) -> Result<(), ReleaseError> {
        let mut files = Vec::new();
        for line in self.lines().filter(|line| !line.trim_ascii().is_empty()) {
            files.push(self.read(line).ok_or_else(|| {
                let line = String::from_utf8_lossy(line);
                let shown: String = line.trim().chars().take(200).collect();
                self.malformed(format!("has a line that cannot be read: `{shown}`"))
            })?);
        }
        files.sort_by_key(|(path, _)| *path);
        match files.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1) {
            Some([(path, _), ..]) => Err(self.malformed(format!("says two things of `{path}`"))),
            _ => Ok(()),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, IndexFile)> {
        self.lines().filter_map(|line| self.read(line))
    }

    /// What is said of a path.
    pub(super) fn get(&self, path: &str) -> Option<IndexFile> {
        self.starting(path).find(|(found, _)| *found == path).map(|(_, file)| file)
    }

    /// The paths that begin so.
    pub(super) fn starting<'a>(
        &'a self,
        start: &'a str,
    ) -> impl Iterator<Item = (&'a str, IndexFile)> {
        self.lines_with(start).filter(move |(path, _)| path.starts_with(start))
    }

    /// The lines that have this text somewhere.
    fn lines_with<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (&'a str, IndexFile)> {
        let lines = &*self.lines;
        memmem::find_iter(lines, text.as_bytes()).filter_map(move |at| {
            let (before, after) = lines.split_at_checked(at)?;
            let start = memrchr(b'\n', before).map_or(0, |end| end + 1);
            let end = memchr(b'\n', after).map_or(lines.len(), |length| at + length);
            self.read(lines.get(start..end)?)
        })
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.split(|byte| *byte == b'\n')
    }

    fn read<'a>(&self, line: &'a [u8]) -> Option<(&'a str, IndexFile)> {
        let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let checksum = self.field.checksum(words.next()?)?;
        let size = words.next()?.parse().ok()?;
        let path = words.next().filter(|path| stays_below(path))?;
        words.next().is_none().then_some((path, IndexFile { size, checksum }))
    }

    fn malformed(&self, why: String) -> ReleaseError {
        malformed(self.field.name(), why)
    }
}

fn stays_below(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
