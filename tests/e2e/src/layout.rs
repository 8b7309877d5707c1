//! An OCI image layout, read without the program's own code.

use crate::tree::Tree;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A layout on disk.
#[derive(Debug)]
pub struct Layout(PathBuf);

impl Layout {
    /// The layout in a folder.
    #[track_caller]
    pub fn open(folder: &Path) -> Self {
        let version = json(&folder.join("oci-layout"));
        assert_eq!(version["imageLayoutVersion"], "1.0.0", "{}", folder.display());
        Self(folder.to_owned())
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The digests of all blobs, sorted.
    pub fn blobs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.join("blobs/sha256")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// The digests of all that an index leads to, itself among them, sorted: without documents
    /// about it.
    #[track_caller]
    pub fn image(&self, index: &str) -> Vec<String> {
        let hex = |digest: &Value| digest.as_str().unwrap().replace("sha256:", "");
        let mut found = vec![index.replace("sha256:", "")];
        for one in self.document(index)["manifests"].as_array().unwrap() {
            let manifest = self.document(one["digest"].as_str().unwrap());
            found.extend([hex(&one["digest"]), hex(&manifest["config"]["digest"])]);
            found
                .extend(manifest["layers"].as_array().unwrap().iter().map(|it| hex(&it["digest"])));
        }
        found.sort();
        found.dedup();
        found
    }

    /// The documents about a manifest or index: each kind with its bytes.
    #[track_caller]
    pub fn documents(&self, subject: &str) -> Vec<(String, PathBuf)> {
        let index = json(&self.0.join("index.json"));
        let entries = index["manifests"].as_array().unwrap().iter();
        let artifacts = entries.filter_map(|entry| {
            let kind = entry["artifactType"].as_str()?.to_owned();
            let artifact = self.document(entry["digest"].as_str().unwrap());
            let document = self.blob(artifact["layers"][0]["digest"].as_str().unwrap());
            (artifact["subject"]["digest"] == subject).then_some((kind, document))
        });
        artifacts.collect()
    }

    /// The digest that a reference names.
    #[track_caller]
    pub fn digest(&self, reference: &str) -> String {
        let index = json(&self.0.join("index.json"));
        let named = index["manifests"].as_array().unwrap().iter().find(|descriptor| {
            descriptor["annotations"]["org.opencontainers.image.ref.name"] == reference
        });
        let named = named.unwrap_or_else(|| panic!("no `{reference}` in {index:#}"));
        named["digest"].as_str().unwrap().to_owned()
    }

    /// A blob of JSON.
    #[track_caller]
    pub fn document(&self, digest: &str) -> Value {
        json(&self.blob(digest))
    }

    /// The architectures of an index, in its order.
    #[track_caller]
    pub fn architectures(&self, index: &str) -> Vec<String> {
        let index = self.document(index);
        let platforms = index["manifests"].as_array().unwrap().iter().map(|one| &one["platform"]);
        platforms.map(|platform| platform["architecture"].as_str().unwrap().to_owned()).collect()
    }

    /// The manifest of an architecture.
    #[track_caller]
    pub fn manifest(&self, index: &str, arch: &str) -> Value {
        let index = self.document(index);
        let manifests = index["manifests"].as_array().unwrap();
        let found = manifests.iter().find(|one| one["platform"]["architecture"] == arch);
        let found = found.unwrap_or_else(|| panic!("no {arch} in {index:#}"));
        self.document(found["digest"].as_str().unwrap())
    }

    /// The configuration of an architecture.
    #[track_caller]
    pub fn config(&self, index: &str, arch: &str) -> Value {
        let manifest = self.manifest(index, arch);
        self.document(manifest["config"]["digest"].as_str().unwrap())
    }

    /// The only layer of an architecture: its size in bytes, compressed.
    #[track_caller]
    pub fn layer_size(&self, index: &str, arch: &str) -> u64 {
        fs::metadata(self.layer(index, arch)).unwrap().len()
    }

    /// The files of an architecture.
    #[track_caller]
    pub fn tree(&self, index: &str, arch: &str) -> Tree {
        Tree::of_layer(&self.layer(index, arch))
    }

    fn layer(&self, index: &str, arch: &str) -> PathBuf {
        let manifest = self.manifest(index, arch);
        let layers = manifest["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 1, "{manifest:#}");
        assert_eq!(layers[0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        self.blob(layers[0]["digest"].as_str().unwrap())
    }

    /// Where a blob is.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").expect("a SHA-256 digest");
        self.0.join("blobs/sha256").join(hex)
    }
}

#[track_caller]
fn json(file: &Path) -> Value {
    let text = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
