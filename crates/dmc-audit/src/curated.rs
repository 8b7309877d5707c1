//! Where the code of a vulnerability lies, as people have found out: `conf/vex/*.toml`.
//!
//! ```toml
//! [[vulnerability]]
//! id = "CVE-2016-2781"
//! source = "coreutils"
//! paths = ["/usr/sbin/chroot", "/usr/bin/chroot"]
//! because = "chroot --userspec hands the terminal on."
//! ```
//!
//! An entry names what holds the code: binary packages, paths, sonames, or several of these. A text
//! may also list under `data` patterns of files that hold no code whatever the package.

use dmc_types::{ImagePath, PackageName, PathGlob, SoName};
use serde::{Deserialize, Deserializer, de};
use std::collections::BTreeMap;

/// No text is longer, in bytes.
const LONGEST: usize = 1 << 20;

/// What all texts say together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Curated {
    data: Vec<PathGlob>,
    /// By source package and issue.
    places: BTreeMap<(String, String), Vec<Place>>,
}

/// A text that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct CuratedError {
    /// Its name.
    pub file: String,
    /// What is wrong with it, and in which line.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default, deserialize_with = "globs")]
    data: Vec<PathGlob>,
    #[serde(default)]
    vulnerability: Vec<Place>,
}

/// What holds the code of an issue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    id: String,
    source: String,
    /// The files that hold the code.
    #[serde(default, deserialize_with = "globs")]
    pub(crate) paths: Vec<PathGlob>,
    /// The libraries that hold it, by soname.
    #[serde(default)]
    pub(crate) sonames: Vec<SoName>,
    /// The binary packages that hold it.
    #[serde(default)]
    pub(crate) packages: Vec<PackageName>,
    /// How that is known.
    because: String,
}

impl Curated {
    /// Reads texts with their names.
    pub fn read<'a>(
        texts: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, CuratedError> {
        let mut curated = Self::default();
        for (file, bytes) in texts {
            curated.add(file, bytes)?;
        }
        Ok(curated)
    }

    fn add(&mut self, file: &str, bytes: &[u8]) -> Result<(), CuratedError> {
        let refused = |why: String| CuratedError { file: file.to_owned(), why };
        if bytes.len() > LONGEST {
            return Err(refused("the file is longer than 1 MiB".to_owned()));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| refused(error.to_string()))?;
        let text: Text =
            toml::from_str(text).map_err(|error| refused(error.to_string().trim().to_owned()))?;
        for place in text.vulnerability {
            if place.paths.is_empty() && place.sonames.is_empty() && place.packages.is_empty() {
                let why = "names neither `paths` nor `sonames` nor `packages`";
                return Err(refused(format!("{} {why}", place.id)));
            }
            if place.because.trim().is_empty() {
                return Err(refused(format!("{} does not say how that is known", place.id)));
            }
            let key = (place.source.clone(), place.id.clone());
            self.places.entry(key).or_default().push(place);
        }
        self.data.extend(text.data);
        Ok(())
    }

    /// What is known of an issue of a source package.
    pub(crate) fn places(&self, source: &str, id: &str) -> &[Place] {
        let found = self.places.get(&(source.to_owned(), id.to_owned()));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a file holds no code, whatever package it is of.
    pub(crate) fn is_data(&self, path: &ImagePath) -> bool {
        self.data.iter().any(|glob| glob.matches(path))
    }
}

fn globs<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<PathGlob>, D::Error> {
    let texts = Vec::<String>::deserialize(d)?;
    texts.iter().map(|text| PathGlob::parse(text).map_err(de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_text_is_refused_with_its_name_and_why() {
        let entry = "[[vulnerability]]\nid = \"CVE-1\"\nsource = \"a\"\nbecause = \"x\"\n";
        for (text, part) in [
            (entry.to_owned(), "neither `paths`"),
            (format!("{entry}paths = [\"usr\"]"), "must begin with `/`"),
            (format!("{entry}packages = [\"NO\"]"), "NO"),
            (format!("{entry}packages = [\"aa\"]\npath = [\"/a\"]"), "unknown field `path`"),
            (entry.replace("\"x\"", "\" \"") + "packages = [\"aa\"]", "how that is known"),
            ("data = 1".to_owned(), "line 1"),
        ] {
            let refused = Curated::read([("my.toml", text.as_bytes())]).unwrap_err().to_string();
            assert!(refused.starts_with("my.toml: ") && refused.contains(part), "{refused}");
        }
        assert!(Curated::read([("my.toml", &b"\xff"[..])]).is_err());
        assert!(Curated::read([("my.toml", vec![b'#'; LONGEST + 1].as_slice())]).is_err());
    }
}
