//! Paths inside an image: absolute, normalised, bytes.
//!
//! A path of an image is not a path of the host: it is never opened, and it need not be UTF-8.
//! One file has one spelling here, so that equal paths are equal bytes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why bytes are not a path of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a path of an image: {why}")]
pub struct PathError {
    /// What was read, made printable.
    pub path: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// An absolute path without `.`, `..`, empty parts or NUL; the root itself is `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "PathBytes", into = "PathBytes")]
pub struct ImagePath(Box<[u8]>);

/// Longest path that is taken in (`PATH_MAX` of Linux, which counts the final NUL).
const LONGEST: usize = 4095;

/// Folders that merged-/usr replaces by links into `/usr` (Debian Policy 10.1; the lib* names of
/// all architectures).
const ALIASED: [&[u8]; 7] = [b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libo32", b"libx32"];

impl ImagePath {
    /// The root folder.
    pub fn root() -> Self {
        Self(b"/".as_slice().into())
    }

    /// Reads an absolute path. Refuses relative paths and those with `.`, `..` or empty parts
    /// (one trailing slash is dropped), NUL, or more than 4095 bytes.
    pub fn parse(path: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let path = path.as_ref();
        let Some(below) = path.strip_prefix(b"/") else {
            return Err(refused(path, "it must begin with `/`"));
        };
        Self::below_root(path, below.strip_suffix(b"/").unwrap_or(below))
    }

    /// Reads a member name of a package's tar: `./usr/bin/x`, `usr/bin/x`, or `./` for the root.
    /// Refuses absolute names, as dpkg-deb never writes them.
    pub fn from_tar(name: &[u8]) -> Result<Self, PathError> {
        if name.starts_with(b"/") {
            return Err(refused(name, "a member's name must be relative"));
        }
        if matches!(name, b"." | b"./") {
            return Ok(Self::root());
        }
        let below = name.strip_prefix(b"./").unwrap_or(name);
        Self::below_root(name, below.strip_suffix(b"/").unwrap_or(below))
    }

    fn below_root(shown: &[u8], below: &[u8]) -> Result<Self, PathError> {
        if below.is_empty() {
            return if shown == b"/" {
                Ok(Self::root())
            } else {
                Err(refused(shown, "it has an empty part"))
            };
        }
        if below.len() >= LONGEST {
            return Err(refused(shown, "it is longer than 4095 bytes"));
        }
        for part in below.split(|b| *b == b'/') {
            match part {
                b"" => return Err(refused(shown, "it has an empty part")),
                b"." | b".." => return Err(refused(shown, "it has a `.` or `..` part")),
                _ if part.contains(&0) => return Err(refused(shown, "it has a NUL byte")),
                _ => {}
            }
        }
        let mut bytes = Vec::with_capacity(below.len() + 1);
        bytes.push(b'/');
        bytes.extend_from_slice(below);
        Ok(Self(bytes.into()))
    }

    /// The whole path, beginning with `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path without its first `/`: a member name of a tar; empty for the root.
    pub fn relative(&self) -> &[u8] {
        &self.0[1..]
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The last part; empty for the root.
    pub fn file_name(&self) -> &[u8] {
        let cut = self.0.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
        &self.0[cut..]
    }

    /// The folder that holds this path; none for the root.
    pub fn parent(&self) -> Option<Self> {
        let cut = self.0.iter().rposition(|b| *b == b'/')?;
        match (self.is_root(), cut) {
            (true, _) => None,
            (false, 0) => Some(Self::root()),
            (false, _) => Some(Self(self.0[..cut].into())),
        }
    }

    /// Every folder above this path, the root first.
    pub fn ancestors(&self) -> Vec<Self> {
        let mut up: Vec<Self> = std::iter::successors(self.parent(), Self::parent).collect();
        up.reverse();
        up
    }

    /// The parts between the slashes; none for the root.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.relative().split(|b| *b == b'/').filter(|part| !part.is_empty())
    }

    /// Whether this path lies in `folder` or is that folder.
    pub fn is_within(&self, folder: &Self) -> bool {
        folder.is_root()
            || self
                .0
                .strip_prefix(&*folder.0)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// The path `name` (which may have several parts) in this folder.
    pub fn join(&self, name: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let mut bytes = if self.is_root() { Vec::new() } else { self.0.to_vec() };
        bytes.push(b'/');
        bytes.extend_from_slice(name.as_ref());
        Self::parse(bytes)
    }

    /// Where a symbolic link at this path leads, by names alone: `.` and `..` are worked out
    /// against the folder that the link is in, `..` at the root stays there (as in the kernel).
    pub fn link_target(&self, target: &[u8]) -> Result<Self, PathError> {
        let mut parts: Vec<&[u8]> = Vec::new();
        let folder = self.parent().unwrap_or_else(Self::root);
        if !target.starts_with(b"/") {
            parts.extend(folder.parts());
        }
        for part in target.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        let mut bytes = vec![b'/'];
        bytes.extend_from_slice(&parts.join(&b'/'));
        Self::parse(bytes)
    }

    /// The spelling under merged-/usr: `/lib/x` becomes `/usr/lib/x`, other paths stay. The image
    /// holds files by this spelling only, whatever the package said.
    #[must_use]
    pub fn merged_usr(&self) -> Self {
        let first = self.parts().next().unwrap_or_default();
        if !ALIASED.contains(&first) {
            return self.clone();
        }
        let mut bytes = b"/usr".to_vec();
        bytes.extend_from_slice(&self.0);
        Self(bytes.into())
    }

    /// Whether this is a top-level folder that merged-/usr replaces by a link, such as `/lib64`.
    pub fn is_usr_alias(&self) -> bool {
        ALIASED.contains(&self.relative())
    }
}

fn refused(path: &[u8], why: &'static str) -> PathError {
    let shown: String = String::from_utf8_lossy(path).chars().take(200).collect();
    PathError { path: shown.escape_debug().to_string(), why }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// How a path is written down: text where people read (lossless for UTF-8, which all paths that
/// reach a readable record are), bytes elsewhere.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct PathBytes(#[serde(with = "bytes_or_text")] Vec<u8>);

impl From<ImagePath> for PathBytes {
    fn from(path: ImagePath) -> Self {
        Self(path.0.into())
    }
}

impl TryFrom<PathBytes> for ImagePath {
    type Error = PathError;

    fn try_from(bytes: PathBytes) -> Result<Self, PathError> {
        Self::parse(bytes.0)
    }
}

mod bytes_or_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            String::from_utf8_lossy(bytes).serialize(s)
        } else {
            s.serialize_bytes(bytes)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        if d.is_human_readable() {
            String::deserialize(d).map(String::into_bytes)
        } else {
            <&[u8]>::deserialize(d).map(<[u8]>::to_vec)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ImagePath {
        ImagePath::parse(text).unwrap()
    }

    #[test]
    fn one_spelling_a_path() {
        for bad in ["", "usr", "//usr", "/usr//bin", "/./usr", "/usr/..", "/a\0b"] {
            assert!(ImagePath::parse(bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!(path("/usr/bin/").as_bytes(), b"/usr/bin");
        assert!(path("/").is_root());
    }

    #[test]
    fn members_of_a_tar_cannot_leave_it() {
        for (name, wanted) in [("./", "/"), ("./usr/bin/", "/usr/bin"), ("usr/x", "/usr/x")] {
            assert_eq!(ImagePath::from_tar(name.as_bytes()).unwrap(), path(wanted), "{name}");
        }
        for bad in ["/etc/passwd", "./../x", "../x", "a/../../x", "", ".//x"] {
            assert!(ImagePath::from_tar(bad.as_bytes()).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn links_are_worked_out_by_name() {
        for (link, target, wanted) in [
            ("/usr/lib/libz.so.1", "libz.so.1.3", "/usr/lib/libz.so.1.3"),
            ("/usr/lib64/ld.so", "../lib/x/ld.so", "/usr/lib/x/ld.so"),
            ("/etc/mtab", "/proc/mounts", "/proc/mounts"),
            ("/a", "../../..", "/"),
        ] {
            assert_eq!(path(link).link_target(target.as_bytes()).unwrap(), path(wanted), "{link}");
        }
    }

    #[test]
    fn merged_usr_moves_top_level_folders_only() {
        for (given, wanted) in [
            ("/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
            ("/lib64", "/usr/lib64"),
            ("/usr/bin/env", "/usr/bin/env"),
            ("/library/x", "/library/x"),
            ("/opt/bin/x", "/opt/bin/x"),
        ] {
            assert_eq!(path(given).merged_usr(), path(wanted));
        }
    }

    #[test]
    fn knows_what_lies_within() {
        assert!(path("/usr/lib").is_within(&path("/usr")));
        assert!(!path("/usrlocal").is_within(&path("/usr")));
        assert!(path("/x").is_within(&ImagePath::root()));
        let up: Vec<String> = path("/a/b/c").ancestors().iter().map(ToString::to_string).collect();
        assert_eq!(up, ["/", "/a", "/a/b"]);
    }
}
