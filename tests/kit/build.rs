//! Compiles the two small C programs of the kit with the compiler that links Rust's.

use std::path::Path;
use std::process::Command;

fn main() {
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    for (source, made, flags) in
        [("c/disk.c", "disk", &[][..]), ("c/clock.c", "clock.so", &["-shared", "-fPIC"])]
    {
        println!("cargo::rerun-if-changed={source}");
        let mut compile = Command::new(&cc);
        compile.args(["-O1", "-Wall"]).args(flags).arg(source).arg("-o");
        let done = compile.arg(Path::new(&out).join(made)).status();
        if !done.is_ok_and(|status| status.success()) {
            println!("cargo::error={cc} did not compile {source}");
        }
    }
}
