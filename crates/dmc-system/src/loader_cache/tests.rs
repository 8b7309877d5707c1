use super::*;
use std::path::Path;

fn scan(root: &str, arch: Arch) -> Vec<u8> {
    let at = |p: &ImagePath| Path::new(root).join(String::from_utf8_lossy(p.relative()).as_ref());
    let generated_by =
        generator(&std::fs::read(format!("{root}/usr/sbin/ldconfig")).unwrap()).unwrap();
    let read = |p: &ImagePath| std::fs::read(at(p)).ok();
    let list = |glob: &PathGlob| {
        let mut v: Vec<ImagePath> = std::fs::read_dir(format!("{root}/etc/ld.so.conf.d"))
            .unwrap()
            .map(|e| {
                ImagePath::parse(format!(
                    "/etc/ld.so.conf.d/{}",
                    e.unwrap().file_name().to_str().unwrap()
                ))
                .unwrap()
            })
            .filter(|p| glob.matches(p))
            .collect();
        v.sort();
        v
    };
    let mut entries = Vec::new();
    for (given, place) in library_folders(arch, &read, &list) {
        let Ok(dir) = std::fs::read_dir(at(&place)) else { continue };
        let mut libs = Vec::new();
        for e in dir {
            let e = e.unwrap();
            let name = e.file_name().into_string().unwrap();
            if !is_library_name(&name) {
                continue;
            }
            let Ok(real) = std::fs::canonicalize(e.path()) else { continue };
            if real.is_dir() {
                continue;
            }
            let out = std::process::Command::new("readelf").arg("-d").arg(&real).output().unwrap();
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            if !text.contains("Dynamic section") {
                continue;
            }
            let soname = text
                .lines()
                .find(|l| l.contains("(SONAME)"))
                .and_then(|l| Some(l.split_once('[')?.1.trim_end_matches(']').to_owned()));
            libs.push(Library { name, soname, link: e.file_type().unwrap().is_symlink() });
        }
        for n in library_names(&libs) {
            entries.push((n.clone(), format!("{given}/{n}")));
        }
    }
    loader_cache(arch, &entries, &generated_by)
}

#[test]
fn scratch() {
    for (root, arch) in [("/tmp/w/sys/ld-amd64", Arch::Amd64), ("/tmp/w/sys/ld-arm64", Arch::Arm64)]
    {
        let ours = scan(root, arch);
        std::fs::write(format!("{root}/ours.cache"), &ours).unwrap();
        assert!(ours == std::fs::read(format!("{root}/etc/ld.so.cache")).unwrap(), "{arch}");
    }
}
