//! The pages and schemas in docs/ that are made from the code's own types. `scripts/bless` renews
//! them.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Compares a file of docs/ with what it must be, or writes it.
fn check(name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("INSTA_UPDATE").is_some_and(|how| how == "always") {
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/{name} is not what the code says: run scripts/bless");
}

fn pretty(schema: &schemars::Schema) -> String {
    serde_json::to_string_pretty(schema).unwrap() + "\n"
}

#[test]
fn the_schemas_in_docs_are_those_of_the_code() {
    check("template.schema.json", &pretty(&dmc_template::template_schema()));
    check("rule.schema.json", &pretty(&dmc_template::rule_schema()));
}

#[test]
fn the_page_of_keys_is_made_from_the_schema() {
    let schema = dmc_template::template_schema().to_value();
    let mut page = String::from(
        "# Every key of a template\n\n\
         Made from the types that read `template.toml`; [templates.md](templates.md) explains how \
         templates are written, and [template.schema.json](template.schema.json) is the same for \
         editors: `#:schema docs/template.schema.json` in a template's first line. Keys that are \
         missing are empty; an unknown key is an error.\n\n\
         `{triplet}` and `{arch}` in paths and patterns stand for the architecture's multiarch \
         folder and Debian name.\n",
    );
    let tables = schema["$defs"].as_object().unwrap();
    write_table(&mut page, &schema, tables);
    for (name, table) in tables {
        if table["properties"].is_object() {
            let _ = write!(page, "\n## {name}\n\n{}\n", text(&table["description"]));
            write_table(&mut page, table, tables);
        }
    }
    assert!(page.contains("| `packages` |"), "{page}");
    check("template-keys.md", &page);
}

fn write_table(page: &mut String, table: &Value, all: &Map<String, Value>) {
    let _ = write!(page, "\n| key | value | meaning |\n|---|---|---|\n");
    let required: Vec<&str> =
        table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, value) in table["properties"].as_object().unwrap() {
        let needed = if required.contains(&key.as_str()) { ", needed" } else { "" };
        let _ = writeln!(
            page,
            "| `{key}` | {}{needed} | {} |",
            kind(value, all),
            text(&value["description"]).replace('\n', " ")
        );
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace('|', "\\|")
}

/// What a value is, in a few words.
fn kind(value: &Value, all: &Map<String, Value>) -> String {
    if let Some(name) = value["$ref"].as_str() {
        let name = name.trim_start_matches("#/$defs/");
        let word = &all[name];
        return match word["description"].as_str() {
            _ if word["properties"].is_object() => format!("[{name}](#{})", name.to_lowercase()),
            Some(meaning) => {
                let end = meaning.find(['.', ':', ',']).unwrap_or(meaning.len());
                let meaning = meaning[..end].replace('\n', " ");
                ["A ", "An ", "The "]
                    .iter()
                    .find_map(|article| meaning.strip_prefix(article))
                    .unwrap_or(&meaning)
                    .to_owned()
            }
            None => kind(word, all),
        };
    }
    let forms = value["anyOf"].as_array().or_else(|| value["oneOf"].as_array());
    if let Some(forms) = forms {
        let forms = forms.iter().filter(|form| form["type"] != "null");
        let forms: Vec<String> = forms.map(|form| kind(form, all)).collect();
        return forms.join(" or ");
    }
    let named = match &value["type"] {
        Value::Array(types) => types.iter().find(|name| *name != "null"),
        name => Some(name),
    };
    match named.and_then(Value::as_str) {
        Some("array") => format!("list of {}", kind(&value["items"], all)),
        Some("object") if value["additionalProperties"].is_object() => {
            format!("table of {}", kind(&value["additionalProperties"], all))
        }
        Some("string") => "text".to_owned(),
        Some("integer") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some(other) => other.to_owned(),
        None => "anything".to_owned(),
    }
}

#[test]
fn the_shipped_templates_and_rules_are_valid_by_the_schemas() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let valid = |schema: schemars::Schema, path: &Path| {
        let toml = fs::read_to_string(path).unwrap();
        let value: Value = toml::from_str(&toml).unwrap();
        let validator = jsonschema::validator_for(&schema.to_value()).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    };
    for entry in fs::read_dir(root.join("templates")).unwrap() {
        let path = entry.unwrap().path().join("template.toml");
        valid(dmc_template::template_schema(), &path);
    }
    for entry in fs::read_dir(root.join("conf/rules")).unwrap() {
        valid(dmc_template::rule_schema(), &entry.unwrap().path());
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = jsonschema::validator_for(&dmc_template::template_schema().to_value()).unwrap();
    let head = "group = \"base\"\nsummary = \"x\"\n";
    for (why, rest) in [
        ("an unknown key", "packagse = []"),
        ("a number for a text", "user = 5"),
        ("a string for an array", "entrypoint = \"nginx\""),
        ("a key of a table", "users = [{ name = \"a\", uid = 1, hoem = \"/\" }]"),
    ] {
        let value: Value = toml::from_str(&format!("{head}{rest}")).unwrap();
        assert!(!validator.is_valid(&value), "{why}");
    }
    assert!(validator.is_valid(&toml::from_str(head).unwrap()));
}
