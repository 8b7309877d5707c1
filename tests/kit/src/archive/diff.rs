//! `Packages.diff/`: patches from what a suite was before to what it is.

use super::FakeSuite;
use super::index::{digest, text};
use crate::Compression;
use dmc_types::Arch;
use std::collections::BTreeMap;
use std::fmt::Write as _;

type Files = BTreeMap<String, Vec<u8>>;

/// The index of patches, which the release lists, and the patches, which it does not.
pub(super) fn files(
    suite: &FakeSuite,
    component: &str,
    arch: Arch,
    listed: &Files,
) -> (Files, Files) {
    let stem = format!("{component}/binary-{arch}/Packages");
    let now = String::from_utf8_lossy(&listed[&stem]).into_owned();
    let mut texts: Vec<String> =
        suite.before.iter().map(|before| text(before, component, arch)).collect();
    texts.push(now.clone());
    let row = |bytes: &[u8], name: &str| {
        format!(" {} {:>8} {name}\n", digest("SHA256", bytes), bytes.len())
    };
    let (mut history, mut plain, mut packed) = (String::new(), String::new(), String::new());
    let mut patches = Files::new();
    for (number, pair) in texts.windows(2).enumerate() {
        let day = format!("2025-08-{:02}-0800.00", number + 1);
        let (name, to) = if suite.merged {
            (format!("T-2025-09-01-0800.00-F-{day}"), &now)
        } else {
            (day, &pair[1])
        };
        let patch = script(&pair[0], to);
        let bytes = Compression::Gz.pack(patch.as_bytes());
        history += &row(pair[0].as_bytes(), &name);
        plain += &row(patch.as_bytes(), &name);
        packed += &row(&bytes, &format!("{name}.gz"));
        patches.insert(format!("{stem}.diff/{name}.gz"), bytes);
    }
    let current = format!("{} {}", digest("SHA256", now.as_bytes()), now.len());
    let mut index = format!(
        "SHA256-Current: {current}\nSHA256-History:\n{history}SHA256-Patches:\n{plain}\
         SHA256-Download:\n{packed}"
    );
    if suite.merged {
        index += "X-Patch-Precedence: merged\n";
    }
    (Files::from([(format!("{stem}.diff/Index"), index.into_bytes())]), patches)
}

/// An ed script from one text to another, as `diff --ed` writes it: the last change first.
fn script(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let common = common(&old, &new);
    let mut script = String::new();
    let (mut end_old, mut end_new) = (old.len(), new.len());
    for (at_old, at_new) in common.into_iter().rev().chain([(usize::MAX, usize::MAX)]) {
        let (from_old, from_new) = (at_old.wrapping_add(1), at_new.wrapping_add(1));
        let (gone, come) = (end_old - from_old, &new[from_new..end_new]);
        let place =
            if gone > 1 { format!("{},{end_old}", from_old + 1) } else { format!("{end_old}") };
        let sign = match (gone, come.len()) {
            (0, 0) => "",
            (0, _) => "a",
            (_, 0) => "d",
            _ => "c",
        };
        if !sign.is_empty() {
            writeln!(script, "{place}{sign}").expect("a String takes all");
        }
        if !come.is_empty() {
            writeln!(script, "{}\n.", come.join("\n")).expect("a String takes all");
        }
        (end_old, end_new) = (at_old, at_new);
    }
    script
}

/// Places of lines that both texts have, in the order of both: as many as can be.
fn common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let alike =
        |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let start = alike(&mut old.iter().zip(new));
    let (rest_old, rest_new) = (&old[start..], &new[start..]);
    let end = alike(&mut rest_old.iter().rev().zip(rest_new.iter().rev()));
    let between = in_order(&rest_old[..rest_old.len() - end], &rest_new[..rest_new.len() - end]);
    let between = between.into_iter().map(|(a, b)| (start + a, start + b));
    let after = (1..=end).rev().map(|back| (old.len() - back, new.len() - back));
    (0..start).map(|at| (at, at)).chain(between).chain(after).collect()
}

fn in_order(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let mut longest = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            longest[a][b] = if old[a] == new[b] {
                longest[a + 1][b + 1] + 1
            } else {
                longest[a + 1][b].max(longest[a][b + 1])
            };
        }
    }
    let (mut a, mut b, mut pairs) = (0, 0, Vec::new());
    while a < old.len() && b < new.len() {
        if old[a] == new[b] {
            pairs.push((a, b));
            (a, b) = (a + 1, b + 1);
        } else if longest[a + 1][b] >= longest[a][b + 1] {
            a += 1;
        } else {
            b += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn scripts_are_those_of_diff_where_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (old, new) in [
            ("a\nb\nc\n", "a\nb\nc\n"),
            ("a\nb\nc\n", "b\nx\nc\nd\n"),
            ("", "a\n\nb\n"),
            ("a\nb\nc\nd\n", "a\nd\n"),
            ("a\nb\nc\nd\ne\n", "x\nb\ny\nz\nd\n"),
        ] {
            std::fs::write(path("old"), old).unwrap();
            std::fs::write(path("new"), new).unwrap();
            let mut diff = Command::new("diff");
            let Ok(out) = diff.arg("--ed").args([path("old"), path("new")]).output() else {
                return;
            };
            assert_eq!(script(old, new), String::from_utf8(out.stdout).unwrap(), "{old}{new}");
        }
    }
}
