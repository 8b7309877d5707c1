//! Layers read back by decoders and readers that dmc has not written.

use super::*;
use proptest::prelude::*;

/// What the `tar` crate reads of one member.
#[derive(Debug, PartialEq, Eq)]
struct Member {
    name: Vec<u8>,
    kind: u8,
    mode: u32,
    owner: (u64, u64),
    time: u64,
    link: Vec<u8>,
    bytes: Vec<u8>,
}

fn members(tar: &[u8]) -> Vec<Member> {
    let mut archive = ::tar::Archive::new(tar);
    let read = |entry: io::Result<::tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let header = entry.header();
        assert_eq!(header.username_bytes(), Some(&b""[..]));
        Member {
            name: entry.path_bytes().into_owned(),
            kind: header.entry_type().as_byte(),
            mode: header.mode().unwrap(),
            owner: (header.uid().unwrap(), header.gid().unwrap()),
            time: header.mtime().unwrap(),
            link: entry.link_name_bytes().unwrap_or_default().into_owned(),
            bytes,
        }
    };
    archive.entries().unwrap().map(read).collect()
}

fn expected(path: &ImagePath, node: &Node) -> Member {
    let (kind, link, bytes) = match &node.kind {
        NodeKind::Directory => (b'5', &b""[..], &b""[..]),
        NodeKind::File(Content::Inline(bytes)) => (b'0', &b""[..], &bytes[..]),
        NodeKind::File(Content::Stored(_)) => panic!("contents are inline here"),
        NodeKind::Symlink(target) => (b'2', &target[..], &b""[..]),
        NodeKind::Hardlink(target) => (b'1', target.relative(), &b""[..]),
    };
    let slash: &[u8] = if kind == b'5' { b"/" } else { b"" };
    Member {
        name: [path.relative(), slash].concat(),
        kind,
        mode: node.mode,
        owner: (node.uid.into(), node.gid.into()),
        time: u64::try_from(node.time).unwrap(),
        link: link.to_vec(),
        bytes: bytes.to_vec(),
    }
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let short = prop::sample::select(vec![&b"a"[..], b"b", b"usr", b"\xff\xfe", b"\xc3\xa9"]);
    let long = (90_usize..160).prop_map(|length| vec![b'n'; length]);
    prop_oneof![4 => short.prop_map(<[u8]>::to_vec), 1 => long]
}

fn any_path() -> impl Strategy<Value = ImagePath> {
    prop::collection::vec(any_name(), 1..5)
        .prop_map(|parts| ImagePath::root().join(parts.join(&b'/')).unwrap())
}

fn any_node() -> impl Strategy<Value = Node> {
    // The `tar` crate ends a pax record at the first newline, whatever its length says.
    let target = prop::collection::vec(11_u8..=255, 1..200);
    let kind = prop_oneof![
        Just(NodeKind::Directory),
        prop::collection::vec(any::<u8>(), 0..2000).prop_map(|b| NodeKind::File(b.into())),
        target.prop_map(NodeKind::Symlink),
        any_path().prop_map(NodeKind::Hardlink),
    ];
    (0_u32..=0o777, 0_u32..=0o7_777_777, 0_u32..=0o7_777_777, 0_i64..=0o77_777_777_777, kind)
        .prop_map(|(mode, uid, gid, time, kind)| Node { mode, uid, gid, time, kind })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_tree_reads_back_from_its_layer(
        nodes in prop::collection::vec((any_path(), any_node()), 0..40)
    ) {
        let mut tree = FileTree::new();
        for (path, node) in nodes {
            // What cannot be linked when it comes is left out; what clashes is refused.
            let dangling = matches!(
                &node.kind,
                NodeKind::Hardlink(to)
                    if !matches!(tree.get(to), Some(Node { kind: NodeKind::File(_), .. }))
            );
            if !dangling {
                let _ = tree.insert(path, node);
            }
        }
        let tree = tree.seal(3).unwrap();
        let (layer, bytes) =
            write(&tree, &Store::default(), &NoPieces, Compression::Gzip).unwrap();
        let tar = gunzip(&bytes);
        prop_assert_eq!(sha256(&tar), layer.diff_id);
        let wanted: Vec<Member> = tree.iter().map(|(path, node)| expected(path, node)).collect();
        prop_assert_eq!(members(&tar), wanted);
        let chunked = "zstd:chunked:1".parse().unwrap();
        match write(&tree, &Store::default(), &NoPieces, chunked) {
            Ok((layer, bytes)) => prop_assert!(chunked::pulled(&layer, &bytes) == tar),
            Err(error) => prop_assert!(error.hint().contains("gzip alone")),
        }
    }
}
