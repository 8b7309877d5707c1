//! Users and groups that packages define: sysusers.d(5), and adduser(8), addgroup, useradd(8),
//! groupadd, usermod and gpasswd in maintainer scripts.
//!
//! Only forms that are fully known count: an unknown option, or a word that only a running system
//! could tell, leaves the statement uncovered. A package's own sysusers.d comes before its scripts;
//! of several definitions of one name the first stands.

use crate::fields;
use crate::scripts::{self, Grammar};
use dmc_types::{Entry, EntryKind, ImagePath, PackageFacts};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Where packages keep sysusers.d files.
const SYSUSERS: &str = "/usr/lib/sysusers.d";
/// Longest configuration file that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// Programs that define users and groups.
const PROGRAMS: [&str; 6] = ["adduser", "addgroup", "useradd", "groupadd", "usermod", "gpasswd"];

/// A user that a package defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemUser {
    /// Its number, where the package fixes it.
    pub id: Option<u32>,
    /// Its primary group by name or number, where that is not a group of its own.
    pub group: Option<String>,
    /// Full name or comment.
    pub gecos: String,
    /// Home folder.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// Where it is defined: package, file and line.
    pub origin: String,
}

/// A group that a package defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemGroup {
    /// Its number, where the package fixes it.
    pub id: Option<u32>,
    /// Where it is defined: package, file and line.
    pub origin: String,
}

/// All users and groups that some packages define.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SystemAccounts {
    /// Users by name.
    pub users: BTreeMap<String, SystemUser>,
    /// Groups by name; those of users that have one of their own are among them.
    pub groups: BTreeMap<String, SystemGroup>,
    /// User and group for each further membership.
    pub members: BTreeSet<(String, String)>,
}

impl SystemAccounts {
    /// Gathers what packages define, in their order. `read` gives the contents of a file.
    pub fn gather<'a, E>(
        packages: impl IntoIterator<Item = &'a PackageFacts>,
        mut read: impl FnMut(&PackageFacts, &Entry) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let mut all = Self::default();
        for package in packages {
            for entry in configuration(package, SYSUSERS) {
                all.sysusers(package, &entry.path, &read(package, entry)?);
            }
            all.scripts(package);
        }
        Ok(all)
    }

    fn sysusers(&mut self, package: &PackageFacts, path: &ImagePath, text: &[u8]) {
        for (line, fields) in fields::lines(text, 6) {
            let origin = format!("package {}, {path}, line {line}", package.package);
            let field = |at: usize| fields.get(at).map(String::as_str).filter(|it| *it != "-");
            let (Some(kind), Some(name)) = (field(0), field(1)) else { continue };
            match kind {
                "u" | "u!" if is_name(name) => {
                    let (id, group) = numbers(field(2));
                    let user = SystemUser {
                        id,
                        group: group.filter(|group| group != name),
                        gecos: plain(field(3).unwrap_or_default()),
                        home: plain(field(4).unwrap_or("/")),
                        shell: plain(field(5).unwrap_or("/usr/sbin/nologin")),
                        origin,
                    };
                    self.user(name, user);
                }
                "g" if is_name(name) => self.group(name, numbers(field(2)).0, origin),
                "m" => {
                    if let Some(group) = field(2).filter(|group| is_name(group) && is_name(name)) {
                        self.members.insert((name.to_owned(), group.to_owned()));
                        self.group(group, None, origin);
                    }
                }
                _ => {}
            }
        }
    }

    fn scripts(&mut self, package: &PackageFacts) {
        for script in scripts::at_installation(package) {
            let text = String::from_utf8_lossy(script.bytes);
            if !PROGRAMS.iter().any(|program| text.contains(program)) {
                continue;
            }
            let (runs, _) = script.follow(package, &Grammar::default());
            for run in runs.iter().filter(|run| run.reached) {
                let origin =
                    format!("package {}, {}, line {}", package.package, script.name, run.line);
                for defined in defined(&run.words).into_iter().flatten() {
                    self.define(defined, &origin);
                }
            }
        }
    }

    fn define(&mut self, defined: Defined, origin: &str) {
        match defined {
            Defined::User(name, user) => {
                self.user(&name, SystemUser { origin: origin.to_owned(), ..user });
            }
            Defined::Group(name, id) => self.group(&name, id, origin.to_owned()),
            Defined::Member(user, group) => drop(self.members.insert((user, group))),
        }
    }

    fn user(&mut self, name: &str, user: SystemUser) {
        if user.group.is_none() {
            self.group(name, user.id, user.origin.clone());
        }
        self.users.entry(name.to_owned()).or_insert(user);
    }

    fn group(&mut self, name: &str, id: Option<u32>, origin: String) {
        self.groups.entry(name.to_owned()).or_insert(SystemGroup { id, origin });
    }
}

/// A package's configuration files in a folder, by name.
pub(crate) fn configuration<'a>(package: &'a PackageFacts, folder: &str) -> Vec<&'a Entry> {
    let mut found: Vec<&Entry> = package
        .entries
        .iter()
        .filter(|entry| matches!(&entry.kind, EntryKind::File(file) if file.size <= LONGEST))
        .filter(|entry| entry.path.as_bytes().ends_with(b".conf"))
        .filter(|entry| {
            let above = entry.path.merged_usr().parent();
            above.is_some_and(|above| above.as_bytes() == folder.as_bytes())
        })
        .collect();
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// `-`, `123`, `123:group`, `-:group`, or a path, whose owner is not asked.
fn numbers(text: Option<&str>) -> (Option<u32>, Option<String>) {
    let Some(text) = text else { return (None, None) };
    match text.split_once(':') {
        Some((id, group)) => (id.parse().ok(), Some(group.to_owned())),
        None => (text.parse().ok(), None),
    }
}

/// Text for a field of passwd(5).
fn plain(text: &str) -> String {
    text.chars().filter(|c| *c != ':' && !c.is_control()).collect()
}

/// A name as Debian's tools take it at most (`--allow-bad-names`).
fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && !name.starts_with(['-', '+'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.+".contains(&b))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Defined {
    User(String, SystemUser),
    Group(String, Option<u32>),
    Member(String, String),
}

/// Options of a call, and its other words.
struct Call<'a> {
    options: BTreeMap<&'a str, &'a str>,
    names: Vec<&'a str>,
}

/// Options with a value, and those without, by the name that they go by here.
type Known = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const ADDUSER: Known = (
    &[
        ("--uid", "id"),
        ("--gid", "gid"),
        ("--ingroup", "ingroup"),
        ("--home", "home"),
        ("--shell", "shell"),
        ("--gecos", "gecos"),
        ("--comment", "gecos"),
        ("--conf", ""),
        ("--firstuid", ""),
        ("--lastuid", ""),
        ("--firstgid", ""),
        ("--lastgid", ""),
    ],
    &[
        "--system",
        "--group",
        "--quiet",
        "--no-create-home",
        "--disabled-login",
        "--disabled-password",
        "--force-badname",
        "--allow-badname",
        "--allow-bad-names",
        "--allow-all-names",
        "--verbose",
        "--debug",
    ],
);
const USERADD: Known = (
    &[
        ("-u", "id"),
        ("--uid", "id"),
        ("-g", "ingroup"),
        ("--gid", "ingroup"),
        ("-d", "home"),
        ("--home-dir", "home"),
        ("--home", "home"),
        ("-s", "shell"),
        ("--shell", "shell"),
        ("-c", "gecos"),
        ("--comment", "gecos"),
        ("-G", "more"),
        ("--groups", "more"),
        ("-K", ""),
        ("--key", ""),
        ("-b", ""),
        ("-p", ""),
        ("--password", ""),
    ],
    &[
        "-r",
        "--system",
        "-M",
        "--no-create-home",
        "-m",
        "--create-home",
        "-U",
        "--user-group",
        "-N",
        "--no-user-group",
        "-o",
        "--non-unique",
        "-l",
        "--no-log-init",
    ],
);
const GROUPADD: Known = (
    &[("-g", "id"), ("--gid", "id"), ("-K", ""), ("--key", "")],
    &["-r", "--system", "-f", "--force", "-o", "--non-unique"],
);
const USERMOD: Known =
    (&[("-G", "more"), ("--groups", "more"), ("-aG", "more")], &["-a", "--append"]);
const GPASSWD: Known = (&[("-a", "user"), ("--add", "user")], &["-Q"]);

/// What a statement defines; none where it is no such statement or not fully known.
pub(crate) fn defined(words: &[Option<Rc<str>>]) -> Option<Vec<Defined>> {
    let program = words.first()?.as_deref()?.rsplit('/').next()?;
    if !PROGRAMS.contains(&program) {
        return None;
    }
    let words: Vec<&str> = words.iter().map(Option::as_deref).collect::<Option<_>>()?;
    let known = match program {
        "adduser" | "addgroup" => ADDUSER,
        "useradd" => USERADD,
        "groupadd" => GROUPADD,
        "usermod" => USERMOD,
        _ => GPASSWD,
    };
    let call = Call::read(&words[1..], &known)?;
    if !call.names.iter().all(|name| is_name(name)) {
        return None;
    }
    call.defines(program)
}

impl<'a> Call<'a> {
    fn read(words: &[&'a str], (valued, flags): &Known) -> Option<Self> {
        let mut call = Self { options: BTreeMap::new(), names: Vec::new() };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) if word.starts_with("--") => (option, Some(value)),
                _ => (word, None),
            };
            if let Some((_, name)) = valued.iter().find(|(known, _)| *known == option) {
                let value = value.or_else(|| words.next())?;
                call.options.insert(name, value);
            } else if let Some(flag) = flags.iter().find(|flag| **flag == word) {
                call.options.insert(flag, "");
            } else if word.starts_with('-') {
                return None;
            } else {
                call.names.push(word);
            }
        }
        Some(call)
    }

    fn has(&self, option: &str) -> bool {
        self.options.contains_key(option)
    }

    fn defines(&self, program: &str) -> Option<Vec<Defined>> {
        let id = self.options.get("id").map(|id| id.parse()).transpose().ok()?;
        let owned = |text: &str| text.to_owned();
        match (program, &*self.names) {
            ("adduser" | "addgroup", [user, group]) => {
                Some(vec![Defined::Member(owned(user), owned(group))])
            }
            ("addgroup", [name]) => {
                let id = id.or(self.options.get("gid").and_then(|gid| gid.parse().ok()));
                Some(vec![Defined::Group(owned(name), id)])
            }
            // `adduser --group` makes a group alone, `adduser --system --group` both.
            ("adduser", [name]) if self.has("--group") && !self.has("--system") => {
                Some(vec![Defined::Group(owned(name), id)])
            }
            ("adduser", [name]) => {
                let own = self.has("--group") || !self.has("--system");
                let group = self.options.get("ingroup").or(self.options.get("gid"));
                let group = group.copied().or((!own).then_some("nogroup"));
                Some(vec![self.user(name, id, group)])
            }
            ("useradd", [name]) => {
                let user = self.user(name, id, self.options.get("ingroup").copied());
                Some([user].into_iter().chain(self.memberships(name)).collect())
            }
            ("groupadd", [name]) => Some(vec![Defined::Group(owned(name), id)]),
            ("usermod", [name]) if self.has("more") => Some(self.memberships(name)),
            ("gpasswd", [group]) => {
                let user = self.options.get("user").filter(|user| is_name(user))?;
                Some(vec![Defined::Member(owned(user), owned(group))])
            }
            _ => None,
        }
    }

    fn user(&self, name: &str, id: Option<u32>, group: Option<&str>) -> Defined {
        let or = |option: &str, missing: &str| {
            plain(self.options.get(option).copied().unwrap_or(missing))
        };
        let user = SystemUser {
            id,
            group: group.filter(|group| *group != name).map(str::to_owned),
            gecos: or("gecos", ""),
            home: or("home", "/nonexistent"),
            shell: or("shell", "/usr/sbin/nologin"),
            origin: String::new(),
        };
        Defined::User(name.to_owned(), user)
    }

    fn memberships(&self, name: &str) -> Vec<Defined> {
        let groups = self.options.get("more").copied().unwrap_or_default().split(',');
        let groups = groups.filter(|group| is_name(group));
        groups.map(|group| Defined::Member(name.to_owned(), group.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests;
