//! Each rule of `conf/rules` matters: with it a program of Debian's works, without it fails.
//!
//! The table is `rules.toml`. Programs run in the unpacked layer, by `chroot`: no /proc, no /dev, and
//! nothing of this machine but its network.

use dmc_e2e::{Done, Layout, Workplace, need_root, run, tool, unpack_layer};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    part: Vec<Part>,
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    name: String,
    template: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Row {
    rule: String,
    template: String,
    run: Vec<String>,
    status: i32,
    says: String,
    without: String,
    log: Option<String>,
    root: bool,
    greeting: bool,
    strict: bool,
    notes: Option<String>,
}

fn table() -> Table {
    toml::from_str(include_str!("rules.toml")).unwrap()
}

/// The files of rules, by name.
fn shipped() -> BTreeMap<String, toml::Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/rules");
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let read = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), text.parse().unwrap())
    };
    entries.map(read).collect()
}

fn names(file: &toml::Table) -> impl Iterator<Item = &str> {
    file["rule"].as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap())
}

#[test]
fn every_rule_has_a_row_that_shows_that_it_matters() {
    let (files, table) = (shipped(), table());
    let rules: BTreeSet<&str> = files.values().flat_map(names).collect();
    let rows: BTreeSet<&str> = table.row.iter().map(|row| row.rule.as_str()).collect();
    assert_eq!(rules, rows);
}

#[test]
fn with_a_rule_its_program_works_and_without_it_fails() {
    need_root("it changes into the images' folders");
    let (workplace, table) = (Workplace::new(), table());
    let parts = table.part.iter().map(|part| (&part.name, "abstract = true\n", &part.template));
    let rows = table.row.iter().map(|row| (&row.rule, "", &row.template));
    for (name, kind, text) in parts.chain(rows) {
        let folder = workplace.root().join("rows").join(name);
        fs::create_dir_all(&folder).unwrap();
        let text = format!("group = \"app\"\nsummary = \"s\"\n{kind}{text}");
        fs::write(folder.join("template.toml"), text).unwrap();
    }
    let all: Vec<&str> = table.row.iter().map(|row| row.rule.as_str()).collect();
    let whole = images(&build(&workplace, &all.join(","), &[]).ok());
    let wrong: Vec<String> = table
        .row
        .iter()
        .filter_map(|row| judge(&workplace, row, &whole[&row.rule]).err())
        .collect();
    assert!(wrong.is_empty(), "{} of {} rows\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

fn build(workplace: &Workplace, templates: &str, more: &[&str]) -> Done {
    let fixed = ["--templates-dir", "rows", "-A", "amd64", "--json", "-t", templates];
    workplace.run(&[&fixed, more].concat())
}

/// What was built for each template.
fn images(done: &Done) -> BTreeMap<String, Value> {
    let values = done.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    values
        .filter(|value| value["arch"] == "amd64")
        .map(|value| (value["template"].as_str().unwrap().to_owned(), value))
        .collect()
}

/// Holds a row against the image with all rules, and one without its own.
fn judge(workplace: &Workplace, row: &Row, whole: &Value) -> Result<(), String> {
    let conf = conf_without(workplace, &row.rule);
    let strict: &[&str] = if row.strict { &["--strict"] } else { &[] };
    let done = build(workplace, &row.rule, &[&["--conf", &conf], strict].concat());
    let without = images(&done).remove(&row.rule);
    let claims = |holds: bool, what: &str, shown: &str| {
        if holds { Ok(()) } else { Err(format!("--- {}: {what}\n{shown}", row.rule)) }
    };
    if row.strict {
        let good = build(workplace, &row.rule, strict);
        claims(good.code == Some(0), "--strict refuses", &good.stderr)?;
        let refused = done.code != Some(0) && done.stderr.contains(&row.without);
        return claims(refused, "--strict does not refuse without it", &done.stderr);
    }
    if let Some(note) = &row.notes {
        let told = |image: &Value| image["notes"].to_string().contains(note);
        claims(told(whole), "the note is not told", &whole.to_string())?;
        return claims(without.is_some_and(|image| !told(&image)), "others tell it", &done.stderr);
    }
    let (good, text) = works(workplace, row, whole, "with");
    claims(good, "its program does not work", &text)?;
    let (good, text) = match &without {
        Some(image) => works(workplace, row, image, "without"),
        None => (false, done.stderr),
    };
    claims(!good && text.contains(&row.without), "its program does not fail without it", &text)
}

/// A configuration with all rules but one: its file.
fn conf_without(workplace: &Workplace, rule: &str) -> String {
    let folder = format!("all-but-{rule}");
    fs::create_dir(workplace.root().join(&folder)).unwrap();
    for (name, mut file) in shipped() {
        file["rule"].as_array_mut().unwrap().retain(|entry| entry["name"].as_str() != Some(rule));
        let text = toml::to_string(&file).unwrap();
        fs::write(workplace.root().join(&folder).join(name), text).unwrap();
    }
    let conf = format!("{folder}.conf");
    fs::write(workplace.root().join(&conf), format!("rules = \"{folder}\"\n")).unwrap();
    conf
}

/// Runs a row's program in an image: whether it works, and what it said.
fn works(workplace: &Workplace, row: &Row, image: &Value, which: &str) -> (bool, String) {
    let root = workplace.root().join(format!("{which}-{}", row.rule));
    let layout = Layout::open(&workplace.out());
    let environment = unpack_layer(&layout, image["digest"].as_str().unwrap(), &root);
    let port = if row.greeting { greet() } else { 0 };
    let mut command = tool("/usr/sbin/chroot", "coreutils");
    command.env_clear().envs(environment);
    if !row.root {
        command.arg("--userspec=65532:65532");
    }
    let args = row.run.iter().map(|arg| arg.replace("PORT", &port.to_string()));
    let done = run(command.arg(&root).args(args));
    let log = row.log.as_ref().and_then(|log| fs::read(root.join(log.trim_matches('/'))).ok());
    let log = String::from_utf8_lossy(&log.unwrap_or_default()).into_owned();
    fs::remove_dir_all(&root).unwrap();
    let text = [done.stdout, done.stderr, log].concat();
    let good =
        done.code == Some(row.status) && text.contains(&row.says) && !text.contains(&row.without);
    (good, text)
}

/// A server that asks its first client for `caching_sha2_password` and then hangs up: its port.
fn greet() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hello = [
        b"\x0a11.8.0\0\x01\0\0\x0012345678\0\xff\xf7\x21\x02\0\xff\x81\x15".as_slice(),
        &[0; 10],
        b"123456789012\0mysql_native_password\0",
    ]
    .concat();
    let switch = b"\xfecaching_sha2_password\x0012345678901234567890\0".to_vec();
    std::thread::spawn(move || {
        let Ok((mut client, _)) = listener.accept() else { return };
        let _ = client.set_read_timeout(Some(Duration::from_secs(20)));
        for (number, message) in [(0, hello), (2, switch)] {
            let head = [u8::try_from(message.len()).unwrap(), 0, 0, number];
            let _ = client.write_all(&[&head, message.as_slice()].concat());
            let _ = client.read(&mut [0; 1024]);
        }
    });
    port
}
