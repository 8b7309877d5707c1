//! An image as a folder: by skopeo and umoci, or, where many are wanted, without.

use crate::dmc::Built;
use crate::layout::Layout;
use crate::process::{run, tool};
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// This machine's architecture in Debian's and OCI's words.
pub fn host() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// Where Debian keeps an architecture's libraries.
pub fn libraries(arch: &str) -> &'static str {
    match arch {
        "amd64" => "/usr/lib/x86_64-linux-gnu",
        "arm64" => "/usr/lib/aarch64-linux-gnu",
        other => panic!("no test is written for {other}"),
    }
}

/// Copies one architecture into a layout of its own and unpacks it: the root folder.
#[track_caller]
pub fn unpack(built: &Built, arch: &str, into: &Path) -> PathBuf {
    fs::create_dir_all(into).unwrap();
    let copy = format!("{}:{arch}", into.join("copy").display());
    let mut skopeo = tool("skopeo", "skopeo");
    skopeo.args(["copy", "-q", "--override-arch", arch, &built.transport()]);
    run(skopeo.arg(format!("oci:{copy}"))).ok();
    let bundle = into.join("bundle");
    run(tool("umoci", "umoci").args(["unpack", "--image", &copy]).arg(&bundle)).ok();
    bundle.join("rootfs")
}

/// Unpacks the layer of a manifest as it is, and gives the image's environment.
#[track_caller]
pub fn unpack_layer(layout: &Layout, manifest: &str, into: &Path) -> Vec<(String, String)> {
    let manifest = layout.document(manifest);
    let digest = |value: &serde_json::Value| value["digest"].as_str().unwrap().to_owned();
    let layer = File::open(layout.blob(&digest(&manifest["layers"][0]))).unwrap();
    let mut archive = tar::Archive::new(MultiGzDecoder::new(layer));
    archive.set_preserve_permissions(true);
    archive.unpack(into).unwrap();
    let config = layout.document(&digest(&manifest["config"]));
    let entries = config["config"]["Env"].as_array().cloned().unwrap_or_default();
    let entry = |entry: &serde_json::Value| {
        let (name, value) = entry.as_str()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    entries.iter().filter_map(entry).collect()
}
