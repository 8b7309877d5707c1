use super::*;
use crate::layer::NoPieces;
use crate::oci::{ImageConfig, RunConfig};
use crate::tree::{ContentSource, FileTree, Node, SourceError, StoredContent};
use camino::Utf8Path;
use dmc_types::{Arch, Compression, ImagePath};
use std::io::Read;

struct NoContents;

impl ContentSource for NoContents {
    fn append(&self, _: &StoredContent, _: &mut Vec<u8>) -> Result<(), SourceError> {
        Err("nothing is stored here".into())
    }
}

fn image(folder: &tempfile::TempDir) -> (Layout, Descriptor) {
    let root = Utf8Path::from_path(folder.path()).unwrap().join("out");
    let layout = Layout::open_or_create(root).unwrap();
    let mut tree = FileTree::new();
    let file = Node::file(b"hello".to_vec().into(), 1);
    tree.insert(ImagePath::parse("/etc/motd").unwrap(), file).unwrap();
    let tree = tree.seal(1).unwrap();
    let layer = layout.write_layer(&tree, &NoContents, &NoPieces, Compression::Gzip).unwrap();
    let platform = Arch::Amd64.oci();
    let config = ImageConfig::new(platform, 1, RunConfig::default(), &layer, "dmc");
    let manifest = layout.write_image(platform, &config, &layer, Annotations::new()).unwrap();
    (layout, manifest)
}

fn files(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = ::tar::Archive::new(tar);
    let read = |entry: io::Result<::tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().display().to_string(), bytes)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn an_archive_is_a_layout_and_a_docker_archive_of_the_same_blobs() {
    let folder = tempfile::tempdir().unwrap();
    let (layout, manifest) = image(&folder);
    let names = ["localhost/motd:1".to_owned(), "localhost/motd:latest".to_owned()];
    let mut bytes = Vec::new();
    write_archive(&layout, &manifest, &names, &mut bytes).unwrap();
    let mut again = Vec::new();
    write_archive(&layout, &manifest, &names, &mut again).unwrap();
    assert!(bytes == again);

    let files = files(&bytes);
    let index: Index = serde_json::from_slice(&files["index.json"]).unwrap();
    let found: Vec<&str> =
        index.manifests.iter().map(|m| m.annotations[REF_NAME].as_str()).collect();
    assert_eq!(found, names);
    let docker: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(docker[0]["RepoTags"], serde_json::json!(names));
    let document: Manifest = layout.read_document(&manifest).unwrap();
    assert_eq!(docker[0]["Config"], blob_name(&document.config));
    assert_eq!(docker[0]["Layers"], serde_json::json!([blob_name(&document.layers[0])]));
    for blob in [&manifest, &document.config, &document.layers[0]] {
        assert_eq!(Descriptor::of("", &files[&blob_name(blob)]).digest, blob.digest);
    }
}

#[test]
fn a_damaged_layer_stops_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let (layout, manifest) = image(&folder);
    let document: Manifest = layout.read_document(&manifest).unwrap();
    let path = layout.blob_path(&document.layers[0].digest);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = write_archive(&layout, &manifest, &[], &mut io::sink()).unwrap_err();
    assert!(matches!(error, ArchiveError::Layout(LayoutError::BlobCorrupted { .. })), "{error}");
    assert!(error.hint().contains("again"));
}

#[test]
fn a_reader_that_goes_away_is_an_error_of_writing() {
    let folder = tempfile::tempdir().unwrap();
    let (layout, manifest) = image(&folder);
    for room in [0, 700, 4000] {
        let mut short = vec![0; room];
        let error = write_archive(&layout, &manifest, &[], &mut &mut short[..]).unwrap_err();
        assert!(matches!(error, ArchiveError::Write(_)), "room for {room} bytes: {error}");
        assert!(!error.hint().is_empty());
    }
}
