//! `conf/small.toml`: what small images leave out of whole packages, and what they get besides.

use crate::words::Mode;
use crate::{TextError, text};
use dmc_types::{ImagePath, PathGlob};
use serde::{Deserialize, Deserializer, de};

/// What `conf/small.toml` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmallConf {
    /// Files of packages that are left out.
    #[serde(default)]
    pub leave_out: Vec<LeaveOut>,
    /// What maintainer scripts of essential packages would have made.
    #[serde(default)]
    pub make: Vec<Make>,
}

/// Files that are left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaveOut {
    /// Patterns of the files.
    #[serde(deserialize_with = "globs")]
    pub paths: Vec<PathGlob>,
    /// Patterns of those among them that stay.
    #[serde(default, deserialize_with = "globs")]
    pub but: Vec<PathGlob>,
    /// Why, in one sentence.
    pub because: String,
}

/// Something that is made; a folder where it has neither files, text nor link.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Make {
    /// Where it goes.
    #[serde(deserialize_with = "path")]
    pub path: ImagePath,
    /// Text that the file begins with.
    pub text: Option<String>,
    /// Patterns of the packages' files that it is made of; where none is there, it is not made.
    #[serde(default, deserialize_with = "globs")]
    pub files: Vec<PathGlob>,
    /// The target of a symbolic link.
    pub link: Option<String>,
    /// Its mode; "0755" for a folder, "0644" for a file where none is given.
    pub mode: Option<Mode>,
    /// Whose script would have made it.
    pub because: String,
}

impl SmallConf {
    /// Reads the text; `file` is its name for messages.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, TextError> {
        text::read(file, bytes)
    }

    /// Whether a file is left out, by its merged-/usr path.
    pub fn leaves_out(&self, path: &ImagePath) -> bool {
        let any = |globs: &[PathGlob]| globs.iter().any(|glob| glob.matches(path));
        self.leave_out.iter().any(|one| any(&one.paths) && !any(&one.but))
    }
}

fn globs<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<PathGlob>, D::Error> {
    let texts = Vec::<String>::deserialize(d)?;
    texts.iter().map(|text| PathGlob::parse(text).map_err(de::Error::custom)).collect()
}

fn path<'de, D: Deserializer<'de>>(d: D) -> Result<ImagePath, D::Error> {
    ImagePath::parse(String::deserialize(d)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> SmallConf {
        let text = include_bytes!("../../../conf/small.toml");
        SmallConf::read("conf/small.toml", text).unwrap()
    }

    #[test]
    fn documentation_is_left_out_and_licences_stay() {
        for (path, left_out) in [
            ("/usr/share/doc/bash/changelog.gz", true),
            ("/usr/share/doc/bash", true),
            ("/usr/share/doc/bash/copyright", false),
            ("/usr/share/man/man1/bash.1.gz", true),
            ("/usr/share/locale/de/LC_MESSAGES/bash.mo", true),
            ("/usr/share/locale/locale.alias", false),
            ("/usr/share/common-licenses/GPL-3", false),
            ("/usr/bin/bash", false),
        ] {
            let path = ImagePath::parse(path).unwrap();
            assert_eq!(shipped().leaves_out(&path), left_out, "{path}");
        }
    }

    #[test]
    fn every_entry_says_why() {
        let conf = shipped();
        assert!(conf.leave_out.iter().all(|one| one.because.ends_with('.')));
        assert!(conf.make.iter().all(|one| !one.because.is_empty()));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, wanted) in [
            ("[[leave_out]]\npaths = [\"usr\"]\nbecause = \"x\"", "must begin with `/`"),
            ("[[make]]\npath = \"/a/../b\"\nbecause = \"x\"", "`.` or `..`"),
            ("[[make]]\npath = \"/a\"\nmod = \"0644\"\nbecause = \"x\"", "unknown"),
        ] {
            let error = SmallConf::read("small.toml", text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("small.toml, line") && error.contains(wanted), "{error}");
        }
    }
}
