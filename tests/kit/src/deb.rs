//! Binary packages (deb(5)), honest or hostile.
//!
//! The layout is dpkg-deb's: `debian-binary`, `control.tar.*`, `data.tar.*`; GNU tar members named
//! `./path`, each folder before what is in it; `md5sums` of all files but conffiles. Written from
//! deb(5) and tar(5), without the code that the product reads packages with.

mod pack;

use crate::EPOCH;
use dmc_types::UnixTime;
use std::fmt::Write as _;

/// How the tar members of a package are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `.xz`, Debian's default.
    Xz,
    /// `.gz`.
    Gz,
    /// `.zst`, Ubuntu's default.
    Zst,
    /// None: `data.tar`.
    None,
}

impl Compression {
    /// What the member's name ends in.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Xz => ".xz",
            Self::Gz => ".gz",
            Self::Zst => ".zst",
            Self::None => "",
        }
    }

    /// Compresses bytes.
    pub fn pack(self, bytes: &[u8]) -> Vec<u8> {
        pack::compress(self, bytes)
    }
}

/// What a member of the data archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file.
    File(Vec<u8>),
    /// A regular file of this many zero bytes, which are never held in memory.
    Zeros(u64),
    /// A folder.
    Directory,
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
    /// A hard link with the name of its target as it stands in the tar, such as `./usr/bin/x`.
    Hardlink(Vec<u8>),
    /// A character device with its major and minor number.
    Device(u32, u32),
    /// Any type flag of tar(5), with its link name and contents.
    Raw(u8, Vec<u8>, Vec<u8>),
}

/// A member of the data archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name as it stands in the tar: `./usr/bin/x`, or something that no package should hold.
    pub name: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Modification time, if it is not the package's.
    pub time: Option<UnixTime>,
    /// What it is.
    pub kind: MemberKind,
}

impl Member {
    /// A member of root's with this name and these permissions.
    pub fn new(name: impl AsRef<[u8]>, mode: u32, kind: MemberKind) -> Self {
        Self { name: name.as_ref().to_vec(), mode, uid: 0, gid: 0, time: None, kind }
    }

    /// The same member with another owner.
    #[must_use]
    pub fn owned_by(self, uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..self }
    }

    /// The same member with another time.
    #[must_use]
    pub fn at(self, time: UnixTime) -> Self {
        Self { time: Some(time), ..self }
    }
}

/// Builds one package. Equal settings give equal bytes.
#[derive(Debug, Clone)]
pub struct DebBuilder {
    package: String,
    version: String,
    architecture: String,
    fields: Vec<(String, String)>,
    members: Vec<Member>,
    links: Vec<Member>,
    scripts: Vec<(String, Vec<u8>)>,
    conffiles: Vec<String>,
    time: UnixTime,
    compression: Compression,
    control_name: Option<String>,
    data_name: Option<String>,
    extra: Vec<(String, Vec<u8>)>,
    parents: bool,
}

impl DebBuilder {
    /// A package without files. `architecture` is Debian's name, or `all`.
    pub fn new(package: &str, version: &str, architecture: &str) -> Self {
        Self {
            package: package.to_owned(),
            version: version.to_owned(),
            architecture: architecture.to_owned(),
            fields: Vec::new(),
            members: Vec::new(),
            links: Vec::new(),
            scripts: Vec::new(),
            conffiles: Vec::new(),
            time: EPOCH,
            compression: Compression::Xz,
            control_name: None,
            data_name: None,
            extra: Vec::new(),
            parents: true,
        }
    }

    /// Adds a control field such as `Depends`, `Source` or `Multi-Arch`.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a file of root's with mode 0644. `path` begins with `/`.
    #[must_use]
    pub fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        let kind = MemberKind::File(bytes.as_ref().to_vec());
        self.member(Member::new(dotted(path), 0o644, kind))
    }

    /// Adds a file of root's with mode 0755.
    #[must_use]
    pub fn executable(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        let kind = MemberKind::File(bytes.as_ref().to_vec());
        self.member(Member::new(dotted(path), 0o755, kind))
    }

    /// Adds a file of `size` zero bytes: a bomb when it is large.
    #[must_use]
    pub fn zeros(self, path: &str, size: u64) -> Self {
        self.member(Member::new(dotted(path), 0o644, MemberKind::Zeros(size)))
    }

    /// Adds a folder of root's with mode 0755. Folders above other members need not be added.
    #[must_use]
    pub fn dir(self, path: &str) -> Self {
        self.member(Member::new(dotted(path) + "/", 0o755, MemberKind::Directory))
    }

    /// Adds a symbolic link. Such links come after all other members, as dpkg-deb writes them.
    #[must_use]
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        let kind = MemberKind::Symlink(target.into());
        self.links.push(Member::new(dotted(path), 0o777, kind));
        self
    }

    /// Adds a hard link to another file of the package, by that file's path.
    #[must_use]
    pub fn hardlink(self, path: &str, target: &str) -> Self {
        let kind = MemberKind::Hardlink(dotted(target).into());
        self.member(Member::new(dotted(path), 0o644, kind))
    }

    /// Adds any member, in the order of adding: other owners and modes, or a name, link or device that is not allowed.
    #[must_use]
    pub fn member(mut self, member: Member) -> Self {
        self.members.push(member);
        self
    }

    /// Adds a maintainer script or another file of the control archive (`triggers`, `shlibs`).
    #[must_use]
    pub fn script(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.scripts.push((name.to_owned(), text.as_ref().to_vec()));
        self
    }

    /// Adds a configuration file with mode 0644, listed in `conffiles`.
    #[must_use]
    pub fn conffile(mut self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.conffiles.push(path.to_owned());
        self.file(path, bytes)
    }

    /// Sets the time of all members that have none of their own.
    #[must_use]
    pub fn time(mut self, time: UnixTime) -> Self {
        self.time = time;
        self
    }

    /// Sets the compression of both tar members.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Hostile: names the control member otherwise, whatever its compression is.
    #[must_use]
    pub fn control_name(mut self, name: &str) -> Self {
        self.control_name = Some(name.to_owned());
        self
    }

    /// Hostile: names the data member otherwise, whatever its compression is.
    #[must_use]
    pub fn data_name(mut self, name: &str) -> Self {
        self.data_name = Some(name.to_owned());
        self
    }

    /// Adds a member to the outer ar, after the data. Names that begin with `_` are to be ignored
    /// by readers (deb(5)), others not.
    #[must_use]
    pub fn ar_member(mut self, name: &str, bytes: &[u8]) -> Self {
        self.extra.push((name.to_owned(), bytes.to_vec()));
        self
    }

    /// Hostile: writes no folder but those that were added.
    #[must_use]
    pub fn without_parents(mut self) -> Self {
        self.parents = false;
        self
    }

    /// `Package`.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// `Version`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The same package in another version.
    #[must_use]
    pub fn at_version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// `Architecture`, which may be `all`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The value of a field that was added.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Maintainer scripts and other files of the control archive that were added.
    pub fn scripts(&self) -> impl Iterator<Item = &[u8]> {
        self.scripts.iter().map(|(_, text)| text.as_slice())
    }

    /// The control paragraph with one final newline.
    pub fn control(&self) -> String {
        let mut text = format!(
            "Package: {}\nVersion: {}\nArchitecture: {}\n",
            self.package, self.version, self.architecture
        );
        let size: usize = self.members.iter().map(content).map(<[u8]>::len).sum();
        let installed = size.div_ceil(1024).to_string();
        let defaults = [
            ("Maintainer", "Test Kit <kit@example.org>"),
            ("Installed-Size", installed.as_str()),
            ("Section", "misc"),
            ("Priority", "optional"),
            ("Description", "made for a test"),
        ];
        let missing = defaults.into_iter().filter(|(name, _)| self.get(name).is_none());
        let given = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in given.chain(missing) {
            writeln!(text, "{name}: {value}").expect("a String takes all");
        }
        text
    }

    /// Where the package is in its archive: `pool/main/n/nginx/nginx_1.26.3-3_amd64.deb`.
    pub fn pool_path(&self, component: &str) -> String {
        let source = self.get("Source").unwrap_or(&self.package);
        let source = source.split(' ').next().unwrap_or(source);
        let prefix = source.len().min(if source.starts_with("lib") { 4 } else { 1 });
        let version = self.version.split_once(':').map_or(&*self.version, |(_, rest)| rest);
        let (package, arch) = (&self.package, &self.architecture);
        format!("pool/{component}/{}/{source}/{package}_{version}_{arch}.deb", &source[..prefix])
    }

    /// Paths of files and links, relative to the root, as `Contents` lists them.
    pub fn contents(&self) -> Vec<String> {
        let members = self.members.iter().chain(&self.links);
        let listed = members.filter(|member| member.kind != MemberKind::Directory);
        let text = listed.map(|member| String::from_utf8_lossy(&member.name).into_owned());
        text.map(|name| name.strip_prefix("./").map(str::to_owned).unwrap_or(name)).collect()
    }

    /// The package's bytes.
    pub fn build(&self) -> Vec<u8> {
        pack::deb(self)
    }
}

fn dotted(path: &str) -> String {
    assert!(path.starts_with('/'), "`{path}` should begin with `/`; for other names use member()");
    format!(".{path}")
}

fn content(member: &Member) -> &[u8] {
    match &member.kind {
        MemberKind::File(bytes) | MemberKind::Raw(_, _, bytes) => bytes,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn sample() -> DebBuilder {
        DebBuilder::new("libx1t64", "1:2.0-1", "amd64")
            .field("Source", "libx (1:2.0-1)")
            .field("Depends", "libc6")
            .executable("/usr/bin/x", "program")
            .file(&format!("/usr/share/{}", "long/".repeat(30) + "name"), "text")
            .hardlink("/usr/bin/y", "/usr/bin/x")
            .symlink("/usr/lib/libx.so.1", "libx.so.1.2")
            .conffile("/etc/x.conf", "a=1\n")
            .script("postinst", "#!/bin/sh\n")
    }

    #[test]
    fn dpkg_reads_every_compression_where_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.deb");
        for compression in [Compression::Xz, Compression::Gz, Compression::Zst, Compression::None] {
            std::fs::write(&path, sample().compression(compression).build()).unwrap();
            let run = |arguments: &[&str]| {
                let out = Command::new("dpkg-deb")
                    .env("TZ", "UTC")
                    .args(arguments)
                    .arg(&path)
                    .output()
                    .ok()?;
                assert!(out.status.success(), "{compression:?}: {out:?}");
                Some(String::from_utf8(out.stdout).unwrap())
            };
            let Some(control) = run(&["-f"]) else { return };
            assert_eq!(control, sample().control());
            let list = run(&["-c"]).unwrap();
            for wanted in [
                "-rwxr-xr-x root/root         7 2025-09-01 12:00 ./usr/bin/x\n",
                "drwxr-xr-x root/root         0 2025-09-01 12:00 ./usr/lib/\n",
                "./usr/bin/y link to ./usr/bin/x\n",
                "./usr/lib/libx.so.1 -> libx.so.1.2\n",
                "/long/name\n",
            ] {
                assert!(list.contains(wanted), "no {wanted} in {list}");
            }
            let parts = run(&["-I"]).unwrap();
            assert!(parts.contains("conffiles") && parts.contains("postinst"), "{parts}");
        }
    }

    #[test]
    fn pool_paths_follow_the_source() {
        for (deb, wanted) in [
            (sample(), "pool/main/libx/libx/libx1t64_2.0-1_amd64.deb"),
            (DebBuilder::new("nginx", "1-1", "all"), "pool/main/n/nginx/nginx_1-1_all.deb"),
        ] {
            assert_eq!(deb.pool_path("main"), wanted);
        }
    }

    #[test]
    fn equal_settings_give_equal_bytes() {
        assert_eq!(sample().build(), sample().build());
        assert_ne!(sample().build(), sample().time(EPOCH + 1).build());
    }

    #[test]
    fn bombs_are_small_until_they_are_read() {
        let bomb = sample().zeros("/bomb", 64 << 20).compression(Compression::Zst).build();
        assert!(bomb.len() < 100_000);
    }
}
