//! What an image depends on besides the packages: a digest for each kind of input.
//!
//! Together with the releases they make the key of a finished image; without them the key by which
//! an earlier build of the same inputs is found, whose lookups say whether its image still holds.

use crate::settings::Settings;
use crate::small;
use dmc_template::Template;
use dmc_types::{Arch, Sha256};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::fmt;

/// What dmc makes of equal inputs. It is raised whenever any image could come out otherwise, by a
/// change of the layer's bytes as by one of what the walk finds.
pub const OUTPUT: &str = "image 2";

/// Everything but the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    output: String,
    template: Sha256,
    rules: Sha256,
    settings: Sha256,
}

/// A kind of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// The template, with all that it extends and places.
    Template,
    /// The rules, what verifying knows, and what small images leave out.
    Rules,
    /// What was said about the build: distribution, compression, variant and the like.
    Settings,
    /// What dmc makes of equal inputs.
    Output,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Template => "the template",
            Self::Rules => "the rules",
            Self::Settings => "the settings",
            Self::Output => "dmc's output",
        })
    }
}

impl Inputs {
    /// `expired` are the suites that were accepted although they had expired.
    pub(crate) fn new(
        settings: &Settings,
        template: &Template,
        arch: Arch,
        expired: &[String],
    ) -> Self {
        let (compression, epoch) =
            (settings.compression.to_string(), format!("{:?}", settings.epoch));
        let said = [arch.name(), &settings.conf.dist, &compression, &epoch];
        let flags = [u8::from(settings.strict), u8::from(settings.variant.small)];
        let said = said.into_iter().chain(expired.iter().map(String::as_str)).map(str::as_bytes);
        Self {
            output: OUTPUT.to_owned(),
            template: template_digest(template),
            rules: settings.rules_digest(),
            settings: digest([flags.as_slice()].into_iter().chain(said)),
        }
    }

    /// Whether the template was as it is now.
    pub(crate) fn is_of(&self, template: &Template) -> bool {
        self.template == template_digest(template)
    }

    /// A key that is equal for two builds only if nothing but the archive differs.
    pub(crate) fn key(&self) -> Sha256 {
        self.key_with(&[])
    }

    /// A key that is equal for two builds only if their images are: the releases vouch for every
    /// package.
    pub(crate) fn key_with(&self, releases: &[Sha256]) -> Sha256 {
        let own = [&self.template, &self.rules, &self.settings];
        let digests = own.into_iter().chain(releases).map(|digest| digest.as_bytes().as_slice());
        digest([b"an image", self.output.as_bytes()].into_iter().chain(digests))
    }

    /// The kinds of input in which two builds differ.
    pub(crate) fn differing(&self, other: &Self) -> Vec<Input> {
        let each = [
            (Input::Template, self.template == other.template),
            (Input::Rules, self.rules == other.rules),
            (Input::Settings, self.settings == other.settings),
            (Input::Output, self.output == other.output),
        ];
        each.into_iter().filter(|(_, same)| !same).map(|(input, _)| input).collect()
    }
}

impl Settings {
    /// A digest of the rules, of what verifying knows of Debian's software, and of what small
    /// images leave out.
    pub fn rules_digest(&self) -> Sha256 {
        let rules = self.rules.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_slice()]);
        digest(rules.chain([self.verify.as_bytes(), small::CONF]))
    }
}

/// A digest of a template with everything that it extends and places.
pub fn template_digest(template: &Template) -> Sha256 {
    digest([template.digest_input()])
}

/// A digest of parts, each with its length in front, so that no two lists have the same.
fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Sha256 {
    let mut hash = sha2::Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Sha256::from_bytes(hash.finalize().into())
}
