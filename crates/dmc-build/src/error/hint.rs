//! What to do about an error.

use super::{BuildError, LISTED};
use dmc_types::PackageName;

impl BuildError {
    /// What to do about it.
    #[expect(clippy::too_many_lines, reason = "one arm for each error, so that none is forgotten")]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Template(error) => error.hint(),
            Self::Conf(error) => error.hint(),
            Self::Rule(error) => error.hint(),
            Self::Unfit { .. } => Some(
                "name what is missing in the template, or `exclude` what needs it; \
                 docs/verify.md says what each finding means"
                    .to_owned(),
            ),
            Self::Archive(error) => error.hint(),
            Self::UnknownPackage { near, .. } if near.is_empty() => {
                Some("check its name in the template, and the distribution (-D)".to_owned())
            }
            Self::UnknownPackage { near, .. } => {
                let near: Vec<&str> = near.iter().map(PackageName::as_str).collect();
                Some(format!("similar names: {}", near.join(", ")))
            }
            Self::NoPackageLike { .. } => {
                Some("correct `packages_like`, or name the package under `packages`".to_owned())
            }
            Self::UnknownExtension { near, .. } if near.is_empty() => Some(
                "take it out of `extensions`, or see its spelling in the package's name".to_owned(),
            ),
            Self::UnknownExtension { near, .. } => {
                Some(format!("similar names: {}", near.join(", ")))
            }
            Self::NotAnExtension { .. } => Some(
                "take it out of `extensions`: it is built in, or another kind of package"
                    .to_owned(),
            ),
            Self::Walk { why, .. } => Some(why.hint()),
            Self::Open { .. } => Some(
                "name what is needed under `packages` and `include`, what is not under `exclude`, \
                 or write a rule with `ignore` that says why"
                    .to_owned(),
            ),
            Self::Unsolvable { why, .. } => Some(why.hint().to_owned()),
            Self::Push(error) => error.hint(),
            Self::Farm(error) => error.hint(),
            Self::Signing(error) => error.hint(),
            Self::Small(error) => error.hint(),
            Self::Layout(error) => Some(error.hint().to_owned()),
            Self::Export(error) => Some(error.hint().to_owned()),
            Self::Deploy(error) => error.hint(),
            Self::Sbom(error) => Some(error.hint()),
            Self::NoDocument { template, .. } => {
                Some(format!("a build writes it: dmc -t {template} --force"))
            }
            Self::Denied { .. } => Some(
                "leave them out of the template, or change `deny` in [licences] of the configuration"
                    .to_owned(),
            ),
            Self::NoTask(_) => Some("`-l` lists the tasks with their numbers".to_owned()),
            Self::Skew { .. } => Some(
                "the archive has not built it everywhere yet: wait, build one architecture (-A), \
                 or say --allow-skew"
                    .to_owned(),
            ),
            Self::OtherDigest { .. } => Some(
                "nothing that it depends on has changed: either something in the store or layout \
                 is damaged, which `dmc check` finds, or this is a mistake in dmc"
                    .to_owned(),
            ),
            Self::Drift { why, .. } => Some(why.hint()),
            Self::Lock(error) => error.hint(),
            Self::Promote(error) => error.hint(),
            Self::NotYet { number: Some(number), .. } => Some(format!("run task {number} first")),
            Self::NotYet { needed, number: None, .. } => {
                Some(format!("run `dmc -a {}` first", needed.activity()))
            }
            Self::NoEngine => Some(
                "install podman or docker, start it, or name the one to use by --engine".to_owned(),
            ),
            Self::NothingRefers { .. } => Some(
                "name the layout by --out, or say what may go all the same: --older-than 1d"
                    .to_owned(),
            ),
            Self::Superseded { .. } => Some(
                "name a mirror that has it (-M), or build the image again from what there is now"
                    .to_owned(),
            ),
            Self::NoImage { template, arch, .. } => {
                Some(format!("build it first: dmc -t {template} -A {arch}"))
            }
            Self::NoSuchImage { has, .. } if has.is_empty() => Some(
                "build one first, or name another layout: by --out, or as DIR@REFERENCE".to_owned(),
            ),
            Self::NoSuchImage { word, has, .. } => {
                let near = dmc_template::nearest(word, has.iter().map(String::as_str));
                let some: Vec<&str> = has.iter().take(LISTED).map(String::as_str).collect();
                Some(near.map_or_else(
                    || format!("it has {}; a digest is sha256: and 64 digits", some.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                ))
            }
            Self::Record { .. } => Some("build the image again; that writes its record".to_owned()),
            Self::WriteRecord { .. } => Some(
                "make room or give leave to write there, or name another folder by --out"
                    .to_owned(),
            ),
            Self::Address { .. } => Some(
                "an address looks like http://mirror.example/debian or file:///srv/debian"
                    .to_owned(),
            ),
            Self::Keyring { .. } => Some("correct `signed_by` in the configuration".to_owned()),
            Self::Assemble(error) => Some(error.hint()),
            Self::Audit(error) => error.hint(),
            Self::Extension { .. }
            | Self::Tag(_)
            | Self::Tables(_)
            | Self::Grammar(_)
            | Self::Version(_)
            | Self::Skipped { .. }
            | Self::TestsFailed { .. }
            | Self::TestsStopped
            | Self::Engine { .. }
            | Self::OtherMachine { .. }
            | Self::WriteConf { .. } => None,
        }
    }
}
