//! A tree as text, so that a changed image can be read as a diff.

use super::{Node, NodeKind, SealedTree};
use std::fmt::Write as _;

impl SealedTree {
    /// One line a node, in the order of the layer: `mode uid:gid size sha256 path`.
    ///
    /// The mode begins with `-` for a file, `d` folder, `l` symbolic link, `h` hard link. Size and
    /// digest are `-` where there are no contents; a link's target follows its path after `->`.
    /// Bytes that are not printable text are shown as `\xNN`. Times are left out.
    pub fn listing(&self) -> String {
        let mut text = String::new();
        for (path, node) in self.iter() {
            let contents = match &node.kind {
                NodeKind::File(content) => format!("{} {}", content.size(), content.digest()),
                _ => "- -".to_owned(),
            };
            let target = match &node.kind {
                NodeKind::Symlink(target) => format!(" -> {}", printable(target)),
                NodeKind::Hardlink(target) => format!(" -> {}", printable(target.as_bytes())),
                _ => String::new(),
            };
            let _ = writeln!(
                text,
                "{}{:04o} {}:{} {contents} {}{target}",
                letter(&node.kind),
                node.mode,
                node.uid,
                node.gid,
                printable(path.as_bytes()),
            );
        }
        text
    }
}

/// A node in a few words, for messages.
pub(super) fn short(node: &Node) -> String {
    let (uid, gid) = (node.uid, node.gid);
    let kind = match &node.kind {
        NodeKind::File(content) => format!("file of {} bytes", content.size()),
        NodeKind::Symlink(target) => format!("symbolic link to `{}`", printable(target)),
        NodeKind::Hardlink(target) => format!("hard link to `{target}`"),
        NodeKind::Directory => "folder".to_owned(),
    };
    format!("{kind} ({:04o} {uid}:{gid}, time {})", node.mode, node.time)
}

const fn letter(kind: &NodeKind) -> char {
    match kind {
        NodeKind::Directory => 'd',
        NodeKind::File(_) => '-',
        NodeKind::Symlink(_) => 'l',
        NodeKind::Hardlink(_) => 'h',
    }
}

fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}
