//! SLSA provenance 1 in an in-toto statement 1.
//!
//! It claims build level 1: provenance exists, and says what the image was built from. Every .deb
//! is a resolved dependency with its digest, and so are the releases of the archive that vouched
//! for them when the image was built. An image does not depend on the latter, which is why they
//! are told here and nowhere in the image: a build that comes to the same image from a later
//! release keeps the statement that the first one wrote.

use crate::{Image, SbomError, purl};
use dmc_types::Sha256;
use serde_json::{Value, json};

/// What the statement says of its subject.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// What an image was built from besides its packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// dmc's version.
    pub version: String,
    /// The distribution as it was asked for.
    pub dist: String,
    /// How the layer is compressed.
    pub compression: String,
    /// What was asked for besides: `small`, `strict`.
    pub flags: Vec<&'static str>,
    /// Digest of the template with all that it extends and places.
    pub template: Sha256,
    /// Digest of the rules and of what verifying knows.
    pub rules: Sha256,
    /// What vouched for the packages: the releases by their suites, or a lock.
    pub vouching: Vec<(String, Sha256)>,
}

/// An index that joins images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// dmc's version.
    pub version: String,
    /// The image's name.
    pub name: String,
    /// Its first tag.
    pub tag: String,
    /// The index.
    pub index: Sha256,
    /// Its manifests, each with its architecture in Go's words.
    pub manifests: Vec<(String, Sha256)>,
}

/// The bytes of a statement on an index: what was built is said of its manifests.
pub fn write_join(join: &Join) -> Result<Vec<u8>, SbomError> {
    let mut resolved = Vec::new();
    for (architecture, manifest) in &join.manifests {
        resolved.push(json!({
            "uri": purl::of_manifest(&join.name, &join.tag, manifest, architecture)?,
            "digest": { "sha256": manifest.to_string() },
        }));
    }
    let built = json!({ "template": join.name });
    Ok(statement(&join.version, (&join.name, &join.index), &built, &json!({}), &resolved))
}

/// The bytes of a statement on an image.
pub fn write(image: &Image, build: &Build) -> Result<Vec<u8>, SbomError> {
    let mut resolved: Vec<Value> = Vec::new();
    for (name, package) in &image.packages {
        resolved.push(json!({
            "name": package.file_name(name),
            "uri": purl::deb(name, package, &image.distribution)?,
            "digest": { "sha256": package.deb.to_string() },
            "mediaType": "application/vnd.debian.binary-package",
        }));
    }
    resolved.extend(
        build.vouching.iter().map(
            |(name, digest)| json!({ "name": name, "digest": { "sha256": digest.to_string() } }),
        ),
    );
    let external = json!({
        "template": image.name, "architecture": image.arch, "dist": build.dist,
        "compression": build.compression, "flags": build.flags,
    });
    let internal = json!({
        "template": format!("sha256:{}", build.template),
        "rules": format!("sha256:{}", build.rules),
    });
    let subject = (image.name.as_str(), &image.manifest);
    Ok(statement(&build.version, subject, &external, &internal, &resolved))
}

fn statement(
    version: &str,
    (name, digest): (&str, &Sha256),
    external: &Value,
    internal: &Value,
    resolved: &[Value],
) -> Vec<u8> {
    // A package URL is a URI, and its subpath leads to what describes such a build.
    let dmc = format!("pkg:generic/dmc@{version}");
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": name, "digest": { "sha256": digest.to_string() } }],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": format!("{dmc}#docs/sbom.md"),
                "externalParameters": external,
                "internalParameters": internal,
                "resolvedDependencies": resolved,
            },
            "runDetails": { "builder": { "id": dmc, "version": { "dmc": version } } },
        },
    });
    statement.to_string().into_bytes()
}
