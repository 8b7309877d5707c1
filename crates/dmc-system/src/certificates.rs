//! The bundle of trusted certificates, as ca-certificates' `update-ca-certificates` makes it.
//!
//! Certificates of packages come first, those of the site after them, each group by the bytes of
//! its paths. Beside the bundle lies a link for each file and, by the hash of its subject, the link
//! by which OpenSSL finds a single authority (`openssl rehash`; `X509_NAME_hash_ex(3)`): SHA-1 of
//! the canonical subject, in which text is UTF-8, lower-case, and without superfluous white space.
//! A file that holds several certificates is in the bundle alone, as with `openssl rehash`.
//! Java's truststore is left out on purpose: no image of Java is made, and it would need one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dmc_types::ImagePath;
use sha1::{Digest as _, Sha1};
use std::collections::BTreeMap;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::SetOfVec;
use x509_cert::der::{self, Any, Decode as _, Encode as _, Tag, Tagged as _};
use x509_cert::name::Name;

/// Where packages keep certificates, and where a site does.
pub const CERTIFICATE_FOLDERS: [&str; 2] =
    ["/usr/share/ca-certificates", "/usr/local/share/ca-certificates"];
/// Where bundle and links go.
pub const TRUST_FOLDER: &str = "/etc/ssl/certs";
/// The bundle's name there.
pub const BUNDLE: &str = "ca-certificates.crt";

/// No file with certificates is longer, in bytes.
pub const LONGEST_CERTIFICATE: usize = 1 << 20;

const BEGIN: &str = "-----BEGIN ";
const LABELS: [&str; 2] = ["CERTIFICATE", "X509 CERTIFICATE"];

/// A file that should hold certificates and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` holds no certificate: {why}")]
pub struct CertificateError {
    /// The file.
    pub path: ImagePath,
    /// What is wrong with it.
    pub why: String,
}

impl CertificateError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        "a .crt file holds PEM text: -----BEGIN CERTIFICATE-----, base64, -----END CERTIFICATE-----"
    }
}

/// What goes into [`TRUST_FOLDER`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustStore {
    /// The bundle's text.
    pub bundle: Vec<u8>,
    /// Links: name and target.
    pub links: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Whether a file at this path is one of trusted certificates.
pub fn is_certificate(path: &ImagePath) -> bool {
    path.as_bytes().ends_with(b".crt") && group(path).is_some()
}

fn group(path: &ImagePath) -> Option<usize> {
    let within = |folder: &str| ImagePath::parse(folder).is_ok_and(|it| path.is_within(&it));
    CERTIFICATE_FOLDERS.iter().position(|folder| within(folder))
}

/// Makes bundle and links of all files with certificates, in whatever order they come.
pub fn trust_store(files: &BTreeMap<ImagePath, Vec<u8>>) -> Result<TrustStore, CertificateError> {
    let mut sorted: Vec<(&ImagePath, &Vec<u8>)> = files.iter().collect();
    sorted.sort_by_key(|(path, _)| (group(path), *path));
    let mut store = TrustStore::default();
    // By the name of the link, as rehash reads the folder; the site's file takes a package's place.
    let mut alone: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
    for (path, bytes) in sorted {
        let mut certificates = read(path, bytes)?;
        store.bundle.extend_from_slice(bytes);
        if !bytes.ends_with(b"\n") {
            store.bundle.push(b'\n');
        }
        let name = link_name(path);
        store.links.insert(name.clone(), path.as_bytes().to_vec());
        let only = if certificates.len() == 1 { certificates.pop() } else { None };
        alone.insert(name, only);
    }
    let mut seen: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, der) in alone {
        let Some(der) = der else { continue };
        // Read once already.
        let Ok(hash) = subject_hash(&der) else { continue };
        let same = seen.entry(hash).or_default();
        if !same.contains(&der) {
            store.links.insert(format!("{hash:08x}.{}", same.len()).into_bytes(), name);
            same.push(der);
        }
    }
    Ok(store)
}

/// The name that `update-ca-certificates` gives the link to a file.
fn link_name(path: &ImagePath) -> Vec<u8> {
    let name = path.file_name();
    let name = name.strip_suffix(b".crt").unwrap_or(name).iter().map(|byte| match byte {
        b' ' | b',' => b'_',
        b'(' | b')' => b'=',
        other => *other,
    });
    name.chain(*b".pem").collect()
}

/// The certificates of a file, in DER; at least one.
fn read(path: &ImagePath, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CertificateError> {
    let refused = |why: String| CertificateError { path: path.clone(), why };
    if bytes.len() > LONGEST_CERTIFICATE {
        return Err(refused("it is longer than 1 MiB".to_owned()));
    }
    let text = String::from_utf8_lossy(bytes);
    let mut certificates = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let label = line.trim_end().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix("-----"));
        let Some(label) = label.filter(|label| LABELS.contains(label)) else { continue };
        let end = format!("-----END {label}-----");
        let mut base64 = String::new();
        let closed = lines.by_ref().any(|line| {
            let line = line.trim();
            let last = line == end;
            if !last {
                base64.push_str(line);
            }
            last
        });
        if !closed {
            return Err(refused(format!("`{end}` is missing")));
        }
        let der = STANDARD.decode(base64).map_err(|error| refused(error.to_string()))?;
        subject_hash(&der).map_err(|error| refused(error.to_string()))?;
        certificates.push(der);
    }
    if certificates.is_empty() {
        return Err(refused("there is no line `-----BEGIN CERTIFICATE-----`".to_owned()));
    }
    Ok(certificates)
}

/// OpenSSL's hash of a certificate's subject.
fn subject_hash(certificate: &[u8]) -> Result<u32, der::Error> {
    let certificate = CertificateInner::<Raw>::from_der(certificate)?;
    let digest = Sha1::digest(canonical(certificate.tbs_certificate().subject())?);
    Ok(u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]))
}

/// A name as OpenSSL compares it: its sets one after the other, without a sequence around them.
fn canonical(name: &Name) -> Result<Vec<u8>, der::Error> {
    let mut bytes = Vec::new();
    for part in name.iter_rdn() {
        let mut set = SetOfVec::new();
        for AttributeTypeAndValue { oid, value } in part.iter() {
            let value = match text(value) {
                Some(text) => Any::new(Tag::Utf8String, plain(&text))?,
                None => value.clone(),
            };
            set.insert(AttributeTypeAndValue { oid: *oid, value })?;
        }
        bytes.extend(set.to_der()?);
    }
    Ok(bytes)
}

/// A value as UTF-8, if it is of a kind of text that OpenSSL makes canonical.
fn text(value: &Any) -> Option<Vec<u8>> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::VisibleString => {
            Some(bytes.to_vec())
        }
        // OpenSSL takes it for Latin-1.
        Tag::TeletexString => {
            Some(bytes.iter().copied().map(char::from).collect::<String>().into())
        }
        Tag::BmpString => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            Some(
                char::decode_utf16(units)
                    .map(|unit| unit.unwrap_or('\u{fffd}'))
                    .collect::<String>()
                    .into(),
            )
        }
        _ => None,
    }
}

/// Lower-case, without white space around it and with one space for any inside; ASCII alone.
fn plain(text: &[u8]) -> Vec<u8> {
    let space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let words = text.split(space).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ').to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
