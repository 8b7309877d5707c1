//! zstd:chunked: podman fetches what it lacks, all others take gzip from the same index.

use dmc_e2e::{Answer, Built, Engine, Layout, LazyPodman, Registry, Workplace, host, run, tool};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ANNOTATION: &str = "io.github.containers.zstd-chunked";

/// A page of nginx's that hardly compresses, another for each seed.
fn write_page(workplace: &Workplace, seed: u32) {
    let folder = workplace.root().join("templates/nginx/files/usr/share/nginx/html");
    fs::create_dir_all(&folder).unwrap();
    let block = |n: u32| Sha256::digest([seed.to_le_bytes(), n.to_le_bytes()].concat());
    let page: Vec<u8> = (0..6250).flat_map(block).collect();
    fs::write(folder.join("page"), page).unwrap();
}

fn workplace() -> Workplace {
    let workplace = Workplace::new();
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
    run(tool("cp", "coreutils").arg("-r").arg(templates).arg(workplace.root())).ok();
    workplace
}

fn build(workplace: &Workplace) -> Built {
    workplace.create(&["-t", "nginx", "-A", host(), "--compression", "gzip,zstd:chunked"])
}

fn push(registry: &Registry, from: &str, to: &str) {
    let mut skopeo = tool("skopeo", "skopeo");
    skopeo.args(["copy", "-q", "--all", "--dest-tls-verify=false", from, &registry.transport(to)]);
    run(&mut skopeo).ok();
}

/// One form of an image in its layout.
struct Form {
    layer: String,
    manifest: Value,
    bytes: Vec<u8>,
}

impl Form {
    /// The gzip form is the first in the index, zstd:chunked the second.
    fn of(built: &Built, number: usize) -> Self {
        let index = built.layout.document(&built.digest);
        assert_eq!(index["manifests"].as_array().unwrap().len(), 2, "{index:#}");
        let manifest = built.layout.document(text(&index["manifests"][number]["digest"]));
        let layer = text(&manifest["layers"][0]["digest"]).to_owned();
        let bytes = fs::read(built.layout.blob(&layer)).unwrap();
        Self { layer, manifest, bytes }
    }

    /// Offset and length of what an annotation points to.
    fn place(&self, name: &str) -> (usize, usize) {
        let annotations = &self.manifest["layers"][0]["annotations"];
        let mut numbers = text(&annotations[format!("{ANNOTATION}.{name}")]).split(':');
        let mut number = || numbers.next().unwrap().parse().unwrap();
        (number(), number())
    }

    fn section(&self, name: &str) -> Vec<u8> {
        let (offset, size) = self.place(name);
        zstd::decode_all(&self.bytes[offset..offset + size]).unwrap()
    }

    fn table(&self) -> Value {
        serde_json::from_slice(&self.section("manifest-position")).unwrap()
    }

    fn tables(&self) -> u64 {
        let size = |name| self.place(name).1 as u64;
        size("manifest-position") + size("tarsplit-position")
    }

    /// Digest of each file with the length of its chunk.
    fn chunks(&self) -> BTreeSet<(String, u64)> {
        let table = self.table();
        let chunk = |entry: &Value| {
            let size = entry["endOffset"].as_u64()? - entry["offset"].as_u64()?;
            Some((entry["digest"].as_str()?.to_owned(), size))
        };
        table["entries"].as_array().unwrap().iter().filter_map(chunk).collect()
    }

    /// What was read of its layer.
    fn read_of(&self, answers: &[Answer]) -> u64 {
        let ours = answers.iter().filter(|answer| answer.path.ends_with(&self.layer));
        ours.map(|answer| answer.bytes).sum()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[test]
fn podman_fetches_tables_and_changed_files_alone_and_takes_no_tar_split_of_another_tar() {
    let (registry, workplace) = (Registry::start(), workplace());
    let podman = LazyPodman::build(&workplace);
    write_page(&workplace, 1);
    let built = build(&workplace);
    let first = Form::of(&built, 1);
    push(&registry, &built.transport(), "nginx:first");
    podman.pull(&registry.reference("nginx:first")).ok();
    let (whole, size) = (first.read_of(&registry.answers()), first.bytes.len());
    println!("first pull: {whole} of {size} bytes, tables {}", first.tables());
    assert!(whole > 0, "podman has not taken the second manifest");

    write_page(&workplace, 2);
    let built = build(&workplace);
    let second = Form::of(&built, 1);
    let changed: u64 = second.chunks().difference(&first.chunks()).map(|(_, size)| size).sum();
    push(&registry, &built.transport(), "nginx:second");
    podman.pull(&registry.reference("nginx:second")).ok();
    let fetched = second.read_of(&registry.answers());
    let wanted = second.tables() + changed;
    println!(
        "second pull: {fetched} of {} bytes, tables {}, changed chunks {changed}",
        second.bytes.len(),
        second.tables()
    );
    assert!(fetched * 10 <= wanted * 11, "{fetched} bytes were fetched where {wanted} would do");

    let forged = forge(&second, &built.layout);
    push(&registry, &format!("oci:{}:forged", built.layout.folder().display()), "nginx:forged");
    let refused = podman.pull(&registry.reference("nginx:forged")).code_is(125);
    println!("{}", refused.stderr);
    let wanted = format!("uncompressed digest of layer \"{forged}\"");
    assert!(refused.stderr.contains(&wanted), "no `{wanted}` in:\n{}", refused.stderr);
}

/// Adds the same image with a tar-split that says a tar which is longer by three zeros, all its
/// digests and places right. Returns the layer's digest.
fn forge(form: &Form, layout: &Layout) -> String {
    let lines = String::from_utf8(form.section("tarsplit-position")).unwrap();
    let (before, last) = lines.trim_end().rsplit_once('\n').unwrap();
    let last = last.replace("\"payload\":\"", "\"payload\":\"AAAA");
    let lines = format!("{before}\n{last}\n");
    let tar_split = zstd::encode_all(lines.as_bytes(), 3).unwrap();
    let mut table = form.table();
    table["tarSplitDigest"] = json!(digest(&tar_split));
    let json = table.to_string();
    let contents = zstd::encode_all(json.as_bytes(), 3).unwrap();
    let (at, _) = form.place("manifest-position");
    let mut bytes = form.bytes[..at - 8].to_vec();
    for part in [&contents, &tar_split] {
        bytes.extend([0x50, 0x2a, 0x4d, 0x18]);
        bytes.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
        bytes.extend(part);
    }
    let mut manifest = form.manifest.clone();
    let layer = &mut manifest["layers"][0];
    layer["digest"] = json!(put(layout, &bytes));
    layer["size"] = json!(bytes.len());
    let (split_at, sizes) = (at + contents.len() + 8, (contents.len(), tar_split.len()));
    for (name, value) in [
        ("manifest-checksum", digest(&contents)),
        ("manifest-position", format!("{at}:{}:{}:1", sizes.0, json.len())),
        ("tarsplit-position", format!("{split_at}:{}:{}", sizes.1, lines.len())),
    ] {
        layer["annotations"][format!("{ANNOTATION}.{name}")] = json!(value);
    }
    let layer = text(&layer["digest"]).to_owned();
    let manifest = manifest.to_string();
    let entry = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": put(layout, manifest.as_bytes()),
        "size": manifest.len(),
        "annotations": {"org.opencontainers.image.ref.name": "forged"},
    });
    let file = layout.folder().join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    index["manifests"].as_array_mut().unwrap().push(entry);
    fs::write(file, index.to_string()).unwrap();
    layer
}

fn put(layout: &Layout, bytes: &[u8]) -> String {
    let digest = digest(bytes);
    fs::write(layout.blob(&digest), bytes).unwrap();
    digest
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", dmc_types::Sha256::from_bytes(Sha256::digest(bytes).into()))
}

#[test]
fn docker_and_skopeo_take_gzip_from_an_index_that_has_both() {
    let (docker, registry, workplace) = (Engine::docker(), Registry::start(), workplace());
    let built = build(&workplace);
    let (gzip, zstd) = (Form::of(&built, 0), Form::of(&built, 1));
    assert_eq!(gzip.manifest["config"], zstd.manifest["config"]);
    push(&registry, &built.transport(), "nginx:both");
    let copied = docker.folder().join("copied");
    let mut skopeo = tool("skopeo", "skopeo");
    skopeo.args(["copy", "-q", "--src-tls-verify=false", &registry.transport("nginx:both")]);
    run(skopeo.arg(format!("oci:{}:copied", copied.display()))).ok();
    let copied = Layout::open(&copied);
    let manifest = copied.document(&copied.digest("copied"));
    assert_eq!(manifest["layers"], gzip.manifest["layers"]);

    run(docker.command().args(["pull", "-q", &registry.reference("nginx:both")])).ok();
    let answers = registry.answers();
    assert_eq!(gzip.read_of(&answers), 2 * gzip.bytes.len() as u64, "skopeo and docker");
    assert_eq!(zstd.read_of(&answers), 0);
}
