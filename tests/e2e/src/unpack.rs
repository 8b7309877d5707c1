//! An image as a folder, by skopeo and umoci.

use crate::dmc::Built;
use crate::process::{run, tool};
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
    let copy = format!("{}:{arch}", into.join("copy").display());
    let mut skopeo = tool("skopeo", "skopeo");
    skopeo.args(["copy", "-q", "--override-arch", arch, &built.transport()]);
    run(skopeo.arg(format!("oci:{copy}"))).ok();
    let bundle = into.join("bundle");
    run(tool("umoci", "umoci").args(["unpack", "--image", &copy]).arg(&bundle)).ok();
    bundle.join("rootfs")
}
