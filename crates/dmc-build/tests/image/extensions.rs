//! Extensions by a list: what is kept, how it is switched on, and what it costs.

use crate::stage::{Run, Stage, build, changed, json};
use dmc_build::{ExtensionCost, ExtensionCosts};
use dmc_testkit::{DebBuilder, ElfBuilder, FakeArchive};
use dmc_types::{Arch, PackageName};
use serde_json::Value;

/// nginx takes the part of the program that has extensions.
const HOST: &str = r#"
group = "base"
summary = "x"
extends = ["nginx"]

[extension]
package = "ext-{name}"
include = ["/usr/lib/ext/*.so"]
apart = ["gamma"]

[extension.switch]
files = ["/usr/share/ext/*.ini", "/etc/ext/all/*.ini"]
copy = "/etc/ext/all/{file}"
link = "/etc/ext/on/{mark}-{file}"
mark = "; priority="
unmarked = "20"
"#;

/// Bytes that do not compress, different for each seed.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn library(name: &str, seed: u32) -> DebBuilder {
    let file =
        ElfBuilder::library(Arch::Amd64, &format!("{name}.so.1")).rodata(&noise(seed, 60_000));
    DebBuilder::new(&format!("{name}1"), "1-1", "amd64")
        .file(&format!("/usr/lib/x86_64-linux-gnu/{name}.so.1"), file.build())
        .file(&format!("/usr/share/doc/{name}1/copyright"), "License\n")
}

fn extension(name: &str, needs: &[&str]) -> DebBuilder {
    let plugin = needs.iter().fold(ElfBuilder::plugin(Arch::Amd64), |elf, need| elf.needs(need));
    let copyright = format!("/usr/share/doc/ext-{name}/copyright");
    DebBuilder::new(&format!("ext-{name}"), "1-1", "amd64")
        .file(&format!("/usr/lib/ext/{name}.so"), plugin.build())
        .file(&copyright, "License\n")
}

/// alpha and beta share a library; alpha depends on core; beta's package holds gamma too.
fn archive() -> FakeArchive {
    let core = extension("core", &[]).file("/usr/share/ext/core.ini", "; priority=10\n");
    let alpha = extension("alpha", &["libalpha.so.1", "libshared.so.1"])
        .field("Depends", "libalpha1, libshared1, ext-core")
        .file("/usr/share/ext/alpha.ini", "; alpha\n; priority=30\n");
    let gamma = ElfBuilder::plugin(Arch::Amd64).needs("libgamma.so.1").build();
    let beta = extension("beta", &["libshared.so.1"])
        .field("Depends", "libshared1, libgamma1, ext-core")
        .field("Provides", "ext-gamma, ext-beta-two")
        .conffile("/etc/ext/all/beta.ini", "beta\n")
        .file("/usr/lib/ext/gamma.so", gamma)
        .file("/usr/share/ext/gamma.ini", "gamma\n");
    let tools = DebBuilder::new("ext-tools", "1-1", "amd64").file("/usr/bin/tool", "x");
    let libraries = [library("libalpha", 1), library("libshared", 2), library("libgamma", 3)];
    let mut all: Vec<DebBuilder> = vec![core, alpha, beta, tools];
    all.extend(libraries);
    changed(|suite| suite.debs.extend(all.into_iter().map(|deb| ("main".to_owned(), deb))))
}

fn built(stage: &Stage, list: &str) -> Run {
    let child =
        format!("group = \"app\"\nsummary = \"x\"\nextends = [\"host\"]\nextensions = [{list}]\n");
    let mut settings = stage.settings_with("", &[("host", HOST), ("it", &child)]);
    settings.conf.archs = vec![Arch::Amd64];
    build(settings, &["it"])
}

fn costs(run: &Run) -> ExtensionCosts {
    run.images["it amd64"].extensions.clone().unwrap()
}

fn packages(cost: &ExtensionCost) -> Vec<&str> {
    cost.packages.iter().map(PackageName::as_str).collect()
}

/// What is on record of the files of the image.
fn record(stage: &Stage, run: &Run) -> Value {
    let manifest = run.images["it amd64"].manifest.digest;
    json(&stage.path("out/dmc").join(format!("{manifest}.json")))["files"].clone()
}

#[test]
fn files_are_kept_and_switched_on_in_the_order_that_they_say() {
    let stage = Stage::with(&archive());
    let run = built(&stage, "\"alpha\", \"beta_two\"").good();
    let files = record(&stage, &run);
    for (path, made) in [
        ("/etc/ext/all/alpha.ini", "copy of /usr/share/ext/alpha.ini"),
        ("/etc/ext/all/core.ini", "copy of /usr/share/ext/core.ini"),
        ("/etc/ext/on/30-alpha.ini", "link of the template"),
        ("/etc/ext/on/10-core.ini", "link of the template"),
        ("/etc/ext/on/20-beta.ini", "link of the template"),
    ] {
        assert_eq!(files[path]["made"], made, "{path} in {files:#}");
    }
    for (path, name) in [
        ("/usr/lib/ext/alpha.so", "alpha"),
        ("/usr/lib/ext/beta.so", "beta_two"),
        ("/etc/ext/all/beta.ini", "beta_two"),
        ("/usr/lib/ext/core.so", "alpha"),
    ] {
        let reason = &files[path]["reasons"][0];
        assert_eq!(
            (&reason["kind"], &reason["what"]),
            (&"extension".into(), &name.into()),
            "{path}"
        );
    }
    for path in ["/usr/lib/ext/gamma.so", "/etc/ext/on/20-gamma.ini", "/usr/share/ext/alpha.ini"] {
        assert!(files.get(path).is_none(), "{path} is in the image");
    }
}

#[test]
fn an_extension_apart_comes_by_its_own_name_with_the_others_of_its_package() {
    let stage = Stage::with(&archive());
    let run = built(&stage, "\"gamma\"").good();
    let files = record(&stage, &run);
    for path in ["/usr/lib/ext/gamma.so", "/etc/ext/on/20-gamma.ini", "/usr/lib/ext/beta.so"] {
        assert!(files.get(path).is_some(), "{path} is not in the image");
    }
    let run = built(&stage, "\"beta\", \"gamma\"").good();
    assert_eq!(packages(&costs(&run).each[1]), ["libgamma1"]);
}

#[test]
fn a_cost_is_what_the_image_is_smaller_by_without_the_extension() {
    let stage = Stage::with(&archive());
    let both = built(&stage, "\"alpha\", \"beta\"").good();
    let ExtensionCosts { each, together } = costs(&both);
    assert_eq!(packages(&each[0]), ["ext-alpha", "libalpha1"]);
    assert_eq!(packages(&each[1]), ["ext-beta"]);
    let all = ["ext-alpha", "ext-beta", "ext-core", "libalpha1", "libshared1"];
    assert_eq!(packages(&together), all);
    assert!(each[0].size > 60_000 && together.size > 120_000, "{each:?}");
    // The library and the plugin, each one's copyright and two records, settings and the link.
    assert_eq!(each[0].files, 2 + 2 + 4 + 2, "{each:?}");

    let size = |run: &Run| run.images["it amd64"].layer_size;
    let one = built(&stage, "\"beta\"").good();
    let saved = size(&both) - size(&one);
    assert!(saved.abs_diff(each[0].compressed) < 2000, "{saved} saved, {each:?}");
}

#[test]
fn an_image_without_extensions_has_no_costs() {
    let stage = Stage::with(&archive());
    assert_eq!(stage.build().good().images["nginx amd64"].extensions, None);
}

#[test]
fn what_is_no_extension_is_named_with_the_nearest() {
    let stage = Stage::with(&archive());
    for (why, name, parts) in [
        ("a slip", "alhpa", ["there is no extension `alhpa`", "similar names: alpha"]),
        ("nothing like it", "deployment", ["no package ext-deployment for amd64", "`extensions`"]),
        ("another kind", "tools", ["ext-tools has no file /usr/lib/ext/*.so", "another kind"]),
        ("no package's name", "x+.-", ["there is no extension", "hint"]),
    ] {
        built(&stage, &format!("\"{name}\"")).said(why, &parts);
    }
}
