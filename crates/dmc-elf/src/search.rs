//! Where the dynamic loader looks for a library.
//!
//! Follows ld.so(8) as glibc does it in an image: no `LD_LIBRARY_PATH`, no preloading, nothing
//! setuid. For a name without a slash: `DT_RPATH` of the object that needs it and then of those
//! that loaded it, up to the program (all of them only where that object has no `DT_RUNPATH`);
//! its own `DT_RUNPATH`; folders of ld.so.conf, which reach the loader through ld.so.cache; the
//! default folders of Debian's glibc. A name with a slash is a path and is not looked for.
//!
//! Only names are worked out here. Whether a candidate exists, is a link, or is for another
//! machine (the loader passes over those) is for the caller to see, as is glibc's habit of taking
//! an object that is already loaded when its `DT_SONAME` equals the name.

use dmc_types::{Arch, ElfFacts, ImagePath};

/// An object in memory, as the loader sees it.
#[derive(Debug, Clone, Copy)]
pub struct Loaded<'a> {
    /// Its file, links resolved: `$ORIGIN` is the folder that this is in.
    pub path: &'a ImagePath,
    /// What its dynamic section says.
    pub facts: &'a ElfFacts,
}

/// The circumstances of one search.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The machine that the image is for.
    pub arch: Arch,
    /// The object that needs the library, the one that loaded that object, and so on up to the
    /// program. An empty chain leaves the extra and the default folders.
    pub chain: &'a [Loaded<'a>],
    /// Folders of ld.so.conf and ld.so.conf.d, in order.
    pub extra: &'a [ImagePath],
}

/// Paths at which the loader finds `name` on any machine of the architecture, in the order in
/// which it tries them, each once, in merged-/usr spelling.
///
/// Empty where the name is a relative path: those depend on the working folder.
pub fn candidates(name: &str, search: &Search) -> Vec<ImagePath> {
    if name.contains('/') {
        let own = search.chain.first().map(|object| object.path);
        return expand(name, own, search.arch).map(|path| path.merged_usr()).into_iter().collect();
    }
    if name.is_empty() {
        return Vec::new();
    }
    folders(search).iter().filter_map(|folder| folder.join(name).ok()).collect()
}

/// Paths at which a machine with a newer processor finds a better build of `name`
/// (`glibc-hwcaps/LEVEL/`, ld.so(8)), in the loader's order.
///
/// They come on top of [`candidates`] and never in their place: an image must run on the
/// architecture's baseline.
pub fn hwcaps_candidates(name: &str, search: &Search) -> Vec<ImagePath> {
    if name.contains('/') {
        return Vec::new();
    }
    let mut paths = Vec::new();
    for folder in folders(search) {
        for level in hwcaps(search.arch) {
            paths.extend(folder.join(format!("glibc-hwcaps/{level}/{name}")));
        }
    }
    paths
}

/// The folders that the loader searches for a name without a slash, in order, each once, in
/// merged-/usr spelling.
///
/// Relative and empty items of RPATH and RUNPATH mean the working folder, and are left out.
pub fn folders(search: &Search) -> Vec<ImagePath> {
    let mut found = Vec::new();
    let mut add = |folder: ImagePath| {
        let folder = folder.merged_usr();
        if !found.contains(&folder) {
            found.push(folder);
        }
    };
    let expanded = |object: &Loaded, items: &[String]| -> Vec<ImagePath> {
        items.iter().filter_map(|item| expand(item, Some(object.path), search.arch)).collect()
    };
    let needing = search.chain.first();
    if needing.is_none_or(|object| object.facts.runpath.is_empty()) {
        for object in search.chain {
            expanded(object, &object.facts.rpath).into_iter().for_each(&mut add);
        }
    }
    if let Some(object) = needing {
        expanded(object, &object.facts.runpath).into_iter().for_each(&mut add);
    }
    let defaults = default_folders(search.arch);
    let no_default_lib = needing.is_some_and(|object| object.facts.no_default_lib);
    // DF_1_NODEFLIB bars the default folders from ld.so.cache as well.
    let barred = |folder: &ImagePath| no_default_lib && defaults.contains(&folder.merged_usr());
    search.extra.iter().filter(|folder| !barred(folder)).cloned().for_each(&mut add);
    if !no_default_lib {
        defaults.into_iter().for_each(&mut add);
    }
    found
}

/// The folders built into Debian's glibc (`ld.so --help`): `/lib/TRIPLET`, `/usr/lib/TRIPLET`,
/// `/lib`, `/usr/lib`. Under merged-/usr they are two.
pub fn default_folders(arch: Arch) -> Vec<ImagePath> {
    let own = format!("/usr/lib/{}", arch.triplet());
    [own.as_str(), "/usr/lib"].into_iter().filter_map(|path| ImagePath::parse(path).ok()).collect()
}

/// Names of `glibc-hwcaps` folders, the most demanding first (sysdeps/*/dl-hwcaps-subdirs.c).
fn hwcaps(arch: Arch) -> &'static [&'static str] {
    match arch {
        Arch::Amd64 => &["x86-64-v4", "x86-64-v3", "x86-64-v2"],
        Arch::Ppc64el => &["power10", "power9"],
        Arch::S390x => &["z17", "z16", "z15", "z14", "z13"],
        _ => &[],
    }
}

/// What `$PLATFORM` stands for, where every machine of the architecture says the same in
/// `AT_PLATFORM` (getauxval(3)).
fn platform(arch: Arch) -> Option<&'static str> {
    match arch {
        Arch::Amd64 => Some("x86_64"),
        Arch::Arm64 => Some("aarch64"),
        _ => None,
    }
}

/// Puts `$ORIGIN`, `$LIB` and `$PLATFORM` in their places (ld.so(8), "Dynamic string tokens") and
/// works out `..` by name. None for what is relative or cannot be known.
fn expand(item: &str, origin: Option<&ImagePath>, arch: Arch) -> Option<ImagePath> {
    let mut text: Vec<u8> = Vec::with_capacity(item.len());
    let mut rest = item;
    while let Some(at) = rest.find('$') {
        text.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = token(rest, "ORIGIN") {
            // Without its slash at the root, as another follows.
            let folder = origin?.merged_usr().parent()?;
            text.extend_from_slice(if folder.is_root() { b"" } else { folder.as_bytes() });
            rest = after;
        } else if let Some(after) = token(rest, "LIB") {
            text.extend_from_slice(arch.dst_lib().as_bytes());
            rest = after;
        } else if let Some(after) = token(rest, "PLATFORM") {
            text.extend_from_slice(platform(arch)?.as_bytes());
            rest = after;
        } else {
            text.push(b'$');
        }
    }
    text.extend_from_slice(rest.as_bytes());
    // A lone `$ORIGIN` of an object in the root folder is the root.
    if text.is_empty() && !item.is_empty() {
        return Some(ImagePath::root());
    }
    if !text.starts_with(b"/") {
        return None;
    }
    ImagePath::root().link_target(&text).ok()
}

/// What follows the token `name` or `{name}`, if `text` begins with one. As in glibc a plain
/// token ends where an identifier would.
fn token<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    if let Some(inner) = text.strip_prefix('{') {
        return inner.strip_prefix(name)?.strip_prefix('}');
    }
    let after = text.strip_prefix(name)?;
    let goes_on = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (!goes_on).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ImagePath {
        ImagePath::parse(text).unwrap()
    }

    fn facts(rpath: &[&str], runpath: &[&str]) -> ElfFacts {
        let owned = |items: &[&str]| items.iter().map(ToString::to_string).collect();
        ElfFacts {
            rpath: owned(rpath),
            runpath: owned(runpath),
            ..ElfFacts::new(Arch::Amd64.elf())
        }
    }

    /// Candidates for `x.so` of a library /usr/lib/a/lib.so that /opt/p/bin/prog loaded.
    fn found(name: &str, library: &ElfFacts, program: &ElfFacts, extra: &[&str]) -> Vec<String> {
        let (library_path, program_path) = (path("/lib/a/lib.so"), path("/opt/p/bin/prog"));
        let chain = [
            Loaded { path: &library_path, facts: library },
            Loaded { path: &program_path, facts: program },
        ];
        let extra: Vec<ImagePath> = extra.iter().map(|folder| path(folder)).collect();
        let search = Search { arch: Arch::Amd64, chain: &chain, extra: &extra };
        candidates(name, &search).iter().map(ToString::to_string).collect()
    }

    const TRIPLET: &str = "/usr/lib/x86_64-linux-gnu/x.so";
    const PLAIN: &str = "/usr/lib/x.so";

    /// What is shown; facts of the library and of its loader; ld.so.conf; candidates.
    type Row = (&'static str, ElfFacts, ElfFacts, &'static [&'static str], &'static [&'static str]);

    #[test]
    fn folders_are_searched_in_the_order_of_ld_so() {
        let none = facts(&[], &[]);
        let rows: [Row; 7] = [
            ("defaults, merged", none.clone(), none.clone(), &[], &[TRIPLET, PLAIN]),
            (
                "own RPATH, then the loader's",
                facts(&["/own"], &[]),
                facts(&["/progs"], &[]),
                &[],
                &["/own/x.so", "/progs/x.so", TRIPLET, PLAIN],
            ),
            (
                "RUNPATH silences every RPATH of the chain",
                facts(&[], &["/run"]),
                facts(&["/progs"], &[]),
                &[],
                &["/run/x.so", TRIPLET, PLAIN],
            ),
            (
                "RUNPATH of the program is not for its libraries",
                none.clone(),
                facts(&[], &["/run"]),
                &[],
                &[TRIPLET, PLAIN],
            ),
            (
                "the cache's folders before the defaults",
                facts(&[], &["/run"]),
                none.clone(),
                &["/usr/local/lib", "/lib/x86_64-linux-gnu"],
                &["/run/x.so", "/usr/local/lib/x.so", TRIPLET, PLAIN],
            ),
            (
                "working folders are left out",
                facts(&["", "lib", ".", "/own/"], &[]),
                none.clone(),
                &[],
                &["/own/x.so", TRIPLET, PLAIN],
            ),
            (
                "DF_1_NODEFLIB bars the defaults, in the cache too",
                ElfFacts { no_default_lib: true, ..none.clone() },
                none.clone(),
                &["/usr/local/lib", "/lib/x86_64-linux-gnu"],
                &["/usr/local/lib/x.so"],
            ),
        ];
        for (what, library, program, extra, wanted) in rows {
            assert_eq!(found("x.so", &library, &program, extra), wanted, "{what}");
        }
    }

    #[test]
    fn tokens_stand_for_folders() {
        for (item, wanted) in [
            ("$ORIGIN", Some("/usr/lib/a")),
            ("${ORIGIN}/sub", Some("/usr/lib/a/sub")),
            ("$ORIGIN/../b", Some("/usr/lib/b")),
            ("$ORIGIN/../../../../..", Some("/")),
            ("/opt/$LIB", Some("/opt/lib/x86_64-linux-gnu")),
            ("/opt/${LIB}/$PLATFORM", Some("/opt/lib/x86_64-linux-gnu/x86_64")),
            ("/opt/$LIBX", Some("/opt/$LIBX")),
            ("/opt/${LIB", Some("/opt/${LIB")),
            ("/opt/$", Some("/opt/$")),
            ("", None),
            ("$LIB", None),
        ] {
            let expanded = expand(item, Some(&path("/lib/a/lib.so")), Arch::Amd64);
            assert_eq!(expanded, wanted.map(path), "{item}");
        }
        assert_eq!(expand("/x/$PLATFORM", None, Arch::Armhf), None);
        assert_eq!(expand("$ORIGIN/x", None, Arch::Amd64), None);
        assert_eq!(expand("$ORIGIN", Some(&path("/init")), Arch::Amd64), Some(path("/")));
        assert_eq!(expand("$ORIGIN/lib", Some(&path("/init")), Arch::Amd64), Some(path("/lib")));
    }

    #[test]
    fn each_object_expands_its_own_origin() {
        let both = facts(&["$ORIGIN/lib"], &[]);
        let wanted = ["/usr/lib/a/lib/x.so", "/opt/p/bin/lib/x.so", TRIPLET, PLAIN];
        assert_eq!(found("x.so", &both, &both, &[]), wanted);
    }

    #[test]
    fn a_name_with_a_slash_is_a_path() {
        let rpath = facts(&["/own"], &[]);
        for (name, wanted) in [
            ("/lib/y/x.so", Some("/usr/lib/y/x.so")),
            ("$ORIGIN/x.so", Some("/usr/lib/a/x.so")),
            ("./x.so", None),
            ("sub/x.so", None),
        ] {
            let wanted: Vec<&str> = wanted.into_iter().collect();
            assert_eq!(found(name, &rpath, &rpath, &[]), wanted, "{name}");
        }
    }

    #[test]
    fn newer_processors_have_folders_beside_each() {
        let owner = facts(&["/own"], &[]);
        let program = path("/usr/bin/p");
        let chain = [Loaded { path: &program, facts: &owner }];
        let search = |arch| Search { arch, chain: &chain, extra: &[] };
        let paths = hwcaps_candidates("x.so", &search(Arch::Amd64));
        assert_eq!(paths.len(), 9);
        assert_eq!(paths[0], path("/own/glibc-hwcaps/x86-64-v4/x.so"));
        assert_eq!(paths[5], path("/usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v2/x.so"));
        assert!(hwcaps_candidates("x.so", &search(Arch::Arm64)).is_empty());
        assert!(hwcaps_candidates("/y/x.so", &search(Arch::Amd64)).is_empty());
    }

    #[test]
    fn names_that_make_no_path_have_no_candidates() {
        let none = facts(&[], &[]);
        for name in ["", "..", ".", "a\0b"] {
            assert!(found(name, &none, &none, &[]).is_empty(), "{name:?}");
        }
    }
}
