//! Programs of arm64 on this machine, through qemu.

use crate::dmc::target;
use crate::process::{need_root, run, tool};
use std::fs::{self, File};
use std::path::Path;

const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

/// What qemu is registered as here.
const NAME: &str = "dmc-e2e-aarch64";

/// While it lives, the kernel hands arm64 programs to qemu, inside containers too.
///
/// Several may live at once, in several processes: the last to go takes the registration along.
#[derive(Debug)]
pub struct Arm64(Option<File>);

impl Arm64 {
    /// Registers qemu, unless this machine runs arm64 programs already.
    #[track_caller]
    pub fn runnable() -> Self {
        if cfg!(target_arch = "aarch64") {
            return Self(None);
        }
        need_root("it registers qemu with the kernel");
        fs::create_dir_all(target().join("e2e")).unwrap();
        let lock = File::create(target().join("e2e/arm64.lock")).unwrap();
        // Shared while it is used: whoever gets it alone may register, or end the registration.
        lock.lock_shared().unwrap();
        if !is_registered() {
            lock.unlock().unwrap();
            lock.lock().unwrap();
            if !is_registered() {
                register();
            }
            lock.unlock().unwrap();
            lock.lock_shared().unwrap();
        }
        Self(Some(lock))
    }
}

#[track_caller]
fn register() {
    let qemu = "/usr/bin/qemu-aarch64-static";
    let _ = tool("qemu-aarch64-static", "qemu-user-static");
    // The kernel knows a file by its header: 64 bits, little-endian, a program or a shared
    // object of machine 0xb7. O and C: credentials are the file's. F: the interpreter is opened
    // now, so that a container does not need to hold it.
    let magic = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00";
    let mask = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";
    let rule = format!(":{NAME}:M::{magic}:{mask}:{qemu}:OCF");
    fs::write(Path::new(BINFMT).join("register"), rule).unwrap();
}

#[track_caller]
fn is_registered() -> bool {
    if !Path::new(BINFMT).join("register").exists() {
        let mut mount = tool("mount", "mount");
        run(mount.args(["-t", "binfmt_misc", "binfmt_misc", BINFMT])).ok();
    }
    fs::read_dir(BINFMT).unwrap().any(|entry| is_usable(&entry.unwrap().path()))
}

/// Whether an entry is for arm64 and works in containers.
fn is_usable(entry: &Path) -> bool {
    let text = fs::read_to_string(entry).unwrap_or_default();
    let fixed = text.lines().any(|line| line.starts_with("flags:") && line.contains('F'));
    text.starts_with("enabled") && text.contains("aarch64") && fixed
}

impl Drop for Arm64 {
    fn drop(&mut self) {
        let Some(lock) = &self.0 else { return };
        let _ = lock.unlock();
        if lock.try_lock().is_ok() {
            // Nobody else has it. Where the machine's own is in use, there is no such entry.
            let _ = fs::write(Path::new(BINFMT).join(NAME), "-1");
        }
    }
}
