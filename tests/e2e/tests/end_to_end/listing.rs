//! `-l` looks and does not touch.

use dmc_e2e::{Workplace, program, run, tool};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

/// System calls that change a file system.
const WRITES: [&str; 15] = [
    "O_CREAT",
    "O_WRONLY",
    "O_RDWR",
    "O_TRUNC",
    "mkdir",
    "rename",
    "unlink",
    "link(",
    "linkat(",
    "symlink",
    "chmod",
    "chown",
    "truncate",
    "utimensat(",
    "fallocate(",
];

/// Runs `dmc -l` under strace and returns what it printed.
fn list(workplace: &Workplace) -> String {
    let log = tempfile::NamedTempFile::new().unwrap();
    let _ = tool("strace", "strace");
    let mut strace = workplace.command("strace");
    strace.args(["-f", "-qq", "-e", "trace=network,file,desc", "-o"]).arg(log.path());
    strace.arg(program()).args(["--store", "store", "--out", "out", "-t", "nginx", "-l"]);
    let done = run(&mut strace).ok();
    let calls = std::fs::read_to_string(log.path()).unwrap();
    assert!(calls.contains("openat("), "strace saw nothing:\n{calls}");
    for call in calls.lines() {
        let network = ["socket(", "connect(", "sendto(", "bind("];
        let network = network.iter().any(|name| call.contains(name));
        assert!(!network || call.contains("socketpair("), "-l went to the network: {call}");
        let writes = WRITES.iter().any(|sign| call.contains(sign));
        let harmless =
            call.contains("/dev/") || call.contains("/proc/") || call.contains("readlink");
        assert!(!writes || harmless, "-l wrote: {call}");
    }
    assert_eq!(done.stderr, "", "-l has nothing to tell beside the list");
    done.stdout
}

/// That nothing below a folder is other than it was.
fn assert_unchanged(folder: &Path, before: &BTreeMap<String, (u64, SystemTime)>) {
    let after = snapshot(folder);
    let changed = |path: &&String| before.get(*path) != after.get(*path);
    let paths = before.keys().chain(after.keys());
    let changed: BTreeSet<&String> = paths.filter(changed).collect();
    assert!(changed.is_empty(), "-l changed {changed:#?}");
}

/// Every path below a folder, with its size and time of change.
fn snapshot(folder: &Path) -> BTreeMap<String, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            found.insert(path.display().to_string(), (meta.len(), meta.modified().unwrap()));
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

#[test]
fn listing_in_an_empty_place_opens_no_socket_and_creates_no_file() {
    let workplace = Workplace::new();
    let before = snapshot(workplace.root());
    let listed = list(&workplace);
    assert_unchanged(workplace.root(), &before);
    assert_eq!(listed.lines().count(), 5, "{listed}");
    assert!(!listed.contains("cached"), "{listed}");
}

#[test]
fn listing_beside_a_finished_build_opens_no_socket_and_changes_no_file() {
    let workplace = Workplace::new();
    workplace.create(&["-t", "nginx"]);
    let before = snapshot(workplace.root());
    let listed = list(&workplace);
    assert_unchanged(workplace.root(), &before);
    assert_eq!(listed.matches("(cached)").count(), 5, "{listed}");
}
