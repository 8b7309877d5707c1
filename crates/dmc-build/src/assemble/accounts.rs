//! `/etc/passwd` and `/etc/group`: base-passwd's masters and the template's own entries.
//!
//! The masters are what base-passwd's maintainer script installs from. Lines are copied as they
//! stand, for the names that the template asks for; then come the template's users and groups, by
//! number. Passwords are locked: `*` and `x` never match.

use dmc_template::{ArchTemplate, Group, User};
use std::fmt::Write as _;

/// The text of passwd(5) for a template; `master` is `/usr/share/base-passwd/passwd.master`.
pub(super) fn passwd(master: &str, template: &ArchTemplate) -> String {
    let own = |name: &str| template.users.iter().any(|user| user.name == name);
    let chosen = master.lines().filter(|line| is_chosen(line, template) && !own(field(line, 0)));
    let mut text = chosen.fold(String::new(), |text, line| text + line + "\n");
    let mut users: Vec<&User> = template.users.iter().collect();
    users.sort_by_key(|user| user.owner.uid);
    for User { name, owner, gecos, home, shell } in users {
        let (uid, gid) = (owner.uid, owner.gid);
        let _ = writeln!(text, "{name}:x:{uid}:{gid}:{gecos}:{home}:{shell}");
    }
    text
}

/// The text of group(5) for a template; the masters are those of `/usr/share/base-passwd`. A user
/// of the masters brings its own group.
pub(super) fn group(passwd: &str, master: &str, template: &ArchTemplate) -> String {
    let users = passwd.lines().filter(|line| is_chosen(line, template));
    let gids: Vec<&str> = users.map(|line| field(line, 3)).collect();
    let mut text = String::new();
    let mut own: Vec<&Group> = template.groups.iter().collect();
    own.sort_by_key(|group| group.gid);
    let chosen = |line: &&str| is_chosen(line, template) || gids.contains(&field(line, 2));
    for line in master.lines().filter(chosen) {
        match own.iter().position(|group| group.name == field(line, 0)) {
            // A user of the template joins a group of the masters.
            Some(at) => {
                let members = own.remove(at).members.join(",");
                let joint = if line.ends_with(':') || members.is_empty() { "" } else { "," };
                let _ = writeln!(text, "{line}{joint}{members}");
            }
            None => {
                let _ = writeln!(text, "{line}");
            }
        }
    }
    for Group { name, gid, members } in own {
        let _ = writeln!(text, "{name}:x:{gid}:{}", members.join(","));
    }
    text
}

/// Whether the template asks for this line of a master.
fn is_chosen(line: &str, template: &ArchTemplate) -> bool {
    let name = field(line, 0);
    !name.is_empty() && template.accounts.iter().any(|asked| asked == "*" || asked == name)
}

fn field(line: &str, number: usize) -> &str {
    line.split(':').nth(number).unwrap_or_default()
}
