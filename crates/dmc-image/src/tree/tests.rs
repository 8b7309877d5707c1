use super::*;
use std::sync::Arc;

fn path(text: &str) -> ImagePath {
    ImagePath::parse(text).unwrap()
}

fn file(text: &str) -> Node {
    Node::file(Content::from(text.as_bytes().to_vec()), 10)
}

fn tree(nodes: &[(&str, Node)]) -> Result<FileTree, TreeError> {
    let mut tree = FileTree::new();
    for (at, node) in nodes {
        tree.insert(path(at), node.clone())?;
    }
    Ok(tree)
}

fn hardlink(target: &str) -> Node {
    Node { kind: NodeKind::Hardlink(path(target)), ..file("") }
}

#[test]
fn what_has_no_place_is_refused_by_name_whatever_came_first() {
    let folder = || Node::directory(0);
    let link = || Node::symlink("usr/lib", 0);
    let mode = |mode, node: Node| Node { mode, ..node };
    for (summary, nodes, wanted) in [
        (
            "two different files",
            vec![("/a", file("x")), ("/a", file("y"))],
            "`/a` comes twice, as file of 1 bytes (0644 0:0, time 10)",
        ),
        (
            "two files that differ in time alone",
            vec![("/a", file("x")), ("/a", Node { time: 11, ..file("x") })],
            "`/a` comes twice",
        ),
        (
            "folders with different modes",
            vec![("/a", folder()), ("/a", mode(0o700, folder()))],
            "`/a` comes twice, as folder (0755 0:0, time 0) and as folder (0700 0:0, time 0)",
        ),
        (
            "a path below a file",
            vec![("/a", file("x")), ("/a/b/c", file("y"))],
            "`/a/b/c` cannot be put below `/a`, which is a file",
        ),
        (
            "a file above a path",
            vec![("/a/b/c", file("y")), ("/a-", file("")), ("/a", file("x"))],
            "`/a/b/c` cannot be put below `/a`, which is a file",
        ),
        (
            "a path spelled through an alias",
            vec![("/lib", link()), ("/lib/x", file("y"))],
            "`/lib/x` cannot be put below `/lib`, which is a symbolic link",
        ),
        (
            "an alias above paths spelled through it",
            vec![("/lib/x", file("y")), ("/lib", link())],
            "`/lib/x` cannot be put below `/lib`, which is a symbolic link",
        ),
        ("a whiteout", vec![("/a/.wh.b", file(""))], "`/a/.wh.b` has a name beginning with `.wh.`"),
        ("a path in one", vec![("/.wh.a/b", file(""))], "`/.wh.a/b` has a name beginning"),
        ("setuid", vec![("/su", mode(0o4755, file("")))], "`/su` has mode 4755: setuid"),
        ("setgid", vec![("/d", mode(0o2755, folder()))], "`/d` has mode 2755: setgid"),
        ("sticky file", vec![("/f", mode(0o1755, file("")))], "`/f` has mode 1755: only folders"),
        ("too large a mode", vec![("/f", mode(0o10_0644, file("")))], "`/f` has mode 100644: more"),
        (
            "a link without target",
            vec![("/l", Node::symlink("", 0))],
            "`/l` is a symbolic link whose target is empty",
        ),
        ("a NUL in a target", vec![("/l", Node::symlink("a\0b", 0))], "target has a NUL byte"),
        ("an endless target", vec![("/l", Node::symlink(vec![b'x'; 4096], 0))], "longer than 4095"),
        ("a root that is a file", vec![("/", file(""))], "`/` cannot be a file"),
    ] {
        let error = tree(&nodes).expect_err(summary);
        assert!(error.to_string().contains(wanted), "{summary}: {error}");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn hard_links_must_lead_to_a_file_of_the_tree() {
    for (target, wanted) in [
        ("/none", "not in the image"),
        ("/folder", "a folder"),
        ("/link", "a symbolic link"),
        ("/other", "a hard link itself"),
    ] {
        let tree = tree(&[
            ("/folder", Node::directory(0)),
            ("/link", Node::symlink("file", 0)),
            ("/file", file("x")),
            ("/other", hardlink("/file")),
            ("/hard", hardlink(target)),
        ]);
        let error = tree.unwrap().seal(0).unwrap_err();
        let (path, target) = (path("/hard"), path(target));
        assert_eq!(error, TreeError::Hardlink { path, target, found: wanted });
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn the_same_folder_from_two_packages_is_one_with_the_newer_time() {
    for times in [[1, 5], [5, 1]] {
        let tree = tree(&times.map(|time| ("/etc", Node::directory(time)))).unwrap();
        assert_eq!(tree.get(&path("/etc")).unwrap().time, 5);
    }
    assert!(tree(&[("/a", file("x")), ("/a", file("x"))]).is_ok());
}

#[test]
fn an_overlay_wins_but_cannot_hide_a_filled_folder() {
    let mut tree = tree(&[("/etc/motd", file("x")), ("/var", Node::directory(0))]).unwrap();
    tree.replace(path("/etc/motd"), file("y")).unwrap();
    tree.replace(path("/var"), Node::symlink("run", 0)).unwrap();
    assert_eq!(tree.get(&path("/etc/motd")), Some(&file("y")));
    assert!(tree.replace(path("/etc"), file("z")).is_err());
    assert!(tree.replace(path("/etc/motd/x"), file("z")).is_err());
}

#[test]
fn a_sealed_tree_is_complete_and_sorted_and_links_follow_their_file() {
    let tree = tree(&[
        ("/usr/bin/z", Node { mode: 0o755, uid: 3, gid: 4, ..file("tool") }),
        ("/usr/bin/a", hardlink("/usr/bin/z")),
        ("/usr/bin/m", hardlink("/usr/bin/z")),
        ("/usr/bin-x", file("")),
        ("/tmp", Node { mode: 0o1777, ..Node::directory(1) }),
        ("/bin", Node::symlink("usr/bin", 1)),
        ("/odd \\\n\u{e9}", Node::symlink(vec![b'x', 0xff], 1)),
    ]);
    let sealed = tree.unwrap().seal(77).unwrap();
    let digest = Content::from(b"tool".to_vec()).digest();
    let empty = Content::Inline(Arc::new([])).digest();
    let wanted = format!(
        "l0777 0:0 - - /bin -> usr/bin\n\
         l0777 0:0 - - /odd \\\\\\n\u{e9} -> x\\xff\n\
         d1777 0:0 - - /tmp\n\
         d0755 0:0 - - /usr\n\
         d0755 0:0 - - /usr/bin\n\
         -0644 0:0 0 {empty} /usr/bin-x\n\
         -0755 3:4 4 {digest} /usr/bin/a\n\
         h0755 3:4 - - /usr/bin/m -> /usr/bin/a\n\
         h0755 3:4 - - /usr/bin/z -> /usr/bin/a\n"
    );
    assert_eq!(sealed.listing(), wanted);
    assert_eq!(sealed.get(&path("/usr")).unwrap().time, 77);
    assert_eq!((sealed.len(), sealed.contents_size()), (9, 4));
}
