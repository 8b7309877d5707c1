use super::*;

/// Written by Debian 13's ldconfig over a few packages, that of arm64 under qemu.
const WRITTEN: [(Arch, &[u8]); 2] =
    [(Arch::Amd64, include_bytes!("amd64.cache")), (Arch::Arm64, include_bytes!("arm64.cache"))];
const NAME: &str = "ldconfig (Debian GLIBC 2.41-12+deb13u4) stable release version 2.41";

/// Names and paths of a little-endian cache, in its order.
fn entries(cache: &[u8]) -> Vec<(String, String)> {
    let number = |at: usize| u32::from_le_bytes(cache[at..at + 4].try_into().unwrap()) as usize;
    let text = |at: usize| {
        let bytes = cache[at..].split(|byte| *byte == 0).next().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let starts = (0..number(20)).map(|entry| HEADER + ENTRY * entry);
    starts.map(|at| (text(number(at + 4)), text(number(at + 8)))).collect()
}

#[test]
fn the_cache_is_byte_for_byte_what_ldconfig_writes() {
    for (arch, written) in WRITTEN {
        let mut entries = entries(written);
        assert!(entries.len() > 20);
        // Names in another order; those that tie stay as the folders come.
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        assert!(loader_cache(arch, &entries, NAME) == written, "{arch}");
    }
}

#[test]
fn big_endian_numbers_are_big_endian() {
    let entry = ("libx.so.1".to_owned(), "/lib/libx.so.1".to_owned());
    let cache = loader_cache(Arch::S390x, &[entry], NAME);
    assert_eq!(&cache[20..29], [0, 0, 0, 1, 0, 0, 0, 15, 3]);
    assert_eq!(&cache[48..60], [0, 0, 4, 3, 0, 0, 0, 77, 0, 0, 0, 72]);
}

#[test]
fn names_are_in_descending_order_with_numbers_by_value() {
    let names = ["libz.so.10", "libz.so.9", "libz.so", "libz-1.so", "liba9.so", "liba.so"];
    let mut sorted = names.to_vec();
    sorted.sort_by(|one, other| compare(other.as_bytes(), one.as_bytes()));
    assert_eq!(sorted, names);
    assert_eq!(compare(b"a99999999999999999999999", b"a9"), Ordering::Greater);
}

#[test]
fn of_two_folders_with_one_name_the_first_is_found() {
    let both = ["/b", "/a"].map(|folder| ("libx.so.1".to_owned(), format!("{folder}/libx.so.1")));
    let cache = loader_cache(Arch::Amd64, &both, NAME);
    assert_eq!(entries(&cache), both);
}

#[test]
fn folders_are_those_of_configuration_and_the_default_ones() {
    let files = BTreeMap::from([
        ("/etc/ld.so.conf", "include ld.so.conf.d/*.conf\n/opt/last\n"),
        ("/etc/ld.so.conf.d/a.conf", "# x\n/usr/lib/x86_64-linux-gnu/libfakeroot # y\n"),
        ("/etc/ld.so.conf.d/b.conf", "/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n"),
        ("/etc/ld.so.conf.d/c.conf", "include /etc/ld.so.conf.d/c.conf\nrelative\n"),
    ]);
    let path = |text: &str| ImagePath::parse(text).unwrap();
    let read = |path: &ImagePath| Some(files.get(&*path.to_string())?.as_bytes().to_vec());
    let list = |glob: &PathGlob| {
        files.keys().map(|file| path(file)).filter(|file| glob.matches(file)).collect()
    };
    let folders = library_folders(Arch::Amd64, &read, &list);
    let given: Vec<String> = folders.iter().map(|(given, _)| given.to_string()).collect();
    assert_eq!(
        given,
        ["/usr/lib/x86_64-linux-gnu/libfakeroot", "/lib/x86_64-linux-gnu", "/opt/last", "/lib"]
    );
    assert_eq!(folders[1].1, path("/usr/lib/x86_64-linux-gnu"));
}

#[test]
fn names_are_sonames_and_links_for_the_linker() {
    let library = |name: &str, soname: Option<&str>, link| Library {
        name: name.to_owned(),
        soname: soname.map(str::to_owned),
        link,
    };
    let names = library_names(&[
        library("libz.so.1.3.1", Some("libz.so.1"), false),
        library("libz.so.1", Some("libz.so.1"), true),
        library("libz.so", Some("libz.so.1"), true),
        library("libother.so.2", Some("libz.so.1"), true),
        library("libplain.so", None, false),
    ]);
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["libplain.so", "libz.so", "libz.so.1"]);
    assert!(is_library_name("ld-linux-x86-64.so.2") && is_library_name("libz.so"));
    assert!(!is_library_name("libz.a") && !is_library_name("gconv.so"));
}

#[test]
fn ldconfig_says_its_own_name() {
    let program = [b"\x7fELF\0ldconfig (x\0".as_slice(), b"y"].concat();
    assert_eq!(generator(&program).as_deref(), Some("ldconfig (x"));
    assert_eq!(generator(b"ldconfig"), None);
    assert_eq!(generator(b"ldconfig (\xff\0"), None);
}
