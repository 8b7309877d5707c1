//! The same bytes, whoever builds, wherever and whenever.

use dmc_e2e::{Built, Workplace, need_root, nginx, program, run, target, tool};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;

/// An account that owns nothing: `nobody`.
const NOBODY: u32 = 65534;

#[test]
fn two_builds_from_empty_stores_in_other_surroundings_are_equal() {
    let plain = Workplace::new();
    let one = plain.create(&["-t", "nginx", "--jobs", "1"]);

    let other = Workplace::below(&target().join("e2e"));
    let build = other.dmc(&["-t", "nginx", "--jobs", "4"]);
    let mut shell = other.command("sh");
    shell.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(build.get_program());
    shell.args(build.get_args()).env("TZ", "Pacific/Kiritimati").env("LC_ALL", "tr_TR.UTF-8");
    let two = Built::of(&other, &run(&mut shell).ok().stdout);

    assert_eq!(one.digest, two.digest);
    assert_eq!(one.layout.blobs(), two.layout.blobs());
}

#[test]
fn building_again_from_a_full_store_changes_nothing() {
    let (_, built) = nginx();
    let workplace = Workplace::new();
    let first = workplace.create(&["-t", "nginx"]);
    std::fs::remove_dir_all(workplace.out()).unwrap();
    let again = workplace.create(&["-t", "nginx"]);
    assert_eq!(first.digest, built.digest);
    assert_eq!(again.digest, built.digest);
    assert_eq!(again.layout.blobs(), built.layout.blobs());
}

#[test]
fn an_ordinary_user_builds_the_same_image() {
    need_root("it becomes an ordinary user");
    let (_, built) = nginx();
    let workplace = Workplace::new();
    // The build may lie where that user cannot look.
    let copy = workplace.root().join("dmc");
    std::fs::copy(program(), &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    for place in [workplace.root().to_owned(), workplace.root().join("home")] {
        chown(place, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mut user = tool("setpriv", "util-linux");
    let id = NOBODY.to_string();
    user.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--no-new-privs", "--"]);
    user.arg(&copy).args(["-t", "nginx"]);
    let user = surrounded(&workplace, &user);
    let theirs = Built::of(&workplace, &run(&mut { user }).ok().stdout);
    assert_eq!(theirs.digest, built.digest);
    assert_eq!(theirs.layout.blobs(), built.layout.blobs());
    assert!(workplace.root().join("home/.cache/dmc").is_dir(), "the store is in the user's home");
}

/// A command in a workplace's surroundings.
fn surrounded(workplace: &Workplace, command: &Command) -> Command {
    let mut inside = workplace.command(command.get_program());
    inside.args(command.get_args());
    inside
}
