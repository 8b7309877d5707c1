use super::*;
use crate::layer::NoPieces;
use crate::oci::{Annotations, Descriptor, ImageConfig, Index, Manifest, RunConfig, media_type};
use crate::tree::{ContentSource, FileTree, Node, SealedTree, SourceError, StoredContent};
use dmc_types::{Arch, Compression, ImagePath, Sha256};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

struct NoContents;

impl ContentSource for NoContents {
    fn append(&self, _: &StoredContent, _: &mut Vec<u8>) -> Result<(), SourceError> {
        Err("nothing is stored here".into())
    }
}

fn folder() -> (TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("out");
    (folder, path)
}

fn tree(text: &str) -> SealedTree {
    let mut tree = FileTree::new();
    let file = Node::file(text.as_bytes().to_vec().into(), 1);
    tree.insert(ImagePath::parse("/etc/motd").unwrap(), file).unwrap();
    tree.seal(1).unwrap()
}

fn write_index(layout: &Layout, text: &str) -> Descriptor {
    let tree = tree(text);
    let layer = layout.write_layer(&tree, &NoContents, &NoPieces, Compression::Gzip).unwrap();
    let manifests = [Arch::Amd64.oci(), Arch::Arm64.oci()].map(|platform| {
        let config = ImageConfig::new(platform, 1, RunConfig::default(), &layer, "dmc");
        layout.write_image(platform, &config, &layer, Annotations::new()).unwrap()
    });
    layout.write_index(manifests.into(), Annotations::new()).unwrap()
}

fn reference(name: &str, tag: &str) -> Reference {
    let name = RefName::new(name.parse().unwrap(), tag).unwrap();
    Reference { full: format!("localhost/{name}"), name }
}

fn tag(layout: &Layout, target: &Descriptor, names: &[(&str, &str)]) {
    let names: Vec<Reference> = names.iter().map(|(name, tag)| reference(name, tag)).collect();
    layout.tag(target, &names).unwrap();
}

fn names(layout: &Layout) -> Vec<String> {
    layout.refs().unwrap().into_iter().map(|(name, _)| name).collect()
}

fn blobs(layout: &Layout) -> usize {
    layout.root().join("blobs/sha256").read_dir_utf8().unwrap().count()
}

/// Makes everything in a layout look old.
fn age(layout: &Layout) {
    let hour_ago = SystemTime::now() - Duration::from_hours(1);
    let folders = ["", "blobs/sha256", "dmc"].map(|name| layout.root().join(name));
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for item in folder.read_dir_utf8().unwrap().flatten() {
            File::open(item.path()).unwrap().set_modified(hour_ago).unwrap();
        }
    }
}

#[test]
fn names_are_replaced_together_and_others_stay_in_a_stable_order() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let (one, two) = (write_index(&layout, "one"), write_index(&layout, "two"));
    tag(&layout, &one, &[("nginx", "latest"), ("nginx", "1.26.2"), ("adminer", "5")]);
    tag(&layout, &two, &[("nginx", "1.26.3"), ("nginx", "latest")]);
    assert_eq!(names(&layout), ["adminer:5", "nginx:1.26.2", "nginx:1.26.3", "nginx:latest"]);
    for (name, wanted) in [("nginx:latest", &two), ("nginx:1.26.2", &one), ("adminer:5", &one)] {
        let found = layout.resolve(name).unwrap().unwrap();
        assert_eq!(found.digest, wanted.digest, "{name}");
        assert_eq!(found.annotations[CONTAINERD_NAME], format!("localhost/{name}"));
    }
    assert_eq!(layout.resolve("nginx").unwrap(), None);
    let before = fs::read(root.join("index.json")).unwrap();
    tag(&layout, &one, &[("adminer", "5")]);
    assert_eq!(fs::read(root.join("index.json")).unwrap(), before);
    let other = Layout::open(&root).unwrap();
    assert_eq!(other.remove(&"nginx".parse().unwrap()).unwrap().len(), 3);
    assert_eq!(names(&layout), ["adminer:5"]);
}

#[test]
fn entries_of_others_survive() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let digest = "00".repeat(32);
    let foreign = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"a/b","digest":"sha256:{digest}","size":1,"artifactType":"c/d"}}]}}"#
    );
    fs::write(root.join("index.json"), &foreign).unwrap();
    let index = write_index(&layout, "one");
    tag(&layout, &index, &[("nginx", "1")]);
    layout.remove(&"nginx".parse().unwrap()).unwrap();
    let after = fs::read_to_string(root.join("index.json")).unwrap();
    assert!(after.contains(r#""artifactType":"c/d""#), "{after}");
    assert_eq!(names(&layout), Vec::<String>::new());
}

#[test]
fn many_at_once_lose_no_name() {
    let (_folder, root) = folder();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let root = &root;
            scope.spawn(move || {
                let layout = Layout::open_or_create(root).unwrap();
                let index = write_index(&layout, &format!("{}", n % 3));
                tag(&layout, &index, &[("nginx", &format!("{n}"))]);
                layout.collect_garbage("dmc", Duration::from_mins(10)).unwrap();
            });
        }
    });
    let layout = Layout::open(root).unwrap();
    assert_eq!(names(&layout).len(), 8);
    for (_, descriptor) in layout.refs().unwrap() {
        layout.read_blob(&descriptor).unwrap();
    }
}

#[test]
fn garbage_is_what_no_name_leads_to_and_nobody_wrote_just_now() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let (kept, dropped) = (write_index(&layout, "kept"), write_index(&layout, "dropped"));
    tag(&layout, &kept, &[("nginx", "1")]);
    fs::write(root.join(".dmc-left"), "half").unwrap();
    fs::create_dir(root.join("dmc")).unwrap();
    let beside = |digest| root.join("dmc").join(format!("{digest}.tested.json"));
    let gone = "0".repeat(64).parse::<Sha256>().unwrap();
    for digest in [kept.digest, gone] {
        fs::write(beside(digest), "{}").unwrap();
    }
    assert_eq!(blobs(&layout), 12);
    let spare = Duration::from_mins(10);
    assert_eq!(layout.collect_garbage("dmc", spare).unwrap(), Collected::default());
    age(&layout);
    assert!(layout.keep_blob(&dropped.digest, dropped.size).unwrap());
    let collected = layout.collect_garbage("dmc", spare).unwrap();
    assert_eq!((collected.files, blobs(&layout)), (7, 7));
    assert!(beside(kept.digest).exists() && !beside(gone).exists());
    assert!(!root.join(".dmc-left").exists());
    assert!(layout.read_blob(&dropped).is_ok(), "it was to be kept");
    write_index(&layout, "kept");
    assert_eq!(layout.refs().unwrap().len(), 1);
    let manifest: crate::oci::Index = layout.read_document(&kept).unwrap();
    assert_eq!(manifest.manifests.len(), 2);
}

#[test]
fn what_would_be_collected_is_listed_and_a_folder_elsewhere_is_left_alone() {
    let (folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let dropped = write_index(&layout, "dropped");
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join(format!("{}.json", "0".repeat(64))), "precious").unwrap();
    std::os::unix::fs::symlink(&outside, root.join("dmc")).unwrap();
    let listed = layout.garbage("dmc", Duration::ZERO).unwrap();
    assert_eq!(listed.len(), 6, "{listed:?}");
    assert!(layout.read_blob(&dropped).is_ok(), "a list removes nothing");
    assert_eq!(layout.collect_garbage("dmc", Duration::ZERO).unwrap().files, 6);
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
}

#[test]
fn a_check_finds_what_is_damaged_or_missing_and_whose_it_is() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let (one, _loose) = (write_index(&layout, "one"), write_index(&layout, "loose"));
    tag(&layout, &one, &[("nginx", "1"), ("nginx", "latest")]);
    let sound = layout.check().unwrap();
    assert!(sound.unsound.is_empty(), "{sound:?}");
    assert_eq!((sound.blobs, sound.named.len()), (12, 6));
    for digest in sound.named.keys() {
        let path = layout.blob_path(digest);
        let whole = fs::read(&path).unwrap();
        let mut other = whole.clone();
        other[0] ^= 1;
        fs::write(&path, other).unwrap();
        let found = layout.check().unwrap();
        assert_eq!(found.unsound, [(*digest, Unsound::Damaged)].into());
        assert_eq!(found.named[digest], ["nginx:1".into(), "nginx:latest".into()].into());
        layout.remove_blob(digest).unwrap();
        layout.remove_blob(digest).unwrap();
        assert_eq!(layout.check().unwrap().unsound, [(*digest, Unsound::Missing)].into());
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_name_cannot_mean_what_is_not_there() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let nothing = Descriptor::of(media_type::INDEX, b"nothing");
    let error = layout.tag(&nothing, &[reference("nginx", "1")]).unwrap_err();
    assert!(matches!(error, LayoutError::BlobMissing { .. }), "{error}");
    assert!(!layout.keep_blob(&nothing.digest, nothing.size).unwrap());
    assert!(matches!(layout.read_blob(&nothing), Err(LayoutError::BlobMissing { .. })));
    let copied = layout.copy_blob(&nothing, &mut io::sink());
    assert!(matches!(copied, Err(LayoutError::BlobMissing { .. })));
}

#[test]
fn damaged_blobs_are_noticed_when_read_and_healed_when_written() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let index = write_index(&layout, "one");
    let sound: Vec<_> = fs::read_dir(root.join("blobs/sha256"))
        .unwrap()
        .map(|item| item.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    for (damage, keep) in [("a bit", usize::MAX), ("shortened", 10)] {
        for (path, bytes) in &sound {
            let mut bytes = bytes.clone();
            bytes[5] ^= 1;
            bytes.truncate(keep);
            fs::write(path, bytes).unwrap();
        }
        let read = layout.read_blob(&index);
        assert!(matches!(read, Err(LayoutError::BlobCorrupted { .. })), "{damage}");
        assert!(layout.copy_blob(&index, &mut io::sink()).is_err(), "{damage}");
        write_index(&layout, "one");
        for (path, bytes) in &sound {
            assert!(fs::read(path).unwrap() == *bytes, "{damage}: {} is damaged", path.display());
        }
    }
}

#[test]
fn modes_are_the_same_for_every_user() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let index = write_index(&layout, "one");
    tag(&layout, &index, &[("nginx", "1")]);
    for path in [layout.blob_path(&index.digest), root.join("index.json"), root.join("oci-layout")]
    {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644, "{path}");
    }
    let left = root.read_dir_utf8().unwrap().flatten().filter(|i| i.file_name().starts_with('.'));
    assert_eq!(left.count(), 0, "temporary files are left");
}

#[test]
fn other_folders_and_documents_are_refused_by_name() {
    type Prepare = fn(&Utf8Path);
    let cases: [(&str, Prepare, &str); 7] = [
        (
            "other files",
            |root| fs::write(root.join("x"), "").unwrap(),
            "is not an OCI image layout",
        ),
        (
            "a later version",
            |root| write_marker(root, r#"{"imageLayoutVersion":"2.0.0"}"#),
            "of version `2.0.0`",
        ),
        ("no JSON", |root| write_marker(root, "x"), "cannot be read as an OCI document"),
        (
            "an endless marker",
            |root| write_marker(root, &" ".repeat(5000)),
            "5000 bytes, more than the 4096",
        ),
        (
            "a folder as marker",
            |root| fs::create_dir(root.join("oci-layout")).unwrap(),
            "cannot read",
        ),
        ("a file as blobs", |root| fs::write(root.join("blobs"), "").unwrap(), "cannot create"),
        (
            "a broken index",
            |root| fs::write(root.join("index.json"), "[]").unwrap(),
            "is not an OCI image layout",
        ),
    ];
    for (summary, prepare, wanted) in cases {
        let (_folder, root) = folder();
        fs::create_dir(&root).unwrap();
        prepare(&root);
        let error = Layout::open_or_create(&root).unwrap_err();
        assert!(error.to_string().contains(wanted), "{summary}: {error}");
        assert!(!error.hint().is_empty());
    }
    let (_folder, root) = folder();
    assert!(matches!(Layout::open(&root), Err(LayoutError::NotALayout { .. })));
}

fn write_marker(root: &Utf8Path, text: &str) {
    fs::write(root.join("oci-layout"), text).unwrap();
}

#[test]
fn a_broken_index_stops_everything_that_would_change_it() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let index = write_index(&layout, "one");
    for broken in ["[]", "{", r#"{"schemaVersion":2,"manifests":[{"mediaType":"x"}]}"#] {
        fs::write(root.join("index.json"), broken).unwrap();
        assert!(matches!(layout.refs(), Err(LayoutError::Json { .. })), "{broken}");
        assert!(layout.tag(&index, &[reference("nginx", "1")]).is_err(), "{broken}");
        assert!(layout.remove(&"nginx".parse().unwrap()).is_err(), "{broken}");
        assert!(layout.collect_garbage("dmc", Duration::ZERO).is_err(), "{broken}");
        assert_eq!(fs::read_to_string(root.join("index.json")).unwrap(), broken);
    }
}

#[test]
fn failures_of_the_system_say_what_to_do() {
    for (kind, wanted) in [
        (io::ErrorKind::StorageFull, "the disk that holds `/x` is full"),
        (io::ErrorKind::QuotaExceeded, "the disk that holds `/x` is full"),
        (io::ErrorKind::PermissionDenied, "`/x` is not writable"),
        (io::ErrorKind::ReadOnlyFilesystem, "`/x` is not writable"),
        (io::ErrorKind::Interrupted, "cannot write `/x`"),
    ] {
        let error = LayoutError::io("write", Utf8Path::new("/x"), kind.into());
        assert_eq!(error.to_string(), wanted);
        assert!(!error.hint().is_empty());
    }
    let error =
        LayoutError::io("read", Utf8Path::new("/x"), io::ErrorKind::PermissionDenied.into());
    assert_eq!(error.to_string(), "cannot read `/x`");
}

/// A tar of entries: kind, name, link target, contents.
fn tar(entries: &[(tar::EntryType, &str, &str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (kind, name, target, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o640);
        header.set_uid(0);
        header.set_gid(7);
        if !target.is_empty() {
            header.set_link_name(target).unwrap();
        }
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn manifest_of(layout: &Layout, layers: &[Vec<u8>]) -> Manifest {
    let index = write_index(layout, "any");
    let index: Index = layout.read_document(&index).unwrap();
    let mut manifest: Manifest = layout.read_document(&index.manifests[0]).unwrap();
    let blobs = layers.iter().map(|layer| layout.write_blob(media_type::LAYER_GZIP, layer));
    manifest.layers = blobs.map(Result::unwrap).collect();
    manifest
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, bytes).unwrap();
    gz.finish().unwrap()
}

#[test]
fn the_files_of_an_image_are_read_back_as_its_layers_leave_them() {
    use tar::EntryType as Kind;
    let (_guard, root) = folder();
    let layout = Layout::open_or_create(root).unwrap();
    let long = format!("usr/{}/{}", "long".repeat(30), "name".repeat(40));
    let lower = tar(&[
        (Kind::Directory, "etc/", "", b""),
        (Kind::Regular, "etc/gone", "", b"1"),
        (Kind::Regular, "etc/motd", "", b"old"),
        (Kind::Regular, "var/old/x", "", b"1"),
        (Kind::Symlink, "bin", "usr/bin", b""),
        (Kind::Regular, &long, "", b"long"),
        (Kind::Fifo, "pipe", "", b""),
    ]);
    let upper = tar(&[
        (Kind::Regular, "etc/.wh.gone", "", b""),
        (Kind::Regular, "var/.wh..wh..opq", "", b""),
        (Kind::Regular, "etc/motd", "", b"hello"),
        (Kind::Link, "etc/issue", "etc/motd", b""),
    ]);
    let zstd = zstd::encode_all(&upper[..], 1).unwrap();
    let motd = |path: &ImagePath| path.as_bytes() == b"/etc/motd";
    for layers in [[lower.clone(), upper.clone()], [gz(&lower), zstd]] {
        let manifest = manifest_of(&layout, &layers);
        let files = layout.files(&manifest, &motd).unwrap();
        let paths: Vec<String> = files.all.keys().map(ToString::to_string).collect();
        let long = format!("/{long}");
        assert_eq!(paths, ["/bin", "/etc", "/etc/issue", "/etc/motd", "/pipe", &long]);
        let at = |path: &str| &files.all[&ImagePath::parse(path).unwrap()];
        let digest = crate::sha256::sha256(b"hello");
        let sha1 = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d".parse().unwrap();
        assert_eq!(at("/etc/motd").kind, ImageFileKind::File { size: 5, digest, sha1 });
        assert_eq!((at("/etc/motd").mode, at("/etc/motd").gid), (0o640, 7));
        assert_eq!(at("/bin").kind, ImageFileKind::Symlink(b"usr/bin".to_vec()));
        assert_eq!(at("/etc/issue").kind, ImageFileKind::Hardlink(b"etc/motd".to_vec()));
        assert_eq!(at("/pipe").kind, ImageFileKind::Special);
        assert_eq!(files.kept.into_values().collect::<Vec<_>>(), [b"hello"]);
    }
}

/// A tar whose one name leads out of the image; the builder would refuse it.
fn outside() -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..5].copy_from_slice(b"../x\0");
    header.set_size(0);
    header.set_cksum();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append(&header, &b""[..]).unwrap();
    tar.into_inner().unwrap()
}

#[test]
fn a_layer_that_cannot_be_read_is_named() {
    let (_guard, root) = folder();
    let layout = Layout::open_or_create(root).unwrap();
    let good = gz(&tar(&[(tar::EntryType::Regular, "etc/motd", "", b"hello")]));
    for (why, bytes) in [
        ("no tar", vec![7; 2000]),
        ("cut", good[..good.len() - 20].to_vec()),
        ("outside", outside()),
    ] {
        let manifest = manifest_of(&layout, &[bytes]);
        let refused = layout.files(&manifest, &|_| true).unwrap_err();
        assert!(matches!(refused, LayoutError::Unreadable { .. }), "{why}: {refused}");
        assert!(!refused.hint().is_empty());
    }
    let manifest = manifest_of(&layout, &[good]);
    let blob = layout.blob_path(&manifest.layers[0].digest);
    fs::write(&blob, b"other").unwrap();
    let refused = layout.files(&manifest, &|_| true).unwrap_err();
    assert!(matches!(refused, LayoutError::BlobCorrupted { .. }), "{refused}");
    fs::remove_file(&blob).unwrap();
    let refused = layout.files(&manifest, &|_| true).unwrap_err();
    assert!(matches!(refused, LayoutError::BlobMissing { .. }), "{refused}");
}

#[test]
fn documents_are_attached_once_a_kind_and_found_by_their_subject() {
    let (_folder, path) = folder();
    let layout = Layout::open_or_create(path).unwrap();
    let subject = layout.write_index(Vec::new(), Annotations::new()).unwrap();
    let document = |text: &str| Document {
        artifact_type: "application/spdx+json".to_owned(),
        media_type: "application/spdx+json".to_owned(),
        bytes: text.as_bytes().to_vec(),
        annotations: Annotations::new(),
    };
    let old = layout.attach(&subject, &[document("old")]).unwrap();
    let new = layout.attach(&subject, &[document("new")]).unwrap();
    assert_ne!(old, new);
    assert_eq!(layout.referrers(&subject.digest).unwrap(), new);
    assert_eq!(layout.attach(&subject, &[document("new")]).unwrap(), new);
    assert_eq!(layout.referrers(&subject.digest).unwrap(), new);
    assert_eq!(layout.referrers(&new[0].digest).unwrap(), []);
}

/// A document about `subject` that says what it is of.
fn about(layout: &Layout, subject: &Descriptor, predicate: &str, text: &str) -> Descriptor {
    let document = Document {
        artifact_type: "application/vnd.in-toto+json".to_owned(),
        media_type: "application/vnd.in-toto+json".to_owned(),
        bytes: text.as_bytes().to_vec(),
        annotations: [(PREDICATE_TYPE.to_owned(), predicate.to_owned())].into(),
    };
    layout.attach(subject, &[document]).unwrap().remove(0)
}

#[test]
fn statements_of_another_kind_stay_beside_a_new_one() {
    let (_folder, path) = folder();
    let layout = Layout::open_or_create(path).unwrap();
    let subject = layout.write_index(Vec::new(), Annotations::new()).unwrap();
    let vex = about(&layout, &subject, "vex", "1");
    about(&layout, &subject, "provenance", "2");
    let provenance = about(&layout, &subject, "provenance", "3");
    let mut wanted = [vex, provenance];
    wanted.sort_by_key(|it| it.digest);
    assert_eq!(layout.referrers(&subject.digest).unwrap(), wanted);
}

#[test]
fn documents_that_an_entry_says_nothing_of_are_read() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let (one, other) = (write_index(&layout, "one"), write_index(&layout, "other"));
    let sbom = about(&layout, &one, "sbom", "text");
    let path = root.join("index.json");
    let text = fs::read_to_string(&path).unwrap();
    let said = format!("\"dmc.subject\":\"sha256:{}\"", one.digest);
    assert!(text.contains(&said), "{text}");
    fs::write(&path, text.replace(&said, "\"x\":\"\"")).unwrap();
    let found = layout.referrers(&one.digest).unwrap();
    assert_eq!((found.len(), found[0].digest), (1, sbom.digest));
    assert_eq!(layout.referrers(&other.digest).unwrap(), []);
    // The next document of that kind takes its place.
    let newer = about(&layout, &one, "sbom", "newer");
    assert_eq!(layout.referrers(&one.digest).unwrap(), [newer]);
}

#[test]
fn what_others_change_is_seen() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let one = write_index(&layout, "one");
    tag(&layout, &one, &[("nginx", "1")]);
    assert!(layout.resolve("nginx:2").unwrap().is_none());
    tag(&Layout::open(&root).unwrap(), &one, &[("nginx", "2")]);
    assert_eq!(layout.resolve("nginx:2").unwrap().unwrap().digest, one.digest);
}

#[test]
fn documents_go_with_their_subject() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let (kept, dropped) = (write_index(&layout, "kept"), write_index(&layout, "dropped"));
    tag(&layout, &kept, &[("nginx", "1")]);
    tag(&layout, &dropped, &[("other", "1")]);
    let stays = about(&layout, &kept, "sbom", "kept");
    let signature = about(&layout, &stays, "signature", "of the document");
    let goes = about(&layout, &dropped, "sbom", "dropped");
    let follows = about(&layout, &goes, "signature", "of what goes");
    layout.remove(&"other".parse().unwrap()).unwrap();
    // As long as another run may be about to name the subject, nothing happens.
    layout.collect_garbage("dmc", Duration::from_mins(10)).unwrap();
    assert_eq!(layout.referrers(&dropped.digest).unwrap(), std::slice::from_ref(&goes));
    let listed = layout.garbage("dmc", Duration::ZERO).unwrap();
    for gone in [&goes, &follows, &dropped] {
        assert!(listed.iter().any(|(path, _)| *path == layout.blob_path(&gone.digest)));
    }
    layout.collect_garbage("dmc", Duration::ZERO).unwrap();
    assert_eq!(layout.referrers(&kept.digest).unwrap(), std::slice::from_ref(&stays));
    assert_eq!(layout.referrers(&stays.digest).unwrap(), [signature]);
    for gone in [&goes, &follows] {
        assert!(!layout.blob_path(&gone.digest).exists());
    }
    let entries = layout.read_index().unwrap().manifests.clone();
    assert_eq!(entries.len(), 3, "one name and two documents: {entries:?}");
}

#[test]
fn a_document_is_checked_by_the_names_of_its_subject_and_is_no_image() {
    let (_folder, root) = folder();
    let layout = Layout::open_or_create(&root).unwrap();
    let one = write_index(&layout, "one");
    tag(&layout, &one, &[("nginx", "1")]);
    let images = layout.check().unwrap().images;
    let document = about(&layout, &one, "sbom", "text");
    let checked = layout.check().unwrap();
    assert_eq!(checked.images, images);
    assert_eq!(checked.named[&document.digest], ["nginx:1".to_owned()].into());
    assert!(checked.unsound.is_empty());
    let blob = crate::sha256::sha256(b"text");
    layout.remove_blob(&blob).unwrap();
    let checked = layout.check().unwrap();
    assert_eq!(checked.unsound, [(blob, Unsound::Missing)].into());
    assert_eq!(checked.named[&blob], ["nginx:1".to_owned()].into());
    layout.remove_blob(&document.digest).unwrap();
    assert_eq!(layout.referrers(&one.digest).unwrap(), []);
    layout.collect_garbage("dmc", Duration::ZERO).unwrap();
    assert_eq!(layout.read_index().unwrap().manifests.len(), 1);
}
