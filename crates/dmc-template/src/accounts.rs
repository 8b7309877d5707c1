//! Who `www-data` is: names of users and groups to numbers.
//!
//! A template names its own users and those that it takes from base-passwd's master files. The
//! latter's numbers are the same on every Debian machine for ever (Debian Policy 9.2.2, "0-99:
//! globally allocated"), so they are known here without the files; those stay the source of all
//! that goes into the image. Other names are defined by packages, which are not at hand here:
//! their numbers follow from the names.

use crate::family::Family;
use crate::schema::{GroupEntry, UserEntry};
use crate::words::{Id, LoginName, LoginPath, OwnerText};
use crate::{Group, Owner, TemplateError, User, nearest};
use dmc_types::system_ids;
use std::collections::{BTreeMap, BTreeSet};

/// base-passwd's users: name, number, own group's number.
const USERS: [(&str, u32, u32); 18] = [
    ("root", 0, 0),
    ("daemon", 1, 1),
    ("bin", 2, 2),
    ("sys", 3, 3),
    ("sync", 4, 65534),
    ("games", 5, 60),
    ("man", 6, 12),
    ("lp", 7, 7),
    ("mail", 8, 8),
    ("news", 9, 9),
    ("uucp", 10, 10),
    ("proxy", 13, 13),
    ("www-data", 33, 33),
    ("backup", 34, 34),
    ("list", 38, 38),
    ("irc", 39, 39),
    ("_apt", 42, 65534),
    ("nobody", 65534, 65534),
];

/// base-passwd's groups: name and number.
#[rustfmt::skip]
const GROUPS: [(&str, u32); 38] = [
    ("root", 0), ("daemon", 1), ("bin", 2), ("sys", 3), ("adm", 4), ("tty", 5), ("disk", 6),
    ("lp", 7), ("mail", 8), ("news", 9), ("uucp", 10), ("man", 12), ("proxy", 13), ("kmem", 15),
    ("dialout", 20), ("fax", 21), ("voice", 22), ("cdrom", 24), ("floppy", 25), ("tape", 26),
    ("sudo", 27), ("audio", 29), ("dip", 30), ("www-data", 33), ("backup", 34), ("operator", 37),
    ("list", 38), ("irc", 39), ("src", 40), ("shadow", 42), ("utmp", 43), ("video", 44),
    ("sasl", 45), ("plugdev", 46), ("staff", 50), ("games", 60), ("users", 100),
    ("nogroup", 65534),
];

/// The users and groups that a template may name.
pub(crate) struct Accounts {
    /// The template's own users.
    pub(crate) users: Vec<User>,
    /// The template's own groups.
    pub(crate) groups: Vec<Group>,
    /// Names that packages define, with their numbers.
    pub(crate) packaged: BTreeMap<String, u32>,
    /// Names to numbers, base-passwd's among them.
    user_ids: BTreeMap<String, Owner>,
    group_ids: BTreeMap<String, u32>,
}

impl Accounts {
    /// Joins what the parts of a template say of users and groups.
    pub(crate) fn join(family: &Family<'_>) -> Result<Self, TemplateError> {
        let mut book = Book { family, users: BTreeMap::new(), groups: BTreeMap::new() };
        let wanted = family.append(|part| &part.file.accounts);
        let others = book.take_masters(&wanted)?;
        let entries = family.settle_list(
            |name| format!("user `{name}`"),
            |part| &part.file.users,
            |user| &user.name,
        )?;
        let packaged = book.take_packaged(&others, &entries)?;
        for user in entries.values() {
            book.add_user(user.name.as_str(), own_ids(user))?;
        }
        let groups = book.own_groups(&entries)?;
        let (mut user_ids, mut group_ids) = (book.users, book.groups);
        // To the kernel root is root, whether passwd says so or not.
        user_ids.entry("root".to_owned()).or_default();
        group_ids.entry("root".to_owned()).or_default();
        let users = entries.into_values().map(own_user).collect();
        Ok(Self { users, groups, packaged, user_ids, group_ids })
    }

    /// The numbers of an owner that `what` names.
    pub(crate) fn owner(
        &self,
        family: &Family<'_>,
        what: &str,
        text: &OwnerText,
    ) -> Result<Owner, TemplateError> {
        let (uid, own) = match &text.user {
            // A number's own group is its user's, or, as in engines, root's.
            Id::Number(uid) => (*uid, self.user_ids.values().find(|owner| owner.uid == *uid)),
            Id::Name(name) => {
                let owner = find(family, what, name, &self.user_ids)?;
                (owner.uid, Some(owner))
            }
        };
        let gid = match &text.group {
            None => own.map_or(0, |owner| owner.gid),
            Some(Id::Number(gid)) => *gid,
            Some(Id::Name(name)) => *find(family, what, name, &self.group_ids)?,
        };
        Ok(Owner { uid, gid })
    }
}

fn find<'a, T>(
    family: &Family<'_>,
    what: &str,
    name: &LoginName,
    ids: &'a BTreeMap<String, T>,
) -> Result<&'a T, TemplateError> {
    ids.get(name.as_str()).ok_or_else(|| TemplateError::UnknownAccount {
        template: family.name().clone(),
        what: what.to_owned(),
        name: name.to_string(),
        nearest: nearest(name.as_str(), ids.keys().map(String::as_str)).map(str::to_owned),
    })
}

/// Names and numbers as they are taken in; each name has one number and each number one name.
struct Book<'a> {
    family: &'a Family<'a>,
    users: BTreeMap<String, Owner>,
    groups: BTreeMap<String, u32>,
}

impl Book<'_> {
    /// Takes base-passwd's users and groups; returns the names that are none of these.
    fn take_masters(&mut self, wanted: &[String]) -> Result<Vec<LoginName>, TemplateError> {
        let all = wanted.iter().any(|name| name == "*");
        let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
        for (name, uid, gid) in USERS {
            if all || wanted.contains(name) {
                self.users.insert(name.to_owned(), Owner { uid, gid });
            }
        }
        for (name, gid) in GROUPS {
            let own = self.users.values().any(|owner| owner.gid == gid);
            if all || own || wanted.contains(name) {
                self.groups.insert(name.to_owned(), gid);
            }
        }
        let known = || USERS.iter().map(|row| row.0).chain(GROUPS.iter().map(|row| row.0));
        let others =
            wanted.into_iter().filter(|name| *name != "*" && !known().any(|it| it == *name));
        let unknown = |name: &str| TemplateError::UnknownAccount {
            template: self.family.name().clone(),
            what: "`accounts`".to_owned(),
            name: name.to_owned(),
            nearest: nearest(name, known()).map(str::to_owned),
        };
        let login = |name: &str| LoginName::try_from(name.to_owned()).ok();
        others.map(|name| login(name).ok_or_else(|| unknown(name))).collect()
    }

    /// Gives the names that packages define their numbers; those that `[[users]]` or
    /// `[[user_groups]]` fix are the template's own.
    fn take_packaged(
        &mut self,
        names: &[LoginName],
        users: &BTreeMap<&LoginName, &UserEntry>,
    ) -> Result<BTreeMap<String, u32>, TemplateError> {
        let listed: Vec<&GroupEntry> =
            self.family.parts.iter().flat_map(|part| &part.file.user_groups).collect();
        let fixed = |name: &LoginName| {
            users.contains_key(name) || listed.iter().any(|group| group.name == *name)
        };
        let owners = self.users.values().copied().chain(users.values().map(|user| own_ids(user)));
        let taken = owners.flat_map(|owner| [owner.uid, owner.gid]);
        let taken = taken.chain(self.groups.values().copied());
        let taken = taken.chain(listed.iter().map(|group| group.gid)).collect();
        let names = names.iter().filter(|name| !fixed(name)).map(LoginName::as_str);
        let ids = system_ids(names, &taken);
        for (name, id) in &ids {
            self.add_user(name, Owner { uid: *id, gid: *id })?;
            self.add_group(name, *id)?;
        }
        Ok(ids)
    }

    fn add_user(&mut self, name: &str, owner: Owner) -> Result<(), TemplateError> {
        let same = |(other, has): &(&String, &Owner)| *other == name || has.uid == owner.uid;
        if let Some((other, has)) = self.users.iter().find(same) {
            let first = format!("user {other} ({})", has.uid);
            return Err(self.clash(first, format!("user {name} ({})", owner.uid)));
        }
        self.users.insert(name.to_owned(), owner);
        Ok(())
    }

    fn add_group(&mut self, name: &str, gid: u32) -> Result<(), TemplateError> {
        let same = |(other, has): &(&String, &u32)| *other == name || **has == gid;
        if let Some((other, has)) = self.groups.iter().find(same) {
            let first = format!("group {other} ({has})");
            return Err(self.clash(first, format!("group {name} ({gid})")));
        }
        self.groups.insert(name.to_owned(), gid);
        Ok(())
    }

    fn clash(&self, first: String, second: String) -> TemplateError {
        TemplateError::AccountClash { template: self.family.name().clone(), first, second }
    }

    /// The template's own groups: those it lists, each user's own where no other has that number,
    /// and base-passwd's that a user joins.
    fn own_groups(
        &mut self,
        users: &BTreeMap<&LoginName, &UserEntry>,
    ) -> Result<Vec<Group>, TemplateError> {
        let masters = self.groups.clone();
        let listed = self.family.settle_list(
            |name| format!("group `{name}`"),
            |part| &part.file.user_groups,
            |group| &group.name,
        )?;
        for group in listed.values() {
            self.add_group(group.name.as_str(), group.gid)?;
        }
        for user in users.values() {
            let gid = own_ids(user).gid;
            if !self.groups.values().any(|has| *has == gid) {
                self.add_group(user.name.as_str(), gid)?;
            }
        }
        let mut members: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for user in users.values() {
            for group in &user.groups {
                find(self.family, &format!("user `{}`", user.name), group, &self.groups)?;
                members.entry(group.as_str()).or_default().push(user.name.to_string());
            }
        }
        let ours = |name: &str| !masters.contains_key(name) || members.contains_key(name);
        let own = self.groups.iter().filter(|(name, _)| ours(name));
        Ok(own
            .map(|(name, gid)| Group {
                name: name.clone(),
                gid: *gid,
                members: members.get(name.as_str()).cloned().unwrap_or_default(),
            })
            .collect())
    }
}

fn own_user(user: &UserEntry) -> User {
    let or = |path: &Option<LoginPath>, missing: &str| {
        path.as_ref().map_or(missing, LoginPath::as_str).to_owned()
    };
    User {
        name: user.name.to_string(),
        owner: own_ids(user),
        gecos: user.gecos.as_ref().map_or_else(String::new, ToString::to_string),
        home: or(&user.home, "/nonexistent"),
        shell: or(&user.shell, "/usr/sbin/nologin"),
    }
}

fn own_ids(user: &UserEntry) -> Owner {
    Owner { uid: user.uid, gid: user.gid.unwrap_or(user.uid) }
}
