//! Writes a small archive to a folder, the same in each run, for programs that are measured.
//!
//!     write_archive FOLDER
//!
//! `FOLDER/archive` is the mirror, `FOLDER/keyring.pgp` verifies it. Beside what nginx needs it has
//! a thousand packages that nothing needs, for an index of some size, and nginx's documents are
//! large enough that reading and compressing them is most of an image's cost.

use dmc_testkit::{DebBuilder, FakeArchive, SigningKey, fixtures};
use dmc_types::Arch;
use std::error::Error;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const OTHERS: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("name the folder to write to")?;
    let folder = Path::new(&folder);
    let key = SigningKey::fixed("measured");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let now = i64::try_from(now)?;
    let mut suites = fixtures::suites(&[Arch::Amd64], &key);
    for suite in &mut suites {
        suite.date = now - 3600;
        suite.valid_until = suite.valid_until.map(|_| now + 7 * 24 * 3600);
    }
    let [trixie, updates, security] = suites;
    let trixie = trixie.debs(others()).deb(documents());
    FakeArchive::of(&[trixie, updates, security]).write_to(&folder.join("archive"));
    std::fs::write(folder.join("keyring.pgp"), key.public_binary())?;
    Ok(())
}

fn others() -> impl Iterator<Item = DebBuilder> {
    (0..OTHERS).map(|number| {
        DebBuilder::new(&format!("other{number}"), "1.0-1", "all")
            .field("Depends", &format!("libc6, other{} | other{}", number / 2, number / 3))
            .field("Provides", &format!("thing{}", number % 10))
    })
}

/// Text that compresses about as well as programs do.
fn documents() -> DebBuilder {
    let deb = DebBuilder::new("documents", "1.0-1", "all");
    (0..40).fold(deb, |deb, number| {
        let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ number;
        let mut text = Vec::new();
        while text.len() < 100_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.extend_from_slice(&state.to_le_bytes());
            text.extend_from_slice(b" and the words between them, ");
        }
        deb.file(&format!("/usr/share/documents/{number}"), text)
    })
}
