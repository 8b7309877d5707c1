//! Links, interpreters, rights, accounts, and what the image's configuration runs.

use crate::report::{Counts, Problem, Report, Severity};
use crate::subject::{Item, ItemKind, Subject};
use crate::tables::{self, Account, Tables};
use dmc_types::{ImagePath, Nature, Shebang};
use std::collections::BTreeSet;

/// Checks everything but symbols, and counts.
pub(crate) fn check(subject: &Subject, tables: &Tables, report: &mut Report) {
    for (path, item) in &subject.items {
        count(item, &mut report.counts);
        rights(path, item, report);
        match &item.kind {
            ItemKind::Symlink(target) => link(subject, tables, path, target, report),
            ItemKind::File { nature, .. } => interpreter(subject, path, item, nature, report),
            ItemKind::Directory => {}
        }
    }
    start(subject, report);
    for (path, text) in &subject.texts {
        for account in tables.account.iter().filter(|table| tables::any(&table.files, path)) {
            accounts(subject, account, path, text, report);
        }
    }
}

fn count(item: &Item, counts: &mut Counts) {
    let ItemKind::File { size, nature } = item.kind else { return };
    counts.files += 1;
    counts.bytes = counts.bytes.saturating_add(size);
    match nature {
        Nature::Elf(_) | Nature::BrokenElf(_) => counts.elf += 1,
        Nature::Script(_) if item.mode & 0o111 != 0 => counts.scripts += 1,
        Nature::Script(_) | Nature::Data => {}
    }
    counts.setuid += usize::from(item.mode & 0o6000 != 0);
}

fn rights(path: &ImagePath, item: &Item, report: &mut Report) {
    if matches!(item.kind, ItemKind::Symlink(_)) {
        return;
    }
    let is_folder = matches!(item.kind, ItemKind::Directory);
    if item.mode & 0o6000 != 0 && !is_folder {
        report.add(Severity::Error, Problem::Setuid { path: path.clone() });
    }
    // In a sticky folder nobody can touch another's files.
    if item.mode & 0o002 != 0 && !(is_folder && item.mode & 0o1000 != 0) {
        report.add(Severity::Warning, Problem::Writable { path: path.clone() });
    }
}

fn link(subject: &Subject, tables: &Tables, path: &ImagePath, target: &[u8], report: &mut Report) {
    let Err(missing) = subject.follow(path) else { return };
    let written = path.link_target(target).unwrap_or_else(|_too_long| path.clone());
    let expected =
        [&missing, &written].into_iter().any(|to| tables::any(&tables.links.targets, to));
    if !expected && !tables::any(&tables.links.ignore, path) {
        report.add(Severity::Warning, Problem::Link { link: path.clone(), target: missing });
    }
}

/// The program that runs a file must itself be there and be executable.
fn interpreter(
    subject: &Subject,
    path: &ImagePath,
    item: &Item,
    nature: &Nature,
    report: &mut Report,
) {
    let mut lacking = |interpreter: &[u8]| {
        let interpreter = String::from_utf8_lossy(interpreter).into_owned();
        report.add(Severity::Error, Problem::Interpreter { file: path.clone(), interpreter });
    };
    match nature {
        Nature::Elf(facts) if facts.ident == subject.arch.elf() && facts.soname.is_none() => {
            if let Some(interp) = &facts.interp
                && !is_executable(subject, interp.as_bytes())
            {
                lacking(interp.as_bytes());
            }
        }
        // Without the bit it is not run but read, by a program that knows it.
        Nature::Script(shebang) if item.mode & 0o111 != 0 => {
            if !is_executable(subject, &shebang.interpreter) {
                lacking(&shebang.interpreter);
            } else if let Some(program) = env_program(shebang)
                && subject.program(&program).is_none_or(|(_, item)| item.mode & 0o111 == 0)
            {
                lacking(program.as_bytes());
            }
        }
        _ => {}
    }
}

fn is_executable(subject: &Subject, path: &[u8]) -> bool {
    let found = ImagePath::parse(path).ok().and_then(|path| subject.find(&path));
    found.is_some_and(|(_, item)| {
        item.mode & 0o111 != 0 && matches!(item.kind, ItemKind::File { .. })
    })
}

/// The program that a script's `env` starts (env(1), with `-S` or without).
fn env_program(shebang: &Shebang) -> Option<String> {
    if ImagePath::parse(&shebang.interpreter).ok()?.file_name() != b"env" {
        return None;
    }
    let argument = String::from_utf8_lossy(shebang.argument.as_deref()?).into_owned();
    let words = argument.strip_prefix("-S").unwrap_or(&argument).split_ascii_whitespace();
    words.map(str::to_owned).find(|word| !word.starts_with('-') && !word.contains('='))
}

fn start(subject: &Subject, report: &mut Report) {
    let start = &subject.start;
    let main = [("entrypoint", start.entrypoint), ("cmd", start.cmd)];
    // Where there is an entrypoint, cmd holds its arguments.
    let main = main.into_iter().find(|(_, words)| !words.is_empty());
    for (key, words) in main.into_iter().chain([("healthcheck", start.healthcheck)]) {
        if let Some(word) = words.first()
            && let Some(why) = unfit(subject, word)
        {
            report.add(Severity::Error, Problem::Program { key, program: word.clone(), why });
        }
    }
    let workdir = start.workdir.into_iter().map(|path| ("workdir", path));
    for (key, path) in workdir.chain(start.volumes.iter().map(|path| ("volumes", path))) {
        let found = subject.find(path).map(|(_, item)| &item.kind);
        if !matches!(found, Some(ItemKind::Directory)) && !path.is_root() {
            // Engines make it, as root's.
            report.add(Severity::Warning, Problem::Folder { key, path: path.clone() });
        }
    }
}

/// Why the image's user cannot run a program.
fn unfit(subject: &Subject, word: &str) -> Option<&'static str> {
    let Some((path, item)) = subject.program(word) else {
        return Some("which is not in the image");
    };
    let user = subject.start.user;
    let through =
        |above: &ImagePath| subject.items.get(above).is_none_or(|folder| folder.lets_through(user));
    match (&item.kind, item.nature()) {
        (ItemKind::File { .. }, _) if !item.lets_through(user) => {
            Some("which the image's user may not execute")
        }
        (ItemKind::File { .. }, _) if !path.ancestors().iter().all(through) => {
            Some("which lies in a folder that is closed to the image's user")
        }
        (ItemKind::File { .. }, Some(Nature::Elf(facts))) if facts.ident != subject.arch.elf() => {
            Some("which is for another machine")
        }
        (ItemKind::File { .. }, Some(Nature::Elf(_) | Nature::Script(_))) => None,
        (ItemKind::File { .. }, _) => Some("which is neither an ELF file nor a script"),
        _ => Some("which is no file"),
    }
}

fn accounts(subject: &Subject, table: &Account, path: &ImagePath, text: &str, report: &mut Report) {
    // Only root can become somebody else; programs started otherwise pass over such lines.
    let severity = if subject.start.is_root() { Severity::Error } else { Severity::Warning };
    let defined = |file: &str| -> BTreeSet<&str> {
        let text = ImagePath::parse(file).ok().and_then(|path| subject.texts.get(&path));
        let lines = text.map(String::as_str).unwrap_or_default().lines();
        lines.filter_map(|line| line.split(':').next()).collect()
    };
    let (users, groups) = (defined("/etc/passwd"), defined("/etc/group"));
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        let named = table.lines.iter().find_map(|pattern| matched(pattern, line));
        for (kind, name) in named.into_iter().flatten() {
            let known = if kind == "user" { &users } else { &groups };
            if !known.contains(&*name) {
                let (file, line) = (path.clone(), number + 1);
                report.add(severity, Problem::Account { file, line, kind, name });
            }
        }
    }
}

/// The names in a line, if it is as the pattern says. Numbers and variables are no names.
fn matched(pattern: &str, line: &str) -> Option<Vec<(&'static str, String)>> {
    let mut names = Vec::new();
    let mut words = words(line).into_iter();
    for wanted in self::words(pattern) {
        let word = words.next()?;
        let kind = match wanted.as_str() {
            "{user}" => "user",
            "{group}" => "group",
            _ if wanted == word => continue,
            _ => return None,
        };
        let name = word.trim_matches(['"', '\'']);
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let number = name.chars().all(|c| c.is_ascii_digit());
        if !number && name.chars().all(plain) {
            names.push((kind, name.to_owned()));
        }
    }
    Some(names)
}

/// Words of a line; `=` and `;` are words of their own.
fn words(line: &str) -> Vec<String> {
    let apart = line.replace('=', " = ").replace(';', " ; ");
    apart.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_users_as_their_pattern_says() {
        for (pattern, line, wanted) in [
            ("user {user};", "  user www-data;", Some(vec![("user", "www-data")])),
            ("user {user} {group};", "user a b; # c", Some(vec![("user", "a"), ("group", "b")])),
            ("user {user};", "user_id x;", None),
            ("user {user};", "user", None),
            ("user = {user}", "user=mysql", Some(vec![("user", "mysql")])),
            ("user = {user}", "user = \"mysql\"", Some(vec![("user", "mysql")])),
            ("user = {user}", "user = 1000", Some(vec![])),
            ("user = {user}", "user = $USER", Some(vec![])),
            ("User={user}", "User=%i", Some(vec![])),
        ] {
            let found = matched(pattern, line);
            let found = found.as_ref().map(|names| {
                names.iter().map(|(kind, name)| (*kind, name.as_str())).collect::<Vec<_>>()
            });
            assert_eq!(found, wanted, "{pattern} {line}");
        }
    }
}
