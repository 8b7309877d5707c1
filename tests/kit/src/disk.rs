//! A disk that is full, or a program that is killed, at one of the program's own changes to files.
//!
//! The moments are counted, not timed: with every number in turn, each change that a program makes
//! is the one at which something happens. See `c/disk.c` for how.

use std::path::Path;
use std::process::Command;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: the changes are only counted.
    None,
    /// From this change on there is no space left.
    FullFrom(usize),
    /// There is no space for this change alone.
    FullOnce(usize),
    /// The program is killed before this change.
    KilledAt(usize),
}

/// A command to which the program and its arguments are added. It ends as the program ends, with
/// code 137 where that was killed, and writes the number of changes below `folder` to `report`.
pub fn command(folder: &Path, fate: Fate, report: &Path) -> Command {
    let (word, number) = match fate {
        Fate::None => ("none", 0),
        Fate::FullFrom(number) => ("full", number),
        Fate::FullOnce(number) => ("once", number),
        Fate::KilledAt(number) => ("kill", number),
    };
    let mut command = Command::new(concat!(env!("OUT_DIR"), "/disk"));
    command.arg(folder).arg(word).arg(number.to_string()).arg(report);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn each_change_is_counted_and_the_wanted_one_is_struck() {
        for (fate, code, wanted) in [
            (Fate::None, 0, Some("one\ntwo\n")),
            (Fate::FullFrom(1), 2, None),
            (Fate::FullFrom(3), 1, Some("one\n")),
            (Fate::FullOnce(2), 0, Some("two\n")),
            (Fate::KilledAt(3), 137, Some("one\n")),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (file, report) = (folder.path().join("file"), folder.path().join("report"));
            let script = "exec > \"$1\"; echo one 2> /dev/null; echo two 2> /dev/null";
            let mut command = command(folder.path(), fate, &report);
            let done = command.args(["sh", "-c", script, "sh"]).arg(&file).status().unwrap();
            assert_eq!(done.code(), Some(code), "{fate:?}");
            assert_eq!(fs::read_to_string(&file).ok().as_deref(), wanted, "{fate:?}");
            let count: usize = fs::read_to_string(&report).unwrap().trim().parse().unwrap();
            assert!(count == 3 || wanted != Some("one\ntwo\n"), "{fate:?}: {count}");
        }
    }
}
