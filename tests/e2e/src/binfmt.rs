//! Programs of arm64 on this machine, through qemu.

use crate::process::{need_root, run, tool};
use std::fs;
use std::path::{Path, PathBuf};

const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

/// While it lives, the kernel hands arm64 programs to qemu, inside containers too.
#[derive(Debug)]
pub struct Arm64(Option<PathBuf>);

impl Arm64 {
    /// Registers qemu, unless this machine runs arm64 programs already.
    #[track_caller]
    pub fn runnable() -> Self {
        if cfg!(target_arch = "aarch64") {
            return Self(None);
        }
        need_root("it registers qemu with the kernel");
        if !Path::new(BINFMT).join("register").exists() {
            let mut mount = tool("mount", "mount");
            run(mount.args(["-t", "binfmt_misc", "binfmt_misc", BINFMT])).ok();
        }
        if fs::read_dir(BINFMT).unwrap().any(|entry| is_usable(&entry.unwrap().path())) {
            return Self(None);
        }
        let qemu = "/usr/bin/qemu-aarch64-static";
        let _ = tool("qemu-aarch64-static", "qemu-user-static");
        // The kernel knows a file by its header: 64 bits, little-endian, a program or a shared
        // object of machine 0xb7. O and C: credentials are the file's. F: the interpreter is opened
        // now, so that a container does not need to hold it.
        let magic = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00";
        let mask =
            r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";
        let name = "dmc-e2e-aarch64";
        let rule = format!(":{name}:M::{magic}:{mask}:{qemu}:OCF");
        fs::write(Path::new(BINFMT).join("register"), rule).unwrap();
        Self(Some(Path::new(BINFMT).join(name)))
    }
}

/// Whether an entry is for arm64 and works in containers.
fn is_usable(entry: &Path) -> bool {
    let text = fs::read_to_string(entry).unwrap_or_default();
    let fixed = text.lines().any(|line| line.starts_with("flags:") && line.contains('F'));
    text.starts_with("enabled") && text.contains("aarch64") && fixed
}

impl Drop for Arm64 {
    fn drop(&mut self) {
        if let Some(entry) = &self.0 {
            let _ = fs::write(entry, "-1");
        }
    }
}
