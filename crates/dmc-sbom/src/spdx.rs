//! SPDX 2.3 as JSON.
//!
//! The document describes one package, the image, which contains the distribution, the Debian
//! packages and whatever no package ships; each package contains those of its files that the image
//! has. Verification codes are over these files. Licences are the packages' own, from their
//! copyright files: nothing is concluded of a package, and of a file what its package declares.

use crate::licence::{Licensing, Names};
use crate::{File, Image, Kind, Package, SbomError, number, purl};
use dmc_types::{ImagePath, PackageName};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const NOTHING: &str = "NOASSERTION";
const IMAGE: &str = "SPDXRef-Image";
const SYSTEM: &str = "SPDXRef-OperatingSystem";

/// The document's bytes, as `tool` (`dmc-1.0`) writes it.
pub fn write(image: &Image, names: &Names, tool: &str) -> Result<Vec<u8>, SbomError> {
    let mut document = Document {
        image,
        licences: BTreeMap::new(),
        extracted: BTreeMap::new(),
        relations: vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)],
    };
    for (name, package) in &image.packages {
        if let Licensing::Known(copyright) = &package.licensing {
            let expression = names.spdx(name, copyright, &mut document.extracted);
            document.licences.insert(name, expression);
        }
    }
    let files = document.files();
    let packages = document.packages()?;
    let extracted = document
        .extracted
        .iter()
        .map(|(id, (name, text))| json!({ "licenseId": id, "name": name, "extractedText": text }));
    let written = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("{}:{} {}", image.name, image.version, image.arch),
        "documentNamespace": format!("urn:uuid:{}", number(Kind::Spdx, image)),
        "creationInfo": { "created": image.created, "creators": [format!("Tool: {tool}")] },
        "hasExtractedLicensingInfos": extracted.collect::<Vec<_>>(),
        "packages": packages,
        "files": files,
        "relationships": document.relations,
    });
    Ok(written.to_string().into_bytes())
}

struct Document<'a> {
    image: &'a Image,
    /// SPDX expressions of packages whose licences are known.
    licences: BTreeMap<&'a PackageName, String>,
    /// What SPDX has no identifier for: Debian's name and the text, by reference.
    extracted: BTreeMap<String, (String, String)>,
    relations: Vec<Value>,
}

impl Document<'_> {
    fn files(&mut self) -> Vec<Value> {
        let mut files = Vec::new();
        for (at, (path, file)) in self.image.files.iter().enumerate() {
            let id = format!("SPDXRef-File-{}", at + 1);
            let owner = file.package.as_ref().filter(|name| is_of(self.image, name));
            let within = owner.map_or_else(|| IMAGE.to_owned(), id_of);
            self.relations.push(relation(&within, "CONTAINS", &id));
            let licence = owner.and_then(|name| self.licences.get(name));
            files.push(entry(&id, path, file, licence.map_or(NOTHING, String::as_str)));
        }
        files
    }

    fn packages(&mut self) -> Result<Vec<Value>, SbomError> {
        let image = self.image;
        let distribution = &image.distribution;
        let loose = image
            .files
            .values()
            .filter(|file| !file.package.as_ref().is_some_and(|name| is_of(image, name)));
        let mut of_image = json!({
            "SPDXID": IMAGE, "name": image.name, "versionInfo": image.version,
            "downloadLocation": NOTHING, "primaryPackagePurpose": "CONTAINER",
            "checksums": [{ "algorithm": "SHA256", "checksumValue": image.manifest.to_string() }],
            "licenseConcluded": NOTHING, "licenseDeclared": NOTHING, "copyrightText": NOTHING,
            "externalRefs": [reference(&purl::oci(image)?)],
            "comment": "The checksum is of the image's manifest.",
        });
        analyse(&mut of_image, loose);
        let system = json!({
            "SPDXID": SYSTEM, "name": distribution.vendor, "versionInfo": distribution.version,
            "downloadLocation": NOTHING, "primaryPackagePurpose": "OPERATING-SYSTEM",
            "filesAnalyzed": false, "supplier": format!("Organization: {}", distribution.origin),
            "licenseConcluded": NOTHING, "licenseDeclared": NOTHING, "copyrightText": NOTHING,
        });
        self.relations.push(relation(IMAGE, "CONTAINS", SYSTEM));
        let mut packages = vec![of_image, system];
        for (name, package) in &image.packages {
            self.relations.push(relation(IMAGE, "CONTAINS", &id_of(name)));
            packages.push(self.package(name, package)?);
        }
        Ok(packages)
    }

    fn package(&self, name: &PackageName, package: &Package) -> Result<Value, SbomError> {
        let distribution = &self.image.distribution;
        let supplier = package.archive.as_ref().unwrap_or(&distribution.origin);
        let declared = self.licences.get(name).map_or(NOTHING, String::as_str);
        let mut value = json!({
            "SPDXID": id_of(name), "name": name, "versionInfo": package.version,
            "supplier": format!("Organization: {supplier}"),
            "downloadLocation": NOTHING,
            "packageFileName": package.file_name(name),
            "checksums": [{ "algorithm": "SHA256", "checksumValue": package.deb.to_string() }],
            "sourceInfo": format!("built from {} {}", package.source, package.source_version),
            "licenseConcluded": NOTHING, "licenseDeclared": declared, "copyrightText": NOTHING,
            "externalRefs": [reference(&purl::deb(name, package, distribution)?)],
            "comment": "The checksum is of the .deb; the files are those that the image has of it.",
        });
        for (key, text) in [("homepage", &package.homepage), ("summary", &package.summary)] {
            if let Some(text) = text {
                value[key] = json!(text);
            }
        }
        let own = |file: &&File| file.package.as_ref() == Some(name);
        analyse(&mut value, self.image.files.values().filter(own));
        Ok(value)
    }
}

/// Whether the image has a package of this name: else its files are the image's own.
fn is_of(image: &Image, name: &PackageName) -> bool {
    image.packages.contains_key(name)
}

/// The identifier of a package. `+`, which SPDX does not allow there, becomes a capital letter,
/// which Debian does not allow in names.
fn id_of(name: &PackageName) -> String {
    format!("SPDXRef-Package-{}", name.as_str().replace('+', "P"))
}

/// Says that files were looked at, and gives their verification code (SPDX 2.3, 7.9).
fn analyse<'a>(package: &mut Value, files: impl Iterator<Item = &'a File>) {
    let mut sums: Vec<String> = files.map(|file| file.sha1.to_string()).collect();
    package["filesAnalyzed"] = json!(!sums.is_empty());
    if !sums.is_empty() {
        sums.sort_unstable();
        let mut code = String::new();
        for byte in Sha1::digest(sums.concat()) {
            let _ = write!(code, "{byte:02x}");
        }
        package["packageVerificationCode"] = json!({ "packageVerificationCodeValue": code });
    }
}

fn entry(id: &str, path: &ImagePath, file: &File, licence: &str) -> Value {
    let mut value = json!({
        "SPDXID": id,
        "fileName": format!(".{path}"),
        "checksums": [
            { "algorithm": "SHA1", "checksumValue": file.sha1.to_string() },
            { "algorithm": "SHA256", "checksumValue": file.sha256.to_string() },
        ],
        "licenseConcluded": licence, "licenseInfoInFiles": [NOTHING], "copyrightText": NOTHING,
    });
    if let Some(made) = &file.made {
        value["comment"] = json!(made);
    }
    value
}

fn relation(from: &str, how: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": how, "relatedSpdxElement": to })
}

fn reference(purl: &str) -> Value {
    json!({
        "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
        "referenceLocator": purl,
    })
}
