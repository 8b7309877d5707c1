//! Patches against the texts that they make.

use super::*;
use proptest::prelude::*;
use std::io::{BufReader, Read};

/// The text with the patch applied, read through buffers of this many bytes.
fn applied(text: &str, patch: &str, buffer: usize) -> Option<String> {
    let patch = Patch::parse(patch.as_bytes().to_vec()).ok()?;
    let text = BufReader::with_capacity(buffer, text.as_bytes());
    let mut patched = Patched::new(text, &patch);
    let (mut out, mut chunk) = (Vec::new(), vec![0; buffer]);
    loop {
        match patched.read(&mut chunk).ok()? {
            0 => return String::from_utf8(out).ok(),
            length => out.extend_from_slice(&chunk[..length]),
        }
    }
}

#[test]
fn patches_do_what_ed_would_do() {
    let text = "one\ntwo\nthree\nfour\nfive\n";
    for (why, patch, wanted) in [
        ("nothing", "", "one\ntwo\nthree\nfour\nfive\n"),
        ("at the end", "5a\nsix\n.\n", "one\ntwo\nthree\nfour\nfive\nsix\n"),
        ("at the beginning", "0a\nzero\n\n.\n", "zero\n\none\ntwo\nthree\nfour\nfive\n"),
        ("one gone", "3d\n", "one\ntwo\nfour\nfive\n"),
        ("several gone", "4,5d\n1d\n", "two\nthree\n"),
        ("all gone", "1,5d\n", ""),
        ("another", "2c\n2\n.\n", "one\n2\nthree\nfour\nfive\n"),
        ("others", "4,5c\nx\n.\n1,2c\ny\nz\n.\n", "y\nz\nthree\nx\n"),
        ("beside each other", "3d\n2a\nx\n.\n2d\n", "one\nx\nfour\nfive\n"),
        ("twice in one place", "2a\nx\n.\n2a\ny\n.\n", "one\ntwo\ny\nx\nthree\nfour\nfive\n"),
        ("changed to nothing", "2c\n.\n", "one\nthree\nfour\nfive\n"),
    ] {
        for buffer in [1, 2, 3, 7, 100] {
            assert_eq!(applied(text, patch, buffer).as_deref(), Some(wanted), "{why} {buffer}");
        }
    }
}

#[test]
fn what_is_no_such_patch_is_refused() {
    let text = "one\ntwo\n";
    for (why, patch) in [
        ("no command", "x\n"),
        ("a number alone", "5\n"),
        ("a sign", "+1d\n"),
        ("a substitution", "1s/.//\n"),
        ("backwards", "2,1d\n"),
        ("no line zero", "0d\n"),
        ("appended to two lines", "1,2a\nx\n.\n"),
        ("upwards", "1d\n2d\n"),
        ("within what was changed", "1,2d\n2c\nx\n.\n"),
        ("behind what was removed", "1d\n1a\nx\n.\n"),
        ("no end of the text", "1a\nx\n"),
        ("no end of the command", "1d"),
        ("an absurd line", "18446744073709551615,18446744073709551615d\n"),
        ("too large a number", "18446744073709551616d\n"),
        ("beyond the text", "3d\n"),
        ("far beyond the text", "9a\nx\n.\n"),
    ] {
        assert_eq!(applied(text, patch, 9), None, "{why}");
    }
}

proptest! {
    /// Any change of lines, written down as an ed script, comes out again.
    #[test]
    fn any_change_is_reproduced(
        rows in prop::collection::vec((0_u8..4, "[a-z]{0,3}"), 0..30),
        buffer in 1_usize..40,
    ) {
        let (mut old, mut new, mut script) = (String::new(), String::new(), Vec::new());
        let mut line = 0;
        for (what, word) in rows {
            let text = format!("{word}\n");
            if what < 3 {
                line += 1;
                old += &text;
            }
            match what {
                0 => new += &text,
                1 => script.push(format!("{line}d\n")),
                2 => {
                    new += "changed\n";
                    script.push(format!("{line}c\nchanged\n.\n"));
                }
                _ => {
                    new += &text;
                    script.push(format!("{line}a\n{text}.\n"));
                }
            }
        }
        // Two additions in one place are carried out from the last to the first, as all are.
        let script: String = script.into_iter().rev().collect();
        prop_assert_eq!(applied(&old, &script, buffer), Some(new));
    }
}

fn digest(byte: char) -> String {
    byte.to_string().repeat(64)
}

fn index(precedence: &str) -> String {
    let rows = |end: &str, sizes: [u32; 3]| {
        let rows = ["1", "2", "3"].iter().zip(sizes);
        let row = |(name, size): (&&str, u32)| {
            format!(" {} {size} 2026-09-0{name}{end}\n", name.repeat(64))
        };
        rows.map(row).collect::<String>()
    };
    format!(
        "SHA1-Current: x 1\nSHA256-Current: {} 99\nSHA256-History:\n{}SHA256-Patches:\n{}\
         SHA256-Download:\n{}{precedence}",
        digest('c'),
        rows("", [10, 20, 30]),
        rows("", [1, 2, 3]),
        rows(".gz", [4, 5, 6]),
    )
}

#[test]
fn the_way_to_the_present_text_is_a_row_or_one_patch() {
    let sizes = |index: &str, from: char| {
        let index = PatchIndex::parse(index.as_bytes()).unwrap();
        let way = index.way_from(&digest(from).parse().unwrap())?;
        Some(way.iter().map(|patch| (patch.plain.size, patch.packed.size)).collect::<Vec<_>>())
    };
    let (row, merged) = (index(""), index("X-Patch-Precedence: merged\n"));
    assert_eq!(sizes(&row, '2'), Some(vec![(2, 5), (3, 6)]));
    assert_eq!(sizes(&merged, '2'), Some(vec![(2, 5)]));
    assert_eq!(sizes(&merged, 'c'), None);
    assert_eq!(sizes(&row.replace("2026-09-03.gz", "2026-09-03.xz"), '3'), None);
}

#[test]
fn an_index_that_lacks_anything_is_refused_by_the_field() {
    let whole = index("");
    for (field, text) in [
        ("SHA256-Current", whole.replace("SHA256-Current", "Old")),
        ("SHA256-History", whole.replace("SHA256-History", "Old")),
        ("SHA256-Patches", whole.replace("SHA256-Patches", "Old")),
        ("SHA256-Download", whole.replace("SHA256-Download", "Old")),
        ("SHA256-History", whole.replace(" 20 2026", " many 2026")),
        ("SHA256-Patches", whole.replace(" 2 2026-09-02", " 2 ../02")),
        ("SHA256-Download", whole.replace(" 5 2026-09-02", " 5 .hidden")),
        ("SHA256-Current", String::new()),
    ] {
        let refused = PatchIndex::parse(text.as_bytes()).unwrap_err();
        assert_eq!(refused, PatchError::Index { field }, "{text}");
        assert!(!refused.hint().is_empty());
    }
}
