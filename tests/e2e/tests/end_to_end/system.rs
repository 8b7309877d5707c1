//! What maintainer scripts would have done, beside the programs that those would have run.

use dmc_e2e::{Workplace, host, run, tool, unpack};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A template of its own in the workplace's folder.
fn template(workplace: &Workplace, name: &str, text: &str) {
    let folder = workplace.root().join("templates").join(name);
    fs::create_dir_all(&folder).unwrap();
    let head = "group = \"base\"\nsummary = \"For a test\"\nextends = [\"minimal\"]\n";
    fs::write(folder.join("template.toml"), format!("{head}{text}")).unwrap();
}

/// Links of a folder that lead within it: name and target.
fn links(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let links = entries.filter_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?.to_str()?.to_owned();
        Some((entry.file_name().into_string().ok()?, target))
    });
    links.filter(|(_, target)| !target.contains('/')).collect()
}

#[test]
fn the_hash_links_are_those_of_openssl_rehash() {
    let workplace = Workplace::new();
    template(
        &workplace,
        "roots",
        "packages = [\"ca-certificates\"]\ninclude = [\"/usr/share/ca-certificates/**\"]\n",
    );
    let built = workplace.create(&["-t", "roots", "-A", host()]);
    let root = unpack(&built, host(), &workplace.root().join("image"));
    let ours = root.join("etc/ssl/certs");
    let theirs = workplace.root().join("certs");
    fs::create_dir(&theirs).unwrap();
    let mut bundle = Vec::new();
    let mut certificates: Vec<_> = fs::read_dir(root.join("usr/share/ca-certificates/mozilla"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    certificates.sort();
    assert!(certificates.len() > 100);
    for path in certificates {
        let bytes = fs::read(&path).unwrap();
        bundle.extend_from_slice(&bytes);
        let name = format!("{}.pem", path.file_stem().unwrap().to_str().unwrap());
        fs::write(theirs.join(name), bytes).unwrap();
    }
    run(tool("openssl", "openssl").arg("rehash").arg(&theirs)).ok();
    assert_eq!(links(&ours), links(&theirs));
    assert_eq!(fs::read(ours.join("ca-certificates.crt")).unwrap(), bundle);
}

#[test]
fn the_loaders_cache_is_what_the_images_own_ldconfig_writes() {
    let workplace = Workplace::new();
    template(
        &workplace,
        "loader",
        "packages = [\"libc-bin\", \"libc6\", \"libfakeroot\", \"libblas3\", \"zlib1g-dev\"]\n\
         roots = [\"/usr/sbin/ldconfig\"]\n\
         include = [\"/etc/ld.so.conf\", \"/etc/ld.so.conf.d/*\", \"/usr/lib/{triplet}/lib*.so*\",\n\
         \"/usr/lib/{triplet}/libfakeroot/*\"]\n\
         exclude = [\"/usr/lib/{triplet}/libthread_db.so*\"]\n",
    );
    let built = workplace.create(&["-t", "loader", "-A", "amd64,arm64"]);
    for arch in ["amd64", "arm64"] {
        let root = unpack(&built, arch, &workplace.root().join(arch));
        let ldconfig = root.join("usr/sbin/ldconfig");
        let mut command = if arch == host() {
            Command::new(ldconfig)
        } else {
            let mut qemu = tool("qemu-aarch64-static", "qemu-user-static");
            qemu.arg(ldconfig);
            qemu
        };
        run(command.args(["-X", "-C", "/etc/theirs", "-r"]).arg(&root)).ok();
        let read = |name: &str| fs::read(root.join("etc").join(name)).unwrap();
        assert!(read("ld.so.cache") == read("theirs"), "{arch}");
    }
}
