//! What is in the image, and what is not.

use dmc_e2e::{nginx, run, tool, unpack};
use tempfile::TempDir;

const ARCHS: [&str; 2] = ["amd64", "arm64"];

#[test]
fn no_setuid_file_no_device_no_shell_and_no_package_manager_is_in_the_image() {
    let (_, built) = nginx();
    let unwanted = [
        "sh", "bash", "dash", "busybox", "ash", "apt", "apt-get", "dpkg", "dpkg-deb", "rpm", "perl",
    ];
    for arch in ARCHS {
        let tree = built.layout.tree(&built.digest, arch);
        for (path, item) in &tree.0 {
            assert_eq!(item.mode & 0o6000, 0, "{path} is setuid or setgid on {arch}");
            let special = item.kind.is_block_special() || item.kind.is_character_special();
            assert!(!special, "{path} is a device on {arch}");
            let name = path.rsplit('/').next().unwrap_or_default();
            let program = path.contains("/bin/") || path.contains("/sbin/");
            assert!(!(program && unwanted.contains(&name)), "{path} is there on {arch}");
        }
        assert!(tree.0.contains_key("/usr/sbin/nginx"), "{arch}");
    }
}

#[test]
fn each_package_in_the_image_has_its_status_its_digests_and_its_copyright() {
    let (_, built) = nginx();
    for arch in ARCHS {
        let tree = built.layout.tree(&built.digest, arch);
        let packages = tree.packages();
        assert!(packages.iter().any(|name| name == "nginx"), "{packages:?}");
        for name in &packages {
            let status = tree.text(&format!("/var/lib/dpkg/status.d/{name}"));
            assert!(status.starts_with(&format!("Package: {name}\n")), "{status}");
            assert!(status.contains("\nVersion: "), "{status}");
            let digests = tree.text(&format!("/var/lib/dpkg/status.d/{name}.md5sums"));
            for line in digests.lines() {
                let path = line.split_once("  ").map(|(_, path)| format!("/{path}"));
                let shipped = path.as_ref().is_some_and(|path| tree.0.contains_key(path));
                assert!(shipped, "{name}: `{line}` is not in the image for {arch}");
            }
            let licence = format!("/usr/share/doc/{name}");
            let found = tree.0.contains_key(&format!("{licence}/copyright"))
                || tree.0.get(&licence).is_some_and(|item| item.kind.is_symlink());
            assert!(found, "{name} has no copyright on {arch}");
        }
    }
}

#[test]
fn the_digests_of_dpkg_hold_in_the_unpacked_image() {
    let (_, built) = nginx();
    for arch in ARCHS {
        let folder = TempDir::new().unwrap();
        let root = unpack(built, arch, folder.path());
        let lists = std::fs::read_dir(root.join("var/lib/dpkg/status.d")).unwrap();
        let lists = lists.map(|entry| entry.unwrap().path());
        let lists: Vec<_> = lists.filter(|list| list.extension().is_some()).collect();
        assert!(lists.len() > 5, "{lists:?}");
        for list in lists.iter().filter(|list| list.metadata().unwrap().len() > 0) {
            let mut check = tool("md5sum", "coreutils");
            run(check.current_dir(&root).args(["--check", "--strict", "--quiet"]).arg(list)).ok();
        }
    }
}
