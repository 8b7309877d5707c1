//! `CycloneDX` 1.6 as JSON.
//!
//! The image is the component that the document is about. Its parts are the distribution, the
//! Debian packages, each with those of its files that the image has, and the files that no package
//! ships.

use crate::licence::{Licensing, Names};
use crate::{File, Image, Kind, Package, SbomError, number, purl};
use dmc_types::{ImagePath, PackageName};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The document's bytes, as `version` of dmc writes it.
pub fn write(image: &Image, names: &Names, version: &str) -> Result<Vec<u8>, SbomError> {
    let root = purl::oci(image)?;
    let distribution = &image.distribution;
    let system = "operating-system";
    let mut parts = vec![json!({
        "type": "operating-system", "bom-ref": system, "name": distribution.vendor,
        "version": distribution.version, "supplier": { "name": distribution.origin },
    })];
    let mut depends = vec![system.to_owned()];
    let mut loose = Vec::new();
    let mut within: BTreeMap<&PackageName, Vec<Value>> = BTreeMap::new();
    for (path, file) in &image.files {
        let owner = file.package.as_ref().filter(|name| image.packages.contains_key(*name));
        owner.map_or(&mut loose, |name| within.entry(name).or_default()).push(entry(path, file));
    }
    for (name, package) in &image.packages {
        let purl = purl::deb(name, package, distribution)?;
        let mut part = component(name, package, &purl, &distribution.origin);
        if let Licensing::Known(copyright) = &package.licensing {
            let expression = names.spdx(name, copyright, &mut BTreeMap::new());
            part["licenses"] = json!([{ "expression": expression }]);
        }
        if let Some(files) = within.remove(name) {
            part["components"] = json!(files);
        }
        parts.push(part);
        depends.push(purl);
    }
    parts.extend(loose);
    let document = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", number(Kind::CycloneDx, image)), "version": 1,
        "metadata": {
            "timestamp": image.created,
            "tools": { "components": [{ "type": "application", "name": "dmc", "version": version }] },
            "component": {
                "type": "container", "bom-ref": root, "name": image.name,
                "version": image.version, "purl": root,
                "hashes": [hash("SHA-256", &image.manifest)],
            },
        },
        "components": parts,
        "dependencies": [{ "ref": root, "dependsOn": depends }],
    });
    Ok(document.to_string().into_bytes())
}

fn component(name: &PackageName, package: &Package, purl: &str, origin: &str) -> Value {
    let property = |name: &str, value: &str| json!({ "name": name, "value": value });
    let mut value = json!({
        "type": "library", "bom-ref": purl, "name": name, "version": package.version,
        "purl": purl, "supplier": { "name": package.archive.as_deref().unwrap_or(origin) },
        "hashes": [hash("SHA-256", &package.deb)],
        "properties": [
            property("dmc:source", &package.source),
            property("dmc:source-version", &package.source_version),
        ],
    });
    if let Some(summary) = &package.summary {
        value["description"] = json!(summary);
    }
    if let Some(homepage) = &package.homepage {
        value["externalReferences"] = json!([{ "type": "website", "url": homepage }]);
    }
    value
}

fn entry(path: &ImagePath, file: &File) -> Value {
    let path = path.to_string();
    let mut value = json!({
        "type": "file", "bom-ref": format!("file:{path}"), "name": path,
        "hashes": [hash("SHA-1", &file.sha1), hash("SHA-256", &file.sha256)],
    });
    if let Some(made) = &file.made {
        value["description"] = json!(made);
    }
    value
}

fn hash(algorithm: &str, digest: &impl ToString) -> Value {
    json!({ "alg": algorithm, "content": digest.to_string() })
}
