mod chunked;
mod readback;

use super::*;
use crate::sha256::sha256;
use crate::tree::{Content, FileTree, Node, NodeKind, SourceError, StoredContent};
use dmc_types::{ImagePath, UnixTime};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Objects by digest, as a caller's store has them.
#[derive(Default)]
struct Store(BTreeMap<Sha256, Vec<u8>>);

impl Store {
    fn content(&mut self, bytes: &[u8]) -> Content {
        let (digest, object) = (sha256(bytes), sha256(&[b"object", bytes].concat()));
        self.0.insert(object, [b"12345", bytes].concat());
        let (sha1, size) = (Content::from(bytes.to_vec()).sha1(), bytes.len() as u64);
        Content::Stored(StoredContent { digest, sha1, size, object, offset: 5 })
    }
}

impl ContentSource for Store {
    fn append(&self, content: &StoredContent, into: &mut Vec<u8>) -> Result<(), SourceError> {
        let object = self.0.get(&content.object).ok_or("no such object")?;
        let start = usize::try_from(content.offset)?;
        let end = start + usize::try_from(content.size)?;
        into.extend_from_slice(&object[start..end.min(object.len())]);
        Ok(())
    }
}

/// A value that comes in parts.
struct InParts(Vec<u8>);

impl PieceValue for InParts {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn pass(&self, to: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.0.chunks(7).for_each(to);
        Ok(())
    }
}

#[derive(Default)]
struct Pieces {
    kept: Mutex<BTreeMap<PieceKey, Vec<u8>>>,
    puts: AtomicUsize,
}

impl PieceStore for Pieces {
    fn has(&self, key: &PieceKey) -> bool {
        self.kept.lock().unwrap().contains_key(key)
    }

    fn get(&self, key: &PieceKey) -> Option<Box<dyn PieceValue>> {
        let value = self.kept.lock().unwrap().get(key).cloned()?;
        Some(Box::new(InParts(value)))
    }

    fn put(&self, key: &PieceKey, value: &[u8]) {
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.kept.lock().unwrap().insert(*key, value.to_vec());
    }
}

/// Something that happens to bytes on a disk.
type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

fn path(text: &str) -> ImagePath {
    ImagePath::parse(text).unwrap()
}

/// Bytes that compress somewhat, and look the same on every machine.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0] & 0x1f
    })
    .take(length)
    .collect()
}

/// Many small files, some large ones, links: several pieces.
fn sample(store: &mut Store) -> FileTree {
    let mut tree = FileTree::new();
    for n in 0..200_u32 {
        let content = store.content(&noise(n, 100 + 57 * n as usize));
        tree.insert(path(&format!("/usr/lib/python/m{n:03}.py")), Node::file(content, 5)).unwrap();
    }
    for (name, size) in [("libc.so.6", 300_000), ("libz.so.1", 262_144), ("libm.so.6", 262_143)] {
        let content = store.content(&noise(7, size));
        tree.insert(path(&format!("/usr/lib/{name}")), Node::file(content, 6)).unwrap();
    }
    tree.insert(path("/etc/passwd"), Node::file(b"root".to_vec().into(), 7)).unwrap();
    tree.insert(path("/lib"), Node::symlink("usr/lib", 7)).unwrap();
    tree
}

fn write(
    tree: &SealedTree,
    store: &Store,
    pieces: &dyn PieceStore,
    compression: Compression,
) -> Result<(Layer, Vec<u8>), LayerError> {
    let mut bytes = Vec::new();
    let layer = write_layer(tree, store, pieces, compression, &mut bytes)?;
    Ok((layer, bytes))
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut tar).unwrap();
    tar
}

#[test]
fn layers_are_the_same_with_a_full_store_an_empty_one_and_none_on_any_number_of_threads() {
    let mut store = Store::default();
    let tree = sample(&mut store).seal(9).unwrap();
    for compression in ["gzip", "zstd:chunked:3"].map(|text| text.parse().unwrap()) {
        let pieces = Pieces::default();
        let (layer, bytes) = write(&tree, &store, &NoPieces, compression).unwrap();
        for threads in [1, 2, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for pieces in [&NoPieces as &dyn PieceStore, &pieces, &pieces] {
                let again = pool.install(|| write(&tree, &store, pieces, compression)).unwrap();
                assert_eq!(again.0, layer, "{threads} threads");
                assert!(again.1 == bytes, "{threads} threads");
            }
        }
        let made = pieces.puts.load(Ordering::Relaxed);
        assert_eq!(made, pieces.kept.lock().unwrap().len(), "each piece is compressed once");
        assert!(made > 8, "{made} pieces are too few to prove anything");
    }
}

#[test]
fn the_bytes_are_those_of_the_first_release() {
    let mut store = Store::default();
    let tree = sample(&mut store).seal(9).unwrap();
    for (compression, digest) in [
        ("gzip", "be8c07dc98086cc9166cf163f82ab1f8eefc9eb10754d6fe66bc3106c12ba8c2"),
        ("zstd:3", "f80b3740783608fe5004733c52a9e3c83c360c879af82a640ee0c1c46910b256"),
        ("zstd:chunked:3", "24ec475111741e87d4fef92272f33572e5f23eafa89582a27db266b8e0784d71"),
    ] {
        let layer = write(&tree, &store, &NoPieces, compression.parse().unwrap()).unwrap().0;
        assert_eq!(
            layer.diff_id.to_string(),
            "509a44351f0aed3c07c41f2464c9a051053072759ff471f4814c242a58e36851"
        );
        assert_eq!(
            layer.digest.to_string(),
            digest,
            "{compression}: if a new compressor is the cause, raise the number of the format"
        );
    }
}

#[test]
fn a_layer_is_what_its_digests_say_and_begins_with_a_plain_gzip_header() {
    let mut store = Store::default();
    let tree = sample(&mut store).seal(9).unwrap();
    let (layer, bytes) = write(&tree, &store, &NoPieces, Compression::Gzip).unwrap();
    assert_eq!((layer.digest, layer.size), (sha256(&bytes), bytes.len() as u64));
    let tar = gunzip(&bytes);
    assert_eq!((layer.diff_id, layer.uncompressed_size), (sha256(&tar), tar.len() as u64));
    assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    assert!(tar.ends_with(&tar::END));
    let (zstd, bytes) = write(&tree, &store, &NoPieces, "zstd:1".parse().unwrap()).unwrap();
    assert_eq!(zstd.digest, sha256(&bytes));
    assert_eq!(zstd.diff_id, layer.diff_id);
    assert!(zstd::decode_all(&bytes[..]).unwrap() == tar);
}

#[test]
fn a_change_leaves_the_pieces_elsewhere_as_they_are() {
    let mut store = Store::default();
    let before = sample(&mut store);
    let pieces = Pieces::default();
    write(&before.clone().seal(9).unwrap(), &store, &pieces, Compression::Gzip).unwrap();
    let all = pieces.puts.load(Ordering::Relaxed);
    let mut added = before.clone();
    added.insert(path("/usr/lib/python/m000a.py"), Node::file(noise(1, 9000).into(), 5)).unwrap();
    let mut changed = before.clone();
    changed.replace(path("/usr/lib/python/m100.py"), Node::file(noise(1, 50).into(), 5)).unwrap();
    for (summary, tree) in [("a file more", added), ("another file", changed)] {
        pieces.puts.store(0, Ordering::Relaxed);
        write(&tree.seal(9).unwrap(), &store, &pieces, Compression::Gzip).unwrap();
        let made = pieces.puts.load(Ordering::Relaxed);
        assert!((1..=4).contains(&made), "{summary}: {made} of {all} pieces were made again");
    }
}

#[test]
fn large_files_stand_alone_and_others_share_up_to_a_limit() {
    let mut store = Store::default();
    let tree = sample(&mut store).seal(9).unwrap();
    let pieces = piece::cut(&tree);
    assert_eq!(pieces.iter().map(Piece::paths).sum::<usize>(), tree.len());
    for piece in &pieces {
        assert!(piece.paths() == 1 || piece.size <= 256 << 10, "{} bytes shared", piece.size);
    }
    assert!(pieces.iter().filter(|piece| piece.size >= 256 << 10).count() >= 2);
    let batches: Vec<usize> = batches(&pieces).map(<[Piece<'_>]>::len).collect();
    assert_eq!(batches.iter().sum::<usize>(), pieces.len());
}

#[test]
fn a_poisoned_store_of_pieces_cannot_change_a_layer() {
    let mut store = Store::default();
    let tree = sample(&mut store).seal(9).unwrap();
    for compression in ["gzip", "zstd:chunked:3"] {
        poison(&tree, &store, compression.parse().unwrap());
    }
}

fn poison(tree: &SealedTree, store: &Store, compression: Compression) {
    let pieces = Pieces::default();
    let (_, wanted) = write(tree, store, &pieces, compression).unwrap();
    let sound = pieces.kept.lock().unwrap().clone();
    let other = sound.values().next().unwrap().clone();
    let poisons: [(&str, Damage<'_>); 7] = [
        ("empty", &|value| value.clear()),
        ("shortened", &|value| value.truncate(value.len() - 1)),
        ("a header alone", &|value| value.truncate(10)),
        ("lengthened", &|value| value.push(0)),
        ("a bit in the middle", &|value| {
            let middle = value.len() / 2;
            value[middle] ^= 1;
        }),
        ("a bit of the header", &|value| value[9] ^= 1),
        ("another piece", &|value| value.clone_from(&other)),
    ];
    for (summary, poison) in poisons {
        let mut poisoned = sound.clone();
        poisoned.values_mut().for_each(poison);
        *pieces.kept.lock().unwrap() = poisoned;
        let (_, bytes) = write(tree, store, &pieces, compression).unwrap();
        assert!(bytes == wanted, "{summary}, {compression}: the layer changed");
        assert!(*pieces.kept.lock().unwrap() == sound, "{summary}: the store was not repaired");
    }
}

#[test]
fn damaged_contents_are_named_with_or_without_stored_pieces() {
    let mut store = Store::default();
    let tree = sample(&mut store).seal(9).unwrap();
    let filled = Pieces::default();
    for compression in ["gzip", "zstd:chunked:1"] {
        write(&tree, &store, &filled, compression.parse().unwrap()).unwrap();
    }
    let NodeKind::File(Content::Stored(content)) =
        &tree.get(&path("/usr/lib/libc.so.6")).unwrap().kind
    else {
        panic!("the sample has changed");
    };
    let object = store.0[&content.object].clone();
    let damages: [(&str, Damage<'_>, &str); 3] = [
        ("a bit", &|bytes| bytes[1000] ^= 4, "`/usr/lib/libc.so.6` are damaged: 300000 bytes"),
        ("cut", &|bytes| bytes.truncate(100), "`/usr/lib/libc.so.6` are damaged: 95 bytes"),
        ("none", &|bytes| bytes.clear(), "the contents of `/usr/lib/libc.so.6`"),
    ];
    for (summary, damage, wanted) in damages {
        let mut bytes = object.clone();
        damage(&mut bytes);
        store.0.insert(content.object, bytes);
        if summary == "none" {
            store.0.remove(&content.object);
        }
        for (pieces, compression) in [
            (&NoPieces as &dyn PieceStore, "gzip"),
            (&filled, "gzip"),
            (&NoPieces, "zstd:1"),
            (&NoPieces, "zstd:chunked:1"),
            (&filled, "zstd:chunked:1"),
        ] {
            let error = write(&tree, &store, pieces, compression.parse().unwrap()).unwrap_err();
            assert!(error.to_string().contains(wanted), "{summary}, {compression}: {error}");
            let (LayerError::Corrupted { object, .. } | LayerError::Source { object, .. }) = error
            else {
                panic!("{summary}: the object is not named");
            };
            assert_eq!(object, content.object);
        }
    }
}

#[test]
fn sizes_that_no_disk_holds_are_errors() {
    let mut store = Store::default();
    let mut tree = sample(&mut store);
    for (name, size) in [("a", u64::MAX), ("b", u64::MAX - 511), ("c", 1 << 62)] {
        let (digest, sha1) = (sha256(b""), Content::from(Vec::new()).sha1());
        let content = StoredContent { digest, sha1, size, object: digest, offset: 0 };
        let file = Node::file(Content::Stored(content), 0);
        tree.insert(path(&format!("/usr/lib/{name}")), file).unwrap();
    }
    let tree = tree.seal(0).unwrap();
    assert_eq!(tree.contents_size(), u64::MAX);
    for compression in ["gzip", "zstd:1", "zstd:chunked:1"] {
        let error = write(&tree, &store, &NoPieces, compression.parse().unwrap()).unwrap_err();
        assert!(matches!(error, LayerError::Source { .. }), "{error}");
    }
}

#[test]
fn a_writer_that_fails_is_reported() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut store = Store::default();
    let tree = sample(&mut store).seal(9).unwrap();
    for compression in ["gzip", "zstd:1", "zstd:chunked:1"] {
        let compression = compression.parse().unwrap();
        let error = write_layer(&tree, &store, &NoPieces, compression, &mut Full).unwrap_err();
        assert!(matches!(error, LayerError::Write(_)), "{error}");
        assert!(error.hint().contains("free space"));
    }
}

#[test]
fn equal_keys_mean_equal_layers() {
    let mut store = Store::default();
    let tree = sample(&mut store);
    let key = |tree: &FileTree, compression: &str| {
        layer_key(&tree.clone().seal(9).unwrap(), compression.parse().unwrap())
    };
    assert_eq!(key(&tree, "gzip"), key(&tree.clone(), "gzip"));
    let mut other = tree.clone();
    other.replace(path("/etc/passwd"), Node::file(b"roof".to_vec().into(), 7)).unwrap();
    assert_ne!(key(&tree, "gzip"), key(&other, "gzip"));
    assert_ne!(key(&tree, "gzip"), key(&tree, "zstd:3"));
    assert_ne!(key(&tree, "zstd:4"), key(&tree, "zstd:3"));
    assert_ne!(key(&tree, "zstd:chunked:3"), key(&tree, "zstd:3"));
}

#[test]
fn an_empty_tree_is_an_empty_tar() {
    let tree = FileTree::new().seal(0).unwrap();
    let (layer, bytes) = write(&tree, &Store::default(), &NoPieces, Compression::Gzip).unwrap();
    assert_eq!(gunzip(&bytes), tar::END);
    assert_eq!(layer.uncompressed_size, 1024);
}
