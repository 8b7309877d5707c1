//! The tree of one image, as the checks see it.

use dmc_types::{Arch, ImagePath, Nature};
use std::collections::BTreeMap;

/// Most links followed in one look-up (`MAXSYMLINKS` of Linux).
const MOST_LINKS: usize = 40;

/// One architecture's image.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The machine that it is for.
    pub arch: Arch,
    /// Every file, link and folder, by its path in the image. Another name of a file is that file
    /// again.
    pub items: BTreeMap<&'a ImagePath, Item<'a>>,
    /// How the image starts.
    pub start: Start<'a>,
    /// The texts of the files that [`crate::Tables::reads`].
    pub texts: BTreeMap<&'a ImagePath, String>,
}

/// A file, link or folder.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// What it is.
    pub kind: ItemKind<'a>,
    /// Files that are the reason for it being here.
    pub wanted_by: Vec<&'a ImagePath>,
}

/// What an item is.
#[derive(Debug, Clone)]
pub enum ItemKind<'a> {
    /// A folder.
    Directory,
    /// A symbolic link with its target as written.
    Symlink(&'a [u8]),
    /// A regular file.
    File {
        /// Length in bytes.
        size: u64,
        /// What its first bytes say.
        nature: &'a Nature,
    },
}

/// What the image's configuration says of running it.
#[derive(Debug, Clone, Default)]
pub struct Start<'a> {
    /// `Entrypoint`; empty for none.
    pub entrypoint: &'a [String],
    /// `Cmd`; empty for none.
    pub cmd: &'a [String],
    /// The health check's program and arguments; empty for none.
    pub healthcheck: &'a [String],
    /// `User`: user and group.
    pub user: (u32, u32),
    /// `WorkingDir`.
    pub workdir: Option<&'a ImagePath>,
    /// `Volumes`.
    pub volumes: &'a [ImagePath],
    /// Environment variables.
    pub environment: BTreeMap<&'a str, &'a str>,
}

/// Where programs are sought if the image does not say: what engines set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Start<'_> {
    /// The folders of `PATH`; relative ones, which depend on the working folder, are left out.
    pub(crate) fn path(&self) -> impl Iterator<Item = ImagePath> + '_ {
        let path = self.environment.get("PATH").copied().unwrap_or(DEFAULT_PATH);
        path.split(':').filter_map(|folder| ImagePath::parse(folder).ok())
    }

    /// Whether it runs as root.
    pub(crate) fn is_root(&self) -> bool {
        self.user.0 == 0
    }
}

impl<'a> Subject<'a> {
    /// What a path leads to, all links on the way followed as the kernel does.
    pub(crate) fn find(&self, path: &ImagePath) -> Option<(&'a ImagePath, &Item<'a>)> {
        self.follow(path).ok()
    }

    /// The same; an error is the path at which nothing is, or `path` for a ring of links.
    pub(crate) fn follow(&self, path: &ImagePath) -> Result<(&'a ImagePath, &Item<'a>), ImagePath> {
        let mut path = path.clone();
        for _ in 0..MOST_LINKS {
            let Some(led) = self.first_link(&path) else {
                let found = self.items.get_key_value(&path);
                return found.map(|(path, item)| (*path, item)).ok_or(path);
            };
            path = led?;
        }
        Err(path)
    }

    /// Where the whole path leads after following the first link on its way.
    fn first_link(&self, path: &ImagePath) -> Option<Result<ImagePath, ImagePath>> {
        let bytes = path.as_bytes();
        let ends = bytes.iter().enumerate().skip(1).filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        for end in ends.chain([bytes.len()]) {
            let Ok(at) = ImagePath::parse(&bytes[..end]) else { continue };
            let Some(ItemKind::Symlink(target)) = self.items.get(&at).map(|item| &item.kind) else {
                continue;
            };
            let led = at.link_target(target).and_then(|led| {
                if end == bytes.len() { Ok(led) } else { led.join(&bytes[end + 1..]) }
            });
            return Some(led.map_err(|_too_long| path.clone()));
        }
        None
    }

    /// The program that a word names, as execvp(3) seeks it.
    pub(crate) fn program(&self, word: &str) -> Option<(&'a ImagePath, &Item<'a>)> {
        if !word.contains('/') {
            let mut folders = self.start.path();
            return folders.find_map(|folder| self.find(&folder.join(word).ok()?));
        }
        if word.starts_with('/') {
            return self.find(&ImagePath::root().link_target(word.as_bytes()).ok()?);
        }
        let workdir = self.start.workdir.cloned().unwrap_or_else(ImagePath::root);
        self.find(&workdir.join("x").ok()?.link_target(word.as_bytes()).ok()?)
    }
}

impl Item<'_> {
    /// Whether the image's user may execute it (a file) or pass through it (a folder).
    pub(crate) fn lets_through(&self, user: (u32, u32)) -> bool {
        let bits = match user {
            (0, _) => 0o111,
            (uid, _) if uid == self.uid => 0o100,
            (_, gid) if gid == self.gid => 0o010,
            _ => 0o001,
        };
        // Root passes through any folder.
        self.mode & bits != 0 || (user.0 == 0 && matches!(self.kind, ItemKind::Directory))
    }

    /// What its first bytes say, for a regular file.
    pub(crate) fn nature(&self) -> Option<&Nature> {
        match self.kind {
            ItemKind::File { nature, .. } => Some(nature),
            ItemKind::Directory | ItemKind::Symlink(_) => None,
        }
    }
}
