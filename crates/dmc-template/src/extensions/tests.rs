use super::*;
use crate::{Catalog, TemplateFolder};
use std::collections::BTreeMap;

const TABLE: &str = r#"
[extension]
package = "php8.4-{name}"
include = ["/usr/lib/php/*.so", "/usr/lib/{triplet}/php/*.so"]
apart = ["xsl"]
[extension.switch]
files = ["/usr/share/php8.4-*/*/*.ini"]
copy = "/etc/php/mods-available/{file}"
link = "/etc/php/conf.d/{mark}-{file}"
mark = "; priority="
unmarked = "20"
"#;

fn catalog(folders: &[(&str, &str)]) -> Catalog {
    let folder = |(name, text): &(&str, &str)| TemplateFolder {
        name: (*name).to_owned(),
        files: BTreeMap::from([(
            "template.toml".to_owned(),
            format!("group = \"base\"\nsummary = \"x\"\n{text}").into_bytes().into(),
        )]),
        origin: format!("templates/{name}"),
    };
    Catalog::read(folders.iter().map(folder).collect())
}

fn extensions(catalog: &Catalog, name: &str) -> Option<Extensions> {
    catalog.get(name).unwrap().for_arch(Arch::Arm64).unwrap().extensions
}

#[test]
fn a_child_adds_to_the_list_and_the_table_stays() {
    let parent = format!("extensions = [\"xml\", \"zip\"]\n{TABLE}");
    let catalog = catalog(&[
        ("php", &parent),
        ("child", "extends = [\"php\"]\nextensions = [\"pdo_mysql\", \"zip\"]"),
        ("bare", TABLE),
    ]);
    let child = extensions(&catalog, "child").unwrap();
    let names: Vec<&str> = child.names.iter().map(ExtensionName::as_str).collect();
    assert_eq!(names, ["xml", "zip", "pdo_mysql"]);
    assert_eq!(child.package.package(&child.names[2]).unwrap().as_str(), "php8.4-pdo-mysql");
    assert_eq!(child.include[1].as_str(), "/usr/lib/aarch64-linux-gnu/php/*.so");
    assert_eq!(child.apart[0].as_str(), "xsl");
    assert_eq!(extensions(&catalog, "bare"), None, "a table without a list is nothing to do");
}

#[test]
fn a_file_says_where_in_the_order_it_is_loaded() {
    let catalog = catalog(&[("php", &format!("extensions = [\"xml\"]\n{TABLE}"))]);
    let switch = extensions(&catalog, "php").unwrap().switch.unwrap();
    for (why, text, mark) in [
        ("said", "; configuration\n; priority=15\nextension=x.so\n", "15"),
        ("not said", "extension=x.so\n", "20"),
        ("said with more", "; priority=10 first\n", "10"),
        ("said empty", "; priority=\n", "20"),
        ("within a line", "x ; priority=15\n", "20"),
        ("no number, but harmless", "; priority=a/../../b\n", "a"),
        ("very long", &format!("; priority={}\n", "7".repeat(99)), "7777777777777777"),
    ] {
        let (copy, link) = switch.places("xml.ini", text.as_bytes()).unwrap();
        assert_eq!(copy.to_string(), "/etc/php/mods-available/xml.ini", "{why}");
        assert_eq!(link.to_string(), format!("/etc/php/conf.d/{mark}-xml.ini"), "{why}");
    }
    assert!(switch.places("../../../x", b"").is_err());
}

#[test]
#[expect(clippy::literal_string_with_formatting_args, reason = "the template's own placeholder")]
fn packages_are_known_as_extensions_by_their_names() {
    let pattern = ExtensionPackage::try_from("php8.4-{name}".to_owned()).unwrap();
    for (package, name) in
        [("php8.4-gd", Some("gd")), ("php8.4-", None), ("php-gd", None), ("libgd3", None)]
    {
        assert_eq!(pattern.name(&package.parse().unwrap()), name, "{package}");
    }
}

#[test]
fn a_list_without_a_table_and_wrong_words_are_refused() {
    let list = "extensions = [\"gd\"]\n";
    let replaced = |from: &str, to: &str| format!("{list}{}", TABLE.replace(from, to));
    for (why, text, said) in [
        ("no table", list.to_owned(), "nothing that it extends has extensions"),
        ("a name of signs", "extensions = [\"../gd\"]".to_owned(), "name of an extension"),
        ("no {name}", replaced("-{name}", ""), "pattern of packages"),
        ("{name} twice", replaced("{name}", "{name}{name}"), "pattern of packages"),
        ("no {file}", replaced("{mark}-{file}", "x"), "with `{file}` in it"),
        ("a relative path", replaced("\"/etc/php/conf.d", "\"etc"), "with `{file}` in it"),
        ("a key too many", replaced("apart", "aprat"), "unknown key `aprat`"),
        ("no patterns", replaced("include = [", "x = ["), "unknown key `x`"),
    ] {
        let error = catalog(&[("it", &text)]).get("it").unwrap_err();
        assert!(error.to_string().contains(said), "{why}: {error}");
    }
    let error = catalog(&[("it", list)]).get("it").unwrap_err();
    assert!(error.hint().unwrap().contains("`php`"));
}
