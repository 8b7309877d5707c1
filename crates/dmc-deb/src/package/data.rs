//! `data.tar`: the files of a package.

use super::{DebError, Limits, Member, MemberKind, Sink};
use dmc_types::{ImagePath, PathError, UnixTime};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read};
use tar::EntryType;

/// Longest name of a file in its folder (`NAME_MAX` of Linux).
const LONGEST_NAME: usize = 255;

/// Hands each member to the sink.
pub(super) fn read(
    tar: &mut dyn Read,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<(), DebError> {
    let damaged = |source| damaged(limits, source);
    let mut seen = Seen::default();
    let mut contents = Vec::new();
    for entry in tar::Archive::new(tar).entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let member = member(&mut entry, limits)?;
        seen.admit(&member)?;
        contents.clear();
        if member.kind == MemberKind::File {
            fill(&mut contents, &mut entry).map_err(damaged)?;
        }
        sink.entry(member, &contents).map_err(|source| DebError::Sink { source })?;
    }
    Ok(())
}

fn damaged(limits: &Limits, source: io::Error) -> DebError {
    DebError::reading("data.tar", limits.unpacked, source)
}

type Entry<'a, 'b> = tar::Entry<'a, &'b mut dyn Read>;

/// Reads a file whole; its size has been checked against the limits.
fn fill(contents: &mut Vec<u8>, entry: &mut Entry<'_, '_>) -> io::Result<()> {
    let size = usize::try_from(entry.size()).ok().ok_or(io::ErrorKind::FileTooLarge)?;
    contents.reserve_exact(size);
    if entry.read_to_end(contents)? == size {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn member(entry: &mut Entry<'_, '_>, limits: &Limits) -> Result<Member, DebError> {
    let name = entry.path_bytes().into_owned();
    let path = checked(&name)?;
    let sparse = is_pax_sparse(entry).map_err(|source| damaged(limits, source))?;
    let kind = if sparse { special(&path, "a sparse file") } else { kind(entry, &name, &path) }?;
    if entry.size() > limits.unpacked {
        return Err(DebError::TooLarge { member: "data.tar", limit: limits.unpacked });
    }
    if entry.size() > 0 && kind != MemberKind::File {
        return Err(DebError::BadNumber { path, field: "size" });
    }
    let header = entry.header();
    let absurd = |field| DebError::BadNumber { path: path.clone(), field };
    let mode = header.mode().ok().ok_or_else(|| absurd("mode"))? & 0o7777;
    let number = |value: io::Result<u64>| value.ok().and_then(|id| u32::try_from(id).ok());
    let uid = number(header.uid()).ok_or_else(|| absurd("owner"))?;
    let gid = number(header.gid()).ok_or_else(|| absurd("group"))?;
    let time = header.mtime().ok().and_then(|time| UnixTime::try_from(time).ok());
    let time = time.ok_or_else(|| absurd("time"))?;
    Ok(Member { path, mode, uid, gid, time, kind })
}

fn special(path: &ImagePath, what: &'static str) -> Result<MemberKind, DebError> {
    Err(DebError::Special { path: path.clone(), what })
}

fn kind(entry: &Entry<'_, '_>, name: &[u8], path: &ImagePath) -> Result<MemberKind, DebError> {
    let target = || entry.link_name_bytes().map(Cow::into_owned).unwrap_or_default();
    Ok(match entry.header().entry_type() {
        EntryType::Regular if name.ends_with(b"/") => {
            return Err(bad_path(name, "a file's name ends in a slash"));
        }
        EntryType::Regular => MemberKind::File,
        EntryType::Directory => MemberKind::Directory,
        EntryType::Symlink => MemberKind::Symlink(symlink_target(target())?),
        EntryType::Link => MemberKind::Hardlink(checked(&target())?),
        EntryType::Char | EntryType::Block => return special(path, "a device node"),
        EntryType::Fifo => return special(path, "a named pipe"),
        EntryType::GNUSparse => return special(path, "a sparse file"),
        _ => return special(path, "of a kind that tar does not say"),
    })
}

/// Sparse files of the PAX kind pass for regular ones but for their keys.
fn is_pax_sparse(entry: &mut Entry<'_, '_>) -> io::Result<bool> {
    let Some(extensions) = entry.pax_extensions()? else { return Ok(false) };
    for extension in extensions {
        if extension?.key_bytes().starts_with(b"GNU.sparse.") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn symlink_target(target: Vec<u8>) -> Result<Vec<u8>, DebError> {
    if target.is_empty() || target.len() > 4095 || target.contains(&0) {
        return Err(bad_path(&target, "a link's target is empty, too long or has a NUL byte"));
    }
    Ok(target)
}

fn checked(name: &[u8]) -> Result<ImagePath, DebError> {
    let path = ImagePath::from_tar(name).map_err(|source| DebError::BadPath { source })?;
    if path.parts().any(|part| part.len() > LONGEST_NAME) {
        return Err(bad_path(name, "it has a part of more than 255 bytes"));
    }
    Ok(path)
}

fn bad_path(name: &[u8], why: &'static str) -> DebError {
    let path = name.escape_ascii().to_string().chars().take(200).collect();
    DebError::BadPath { source: PathError { path, why } }
}

/// The members so far: whether each is a folder.
#[derive(Default)]
struct Seen(HashMap<Box<[u8]>, bool>);

impl Seen {
    fn admit(&mut self, member: &Member) -> Result<(), DebError> {
        let path = member.path.as_bytes();
        for (at, _) in path.iter().enumerate().skip(1).filter(|(_, b)| **b == b'/') {
            if self.0.get(&path[..at]) == Some(&false) {
                let above =
                    ImagePath::parse(&path[..at]).map_err(|source| DebError::BadPath { source })?;
                return Err(DebError::NotInFolder { path: member.path.clone(), above });
            }
        }
        if let MemberKind::Hardlink(target) = &member.kind
            && self.0.get(target.as_bytes()) != Some(&false)
        {
            let (path, target) = (member.path.clone(), target.clone());
            return Err(DebError::DanglingHardlink { path, target });
        }
        let folder = member.kind == MemberKind::Directory;
        match self.0.insert(path.into(), folder) {
            Some(earlier) if !(earlier && folder) => {
                Err(DebError::Twice { path: member.path.clone() })
            }
            _ => Ok(()),
        }
    }
}
