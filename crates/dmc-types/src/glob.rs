//! Patterns over paths of an image, as templates and rules write them.

use crate::ImagePath;
use globset::{Glob, GlobBuilder, GlobMatcher};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a pattern of paths: {why}")]
pub struct GlobError {
    /// What was read.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

/// A pattern such as `/etc/nginx/**` or `/usr/lib/*/gconv/UTF-*.so`: `*` and `?` stay within a
/// folder, `**` crosses folders, `[a-z]` and `{a,b}` choose. A pattern matches by the merged-/usr
/// spelling of a path. One without special signs names a single path.
#[derive(Clone)]
pub struct PathGlob {
    glob: Glob,
    /// Made when it is first asked: most patterns of a catalogue never are.
    matcher: OnceLock<GlobMatcher>,
}

impl PathGlob {
    /// Reads a pattern, which must begin with `/`.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let refused = |why: String| GlobError { pattern: text.to_owned(), why };
        if !text.starts_with('/') {
            return Err(refused("it must begin with `/`".to_owned()));
        }
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| refused(error.kind().to_string()))?;
        Ok(Self { glob, matcher: OnceLock::new() })
    }

    /// Whether the pattern matches the path.
    pub fn matches(&self, path: &ImagePath) -> bool {
        // Most paths differ before the first sign, and a matcher takes longer to make than a
        // catalogue to read.
        let literal = self.literal();
        if !path.as_bytes().starts_with(literal.as_bytes()) {
            return false;
        }
        if literal.len() == self.as_str().len() {
            return path.as_bytes().len() == literal.len();
        }
        let matcher = self.matcher.get_or_init(|| self.glob.compile_matcher());
        matcher.is_match(std::ffi::OsStr::from_bytes(path.as_bytes()))
    }

    /// What a path must begin with: all before the first special sign.
    fn literal(&self) -> &str {
        let text = self.as_str();
        &text[..text.find(['*', '?', '[', '{', '\\']).unwrap_or(text.len())]
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.glob.glob()
    }
}

impl PartialEq for PathGlob {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for PathGlob {}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_know_folders() {
        for (pattern, path, wanted) in [
            ("/etc/nginx/*", "/etc/nginx/nginx.conf", true),
            ("/etc/nginx/*", "/etc/nginx/conf.d/x", false),
            ("/etc/nginx/**", "/etc/nginx/conf.d/x", true),
            ("/etc/{passwd,group}", "/etc/group", true),
            ("/usr/bin/env", "/usr/bin/env2", false),
        ] {
            let path = ImagePath::parse(path).unwrap();
            assert_eq!(
                PathGlob::parse(pattern).unwrap().matches(&path),
                wanted,
                "{pattern} {path}"
            );
        }
        assert!(PathGlob::parse("etc").is_err());
        assert!(PathGlob::parse("/a[").is_err());
    }

    #[test]
    fn what_is_said_without_a_matcher_is_what_a_matcher_says() {
        let patterns = [
            "/",
            "/*",
            "/**",
            "/a",
            "/a/**",
            "/a/**/b",
            "/a/*",
            "/a?",
            "/a[b/]",
            "/{a,b}",
            "/\\a",
            "/a/b*",
            "/a,b",
            "/**/*.{x,y}",
            "/a/b",
        ];
        let paths = ["/", "/a", "/a/b", "/a/x/b", "/ab", "/b", "/a,b", "/c.x", "/a/c.y", "/a/bc"];
        for pattern in patterns {
            let glob = PathGlob::parse(pattern).unwrap();
            for path in paths {
                let wanted = glob.glob.compile_matcher().is_match(path);
                let path = ImagePath::parse(path).unwrap();
                assert_eq!(glob.matches(&path), wanted, "{pattern} {path}");
            }
        }
    }
}
