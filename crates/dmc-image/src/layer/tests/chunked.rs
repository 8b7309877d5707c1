//! zstd:chunked layers, read as a client does that fetches parts of them.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The annotation's numbers.
fn numbers(layer: &Layer, name: &str) -> Vec<usize> {
    let key = format!("io.github.containers.zstd-chunked.{name}");
    let text = &layer.descriptor().annotations[&key];
    text.split(':').map(|number| number.parse().unwrap()).collect()
}

/// What an annotation points to, decoded.
fn section(layer: &Layer, bytes: &[u8], name: &str) -> Vec<u8> {
    let [offset, size, plain, ..] = numbers(layer, name)[..] else { panic!("three numbers") };
    assert_eq!(bytes[offset - 8..offset - 4], [0x50, 0x2a, 0x4d, 0x18], "a skippable frame");
    let decoded = zstd::decode_all(&bytes[offset..offset + size]).unwrap();
    assert_eq!(decoded.len(), plain);
    decoded
}

fn table(layer: &Layer, bytes: &[u8]) -> Value {
    serde_json::from_slice(&section(layer, bytes, "manifest-position")).unwrap()
}

/// Digest and bytes of the frame of each file with contents, by the file's name.
fn frames(layer: &Layer, bytes: &[u8]) -> BTreeMap<String, (String, Vec<u8>)> {
    let table = table(layer, bytes);
    let entries = table["entries"].as_array().unwrap().iter();
    let frame = |entry: &Value| {
        let place = |key: &str| usize::try_from(entry[key].as_u64()?).ok();
        let frame = bytes[place("offset")?..place("endOffset")?].to_vec();
        let digest = entry["digest"].as_str()?.to_owned();
        Some((entry["name"].as_str()?.to_owned(), (digest, frame)))
    };
    entries.filter_map(frame).collect()
}

/// The tar, put together from tar-split and the files that the table of contents leads to.
pub(super) fn pulled(layer: &Layer, bytes: &[u8]) -> Vec<u8> {
    let frames = frames(layer, bytes);
    let mut tar = Vec::new();
    let lines = section(layer, bytes, "tarsplit-position");
    for (position, line) in lines.split(|b| *b == b'\n').filter(|line| !line.is_empty()).enumerate()
    {
        let line: Value = serde_json::from_slice(line).unwrap();
        assert_eq!(line["position"], position);
        let payload = line["payload"].as_str().map(|text| STANDARD.decode(text).unwrap());
        match (line["type"].as_u64(), line["size"].as_u64()) {
            (Some(2), _) => tar.extend(payload.unwrap()),
            (Some(1), None) => assert_eq!(payload, None),
            (Some(1), Some(size)) => {
                let (digest, frame) = &frames[line["name"].as_str().unwrap()];
                let contents = zstd::decode_all(&frame[..]).unwrap();
                assert_eq!(*digest, format!("sha256:{}", sha256(&contents)));
                assert_eq!((contents.len() as u64, payload.unwrap().len()), (size, 8));
                tar.extend(contents);
            }
            other => panic!("{other:?}"),
        }
    }
    tar
}

fn chunked() -> Compression {
    "zstd:chunked:3".parse().unwrap()
}

#[test]
fn a_client_that_fetches_parts_comes_to_the_tar_that_others_decode() {
    let mut store = Store::default();
    let tree = sample(&mut store).seal(9).unwrap();
    let (gzip, _) = write(&tree, &store, &NoPieces, Compression::Gzip).unwrap();
    let (layer, bytes) = write(&tree, &store, &NoPieces, chunked()).unwrap();
    assert_eq!((layer.digest, layer.size), (sha256(&bytes), bytes.len() as u64));
    assert_eq!(layer.diff_id, gzip.diff_id);
    let tar = zstd::decode_all(&bytes[..]).unwrap();
    assert_eq!((sha256(&tar), tar.len() as u64), (layer.diff_id, layer.uncompressed_size));
    assert!(pulled(&layer, &bytes) == tar);
}

#[test]
fn the_table_of_contents_says_what_the_headers_say() {
    let mut tree = FileTree::new();
    let file = Node { uid: 3, gid: 4, ..Node::file(b"contents".to_vec().into(), 1) };
    tree.insert(path("/etc/a"), file).unwrap();
    tree.insert(path("/etc/b"), Node { mode: 0o600, ..Node::file(Vec::new().into(), 0) }).unwrap();
    let hard = Node {
        kind: NodeKind::Hardlink(path("/etc/a")),
        ..tree.get(&path("/etc/a")).unwrap().clone()
    };
    tree.insert(path("/etc/c"), hard).unwrap();
    tree.insert(path("/etc/d"), Node::symlink("../x", 2)).unwrap();
    let tree = tree.seal(9).unwrap();
    let (layer, bytes) = write(&tree, &Store::default(), &NoPieces, chunked()).unwrap();
    let table = table(&layer, &bytes);
    let [offset, size, _] = numbers(&layer, "tarsplit-position")[..] else { panic!("three") };
    let digest = format!("sha256:{}", sha256(&bytes[offset..offset + size]));
    assert_eq!((&table["version"], &table["tarSplitDigest"]), (&1.into(), &digest.into()));
    let [offset, size, _, kind] = numbers(&layer, "manifest-position")[..] else { panic!("four") };
    let checksum =
        &layer.descriptor().annotations["io.github.containers.zstd-chunked.manifest-checksum"];
    assert_eq!(*checksum, format!("sha256:{}", sha256(&bytes[offset..offset + size])));
    assert_eq!(kind, 1);
    let told: Vec<String> =
        table["entries"].as_array().unwrap().iter().map(Value::to_string).collect();
    let a = &frames(&layer, &bytes)["etc/a"].1;
    let at = bytes.windows(a.len()).position(|window| window == a).unwrap();
    let wanted = [
        r#"{"mode":493,"modtime":"1970-01-01T00:00:09Z","name":"etc/","type":"dir"}"#.to_owned(),
        format!(
            r#"{{"digest":"sha256:{}","endOffset":{},"gid":4,"mode":420,"modtime":"1970-01-01T00:00:01Z","name":"etc/a","offset":{at},"size":8,"type":"reg","uid":3}}"#,
            sha256(b"contents"),
            at + a.len()
        ),
        r#"{"mode":384,"modtime":"1970-01-01T00:00:00Z","name":"etc/b","type":"reg"}"#.to_owned(),
        r#"{"gid":4,"linkName":"etc/a","mode":420,"modtime":"1970-01-01T00:00:01Z","name":"etc/c","type":"hardlink","uid":3}"#.to_owned(),
        r#"{"linkName":"../x","mode":511,"modtime":"1970-01-01T00:00:02Z","name":"etc/d","type":"symlink"}"#.to_owned(),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn the_footer_says_what_the_annotations_say() {
    let mut store = Store::default();
    let tree = sample(&mut store).seal(9).unwrap();
    let (layer, bytes) = write(&tree, &store, &NoPieces, chunked()).unwrap();
    let footer = bytes.last_chunk::<72>().unwrap();
    assert_eq!(footer[..8], [0x50, 0x2a, 0x4d, 0x18, 64, 0, 0, 0]);
    assert_eq!(footer[64..], *b"GNUlInUx");
    let said: Vec<usize> = footer[8..64]
        .chunks(8)
        .map(|number| usize::try_from(u64::from_le_bytes(number.try_into().unwrap())).unwrap())
        .collect();
    let wanted = [numbers(&layer, "manifest-position"), numbers(&layer, "tarsplit-position")];
    assert_eq!(said, wanted.concat());
}

#[test]
fn a_change_leaves_the_frames_of_other_files_as_they_are() {
    let mut store = Store::default();
    let before = sample(&mut store);
    let mut after = before.clone();
    after.replace(path("/usr/lib/python/m100.py"), Node::file(noise(1, 50).into(), 5)).unwrap();
    let [before, after] = [before, after].map(|tree| {
        let (layer, bytes) = write(&tree.seal(9).unwrap(), &store, &NoPieces, chunked()).unwrap();
        frames(&layer, &bytes)
    });
    let others = after.iter().filter(|(name, frame)| before[*name] != **frame);
    let others: Vec<&str> = others.map(|(name, _)| name.as_str()).collect();
    assert_eq!(others, ["usr/lib/python/m100.py"]);
}

#[test]
fn what_json_cannot_say_is_refused_by_name() {
    let name = ImagePath::root().join(b"\xff").unwrap();
    for (summary, at, target, time) in [
        ("name", name, &b"x"[..], 1),
        ("target", path("/a"), b"\xff", 1),
        ("before 1970", path("/a"), b"x", -1),
        ("after 9999", path("/a"), b"x", UnixTime::MAX),
    ] {
        let mut tree = FileTree::new();
        tree.insert(at, Node::symlink(target, time)).unwrap();
        let tree = tree.seal(9).unwrap();
        let error = write(&tree, &Store::default(), &NoPieces, chunked()).unwrap_err();
        assert!(matches!(error, LayerError::Untold { .. }), "{summary}: {error}");
        assert!(error.hint().contains("gzip alone"));
    }
}
