//! Whether templates lie in a git repository, and whether that holds what is committed.
//!
//! git(1) itself is asked: what counts as changed depends on its configuration. It is told neither
//! to run monitors nor to write anything. What is ignored is no part of a commit either, and
//! counts as a change where it lies among the templates, but for `private.d/`: that is meant to be
//! ignored. Templates that a repository ignores as a whole are in none.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// How templates stand to commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Worktree {
    /// They are in no repository.
    None,
    /// They are as committed.
    Clean {
        /// The commit's short hash, where all else in the repository is as committed, too.
        commit: Option<String>,
    },
    /// They are not as committed.
    Changed {
        /// One file or folder that is not.
        path: String,
    },
    /// It cannot be told.
    Unknown {
        /// Why.
        why: String,
    },
}

/// The places that templates lie in; each is looked at once a run.
#[derive(Debug, Default)]
pub(crate) struct Worktrees(Mutex<BTreeMap<Utf8PathBuf, Worktree>>);

impl Worktrees {
    /// Looks at the folders of templates.
    pub(crate) fn of<'a>(&self, templates: impl IntoIterator<Item = &'a Utf8Path>) -> Worktree {
        let looked = places(templates).into_iter().map(|place| {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(place).or_insert_with_key(|place| of_place(place)).clone()
        });
        looked.fold(Worktree::None, Worktree::and)
    }
}

/// All templates of a place are looked at: what one of them says may be another's tomorrow.
fn places<'a>(templates: impl IntoIterator<Item = &'a Utf8Path>) -> BTreeSet<Utf8PathBuf> {
    let place =
        |folder: &Utf8Path| folder.canonicalize_utf8().ok()?.parent().map(Utf8Path::to_owned);
    templates.into_iter().filter(|it| it.is_dir()).filter_map(place).collect()
}

impl Worktree {
    /// Of two places.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, other) | (other, Self::None) => other,
            (unsure @ Self::Unknown { .. }, _) | (_, unsure @ Self::Unknown { .. }) => unsure,
            (changed @ Self::Changed { .. }, _) | (_, changed @ Self::Changed { .. }) => changed,
            (Self::Clean { commit: one }, Self::Clean { commit: other }) => {
                // Two repositories have no hash in common.
                Self::Clean { commit: one.filter(|one| other.as_ref() == Some(one)) }
            }
        }
    }
}

fn of_place(place: &Utf8Path) -> Worktree {
    let Some(root) = place.ancestors().find(|folder| folder.join(".git").exists()) else {
        return Worktree::None;
    };
    let args = ["status", "--porcelain=v1", "-z", "--no-renames", "--ignored=matching"];
    let status = match git(root, &args) {
        Ok(status) => status,
        Err(why) => return Worktree::Unknown { why },
    };
    let below = place.strip_prefix(root).unwrap_or(Utf8Path::new(""));
    match judge(&status, below) {
        Standing::Outside => Worktree::None,
        Standing::Changed(path) => Worktree::Changed { path: root.join(path).into_string() },
        Standing::Clean { elsewhere: true } => Worktree::Clean { commit: None },
        Standing::Clean { elsewhere: false } => {
            let hash = git(root, &["rev-parse", "--short", "HEAD"]).ok();
            let hash = hash.map(|hash| hash.trim().to_owned());
            let commit = hash.filter(|hash| {
                (4..=64).contains(&hash.len()) && hash.bytes().all(|b| b.is_ascii_hexdigit())
            });
            Worktree::Clean { commit }
        }
    }
}

/// What a status says of one folder.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// The repository ignores it.
    Outside,
    Changed(Utf8PathBuf),
    /// It is as committed; something `elsewhere` may not be.
    Clean {
        elsewhere: bool,
    },
}

/// Reads a status: two letters, a space, a path from the root, NUL.
fn judge(status: &str, below: &Utf8Path) -> Standing {
    let mut elsewhere = false;
    let mut changed = None;
    for line in status.split_terminator('\0') {
        let (Some(kind), Some(path)) = (line.get(..2), line.get(3..)) else { continue };
        let path = Utf8Path::new(path);
        // A folder that is wholly ignored or new is named alone.
        let (inside, around) = (path.starts_with(below), below.starts_with(path));
        match kind {
            "!!" if around => return Standing::Outside,
            "!!" if !inside || is_private(path) => {}
            _ if inside || around => drop(changed.get_or_insert_with(|| path.to_owned())),
            _ => elsewhere = true,
        }
    }
    changed.map_or(Standing::Clean { elsewhere }, Standing::Changed)
}

fn is_private(path: &Utf8Path) -> bool {
    path.components().any(|part| part == Utf8Component::Normal("private.d"))
}

fn git(root: &Utf8Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    // A hook that runs dmc has these set for another repository, or another state of this one.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    let output = command
        .args(["--no-optional-locks", "-c", "core.fsmonitor=false", "-C", root.as_str()])
        .args(args)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("git says: {}", said.lines().next().unwrap_or("nothing")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_status_is_read_as_git_writes_it() {
        let clean = |elsewhere| Standing::Clean { elsewhere };
        let changed = |path: &str| Standing::Changed(path.into());
        for (summary, status, wanted) in [
            ("nothing", "", clean(false)),
            ("another file", " M src/main.rs\0", clean(true)),
            ("a folder with a like name", "?? templates2/\0", clean(true)),
            (
                "a changed template",
                " M src/a\0 M templates/x/template.toml\0",
                changed("templates/x/template.toml"),
            ),
            ("a new one", "?? templates/x/\0", changed("templates/x/")),
            (
                "a staged one",
                "A  templates/x/template.toml\0",
                changed("templates/x/template.toml"),
            ),
            ("the whole place is new", "?? templates/\0", changed("templates/")),
            ("the whole place is ignored", "!! templates/\0", Standing::Outside),
            ("ignored files elsewhere", "!! target/\0", clean(false)),
            ("private files", "!! templates/x/private.d/\0", clean(false)),
            (
                "ignored files among them",
                "!! templates/x/files/a\0",
                changed("templates/x/files/a"),
            ),
            ("a name with a line break", " M templates/a\nb\0", changed("templates/a\nb")),
            ("something short", "x\0", clean(false)),
        ] {
            assert_eq!(judge(status, Utf8Path::new("templates")), wanted, "{summary}");
        }
    }

    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new() -> Self {
            let it = Self(tempfile::tempdir().unwrap());
            it.git(&["init", "-q"]);
            it.write("templates/x/template.toml", "x");
            it.write("README", "x");
            it.write(".gitignore", "private.d/\n*.bak\n");
            it
        }

        fn root(&self) -> &Utf8Path {
            Utf8Path::from_path(self.0.path()).unwrap()
        }

        fn git(&self, args: &[&str]) -> String {
            let who = ["-c", "user.name=x", "-c", "user.email=x@localhost"];
            git(self.root(), &[who.as_slice(), args].concat()).unwrap()
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.root().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn commit(&self) {
            self.git(&["add", "-A"]);
            self.git(&["commit", "-q", "-m", "x"]);
        }

        fn look(&self) -> Worktree {
            Worktrees::default().of([self.root().join("templates/x").as_path()])
        }

        fn changed(&self, name: &str) -> Worktree {
            let root = self.root().canonicalize_utf8().unwrap();
            Worktree::Changed { path: root.join(name).into_string() }
        }
    }

    #[test]
    fn a_real_repository_is_clean_changed_or_silent() {
        let it = Repository::new();
        assert_eq!(it.look(), it.changed("templates/"), "nothing is committed");
        it.commit();
        let short = it.git(&["rev-parse", "--short", "HEAD"]).trim().to_owned();
        assert_eq!(it.look(), Worktree::Clean { commit: Some(short.clone()) });
        it.write("templates/x/private.d/etc/secret", "x");
        assert_eq!(it.look(), Worktree::Clean { commit: Some(short) }, "private files");
        it.write("README", "y");
        assert_eq!(it.look(), Worktree::Clean { commit: None }, "a change elsewhere");
        it.write("templates/x/files/a.bak", "x");
        assert_eq!(it.look(), it.changed("templates/x/files/a.bak"), "an ignored file");
        fs::remove_dir_all(it.root().join("templates/x/files")).unwrap();
        it.write("templates/y/template.toml", "x");
        assert_eq!(it.look(), it.changed("templates/y/"), "a new template");
        it.commit();
        it.write("templates/x/template.toml", "y");
        assert_eq!(it.look(), it.changed("templates/x/template.toml"), "a change");
        it.write(".gitignore", "templates/\n");
        it.git(&["rm", "-r", "-q", "--cached", "templates"]);
        it.commit();
        assert_eq!(it.look(), Worktree::None, "ignored as a whole");
    }

    #[test]
    fn what_is_no_repository_is_none_and_a_broken_one_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let place = Utf8Path::from_path(folder.path()).unwrap().join("templates/x");
        assert_eq!(Worktrees::default().of([place.as_path()]), Worktree::None, "built in");
        fs::create_dir_all(&place).unwrap();
        assert_eq!(Worktrees::default().of([place.as_path()]), Worktree::None);
        fs::write(folder.path().join(".git"), "nonsense").unwrap();
        let Worktree::Unknown { why } = Worktrees::default().of([place.as_path()]) else {
            panic!()
        };
        assert!(why.starts_with("git says: fatal"), "{why}");
    }

    #[test]
    fn two_places_are_as_good_as_the_worse() {
        let clean = |commit: &str| Worktree::Clean { commit: Some(commit.to_owned()) };
        let changed = Worktree::Changed { path: "x".to_owned() };
        let unknown = Worktree::Unknown { why: "x".to_owned() };
        for (one, other, wanted) in [
            (Worktree::None, clean("a"), clean("a")),
            (clean("a"), clean("a"), clean("a")),
            (clean("a"), clean("b"), Worktree::Clean { commit: None }),
            (clean("a"), changed.clone(), changed.clone()),
            (changed, unknown.clone(), unknown),
        ] {
            assert_eq!(one.clone().and(other.clone()), wanted);
            assert_eq!(other.and(one), wanted);
        }
    }
}
