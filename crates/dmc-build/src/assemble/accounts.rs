//! `/etc/passwd` and `/etc/group`: base-passwd's masters and the template's own entries.
//!
//! The masters are what base-passwd's maintainer script installs from. Lines are copied as they
//! stand, for the names that the template asks for; then come the template's users and groups, by
//! number. Passwords are locked: `*` and `x` never match. Names that packages define come with what
//! these say of them; each has a group of its own with its number, and is in the group that its
//! package names as well.

use super::AssembleError;
use dmc_system::{SystemAccounts, SystemUser};
use dmc_template::{ArchTemplate, Group, Owner, User, nearest};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The template with the users and groups that it takes from packages.
pub(super) fn with_packaged(
    template: &ArchTemplate,
    packages: &SystemAccounts,
) -> Result<ArchTemplate, AssembleError> {
    let mut whole = template.clone();
    for (name, number) in &template.packaged_accounts {
        let user = packages.users.get(name);
        let Some(origin) = origin(packages, name) else {
            return Err(AssembleError::UnknownAccount {
                template: template.name.to_string(),
                name: name.clone(),
                nearest: nearest(name, packages.users.keys().map(String::as_str))
                    .map(str::to_owned),
            });
        };
        let group = packages.groups.get(name).and_then(|group| group.id);
        if let Some(fixed) = user.and_then(|user| user.id).or(group).filter(|id| id != number) {
            let (name, origin) = (name.clone(), origin.to_owned());
            return Err(AssembleError::FixedNumber { name, fixed, origin });
        }
        if let Some(SystemUser { gecos, home, shell, .. }) = user {
            whole.users.push(User {
                name: name.clone(),
                owner: Owner { uid: *number, gid: *number },
                gecos: gecos.clone(),
                home: home.clone(),
                shell: shell.clone(),
            });
        }
        if !whole.groups.iter().any(|group| group.name == *name) {
            whole.groups.push(Group { name: name.clone(), gid: *number, members: Vec::new() });
        }
    }
    join_groups(&mut whole, packages);
    Ok(whole)
}

fn origin<'a>(packages: &'a SystemAccounts, name: &str) -> Option<&'a str> {
    let user = packages.users.get(name).map(|user| &user.origin);
    user.or(packages.groups.get(name).map(|group| &group.origin)).map(String::as_str)
}

/// Users of packages join the groups that packages put them in, where the image has these.
fn join_groups(whole: &mut ArchTemplate, packages: &SystemAccounts) {
    let primary = packages.users.iter().filter_map(|(name, user)| {
        let group = user.group.as_ref().filter(|group| *group != "nogroup")?;
        Some((name, group))
    });
    let further = packages.members.iter().map(|(user, group)| (user, group));
    for (user, group) in primary.chain(further) {
        if !whole.packaged_accounts.contains_key(user) {
            continue;
        }
        let joined = whole.groups.iter_mut().find(|it| it.name == *group);
        if let Some(group) = joined
            && !group.members.contains(user)
        {
            group.members.push(user.clone());
            group.members.sort();
        }
    }
}

/// Users and groups by name, as passwd(5) and group(5) have them; root is there in any case.
pub(super) struct Ids {
    pub(super) users: BTreeMap<String, u32>,
    pub(super) groups: BTreeMap<String, u32>,
}

impl Ids {
    pub(super) fn read(passwd: &str, group: &str) -> Self {
        let ids = |text: &str| {
            let lines = text.lines();
            let pairs = lines
                .filter_map(|line| Some((field(line, 0).to_owned(), field(line, 2).parse().ok()?)));
            pairs.chain([("root".to_owned(), 0)]).collect()
        };
        Self { users: ids(passwd), groups: ids(group) }
    }
}

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
