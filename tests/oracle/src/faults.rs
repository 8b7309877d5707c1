//! What debian-packaging 0.18.0 is known to get wrong, and the one thing that dmc leaves out.
//!
//! Each function says whether an input is of the kind that is misread; `tests/faults.rs` and the
//! comparisons assert that it *is* misread, in the way that is written here. A fault that is
//! mended, or a description that is too wide, fails a test.

/// Longest run of digits that it compares; a longer one panics.
const LONGEST_NUMBER: usize = 19;

/// Architectures that relations of the archive name and Debian 13 does not release. dmc leaves
/// such alternatives out and names them, as no package of its archive can meet them; the oracle,
/// to which they are names, keeps them. The one point where dmc reads less.
const UNRELEASED: [&str; 9] =
    ["mips", "mips64", "mips64r6", "mips64r6el", "mipsel", "mipsr6", "mipsr6el", "powerpc", "x32"];

/// Whether a name asks for an architecture that Debian does not release.
pub fn asks_for_unreleased(name: &str) -> bool {
    name.split_once(':').is_some_and(|(_, arch)| UNRELEASED.contains(&arch))
}

/// Whether it takes `left` for the lesser version although it is the greater.
///
/// `~` comes before everything, but this holds there only for the left side: where `~` stands on
/// the right and any other character on the left, the characters are compared instead.
pub fn misses_tilde(left: &str, right: &str) -> bool {
    for (left, right) in parts(left).iter().zip(&parts(right)) {
        if left != right {
            let differing = left.iter().zip(right).find(|(left, right)| left != right);
            // A digit ends the run of characters that is compared; the end is seen.
            return differing.is_some_and(|(left, right)| !left.is_ascii_digit() && *right == b'~');
        }
    }
    false
}

/// Epoch, upstream part and revision, as they are compared one after the other.
fn parts(version: &str) -> [Vec<u8>; 3] {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    [epoch, upstream, revision].map(without_zeros)
}

/// With numbers as they count: `1.05` as `1.5`, `1.00` as `1.0`.
fn without_zeros(part: &str) -> Vec<u8> {
    let bytes = part.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut plain: Vec<u8> = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        let leading = *byte == b'0' && !plain.last().is_some_and(u8::is_ascii_digit);
        if !(leading && digit(at + 1)) {
            plain.push(*byte);
        }
    }
    plain
}

/// Whether it panics on comparing this version with one that is equal up to there.
pub fn overflows(version: &str) -> bool {
    version.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > LONGEST_NUMBER)
}

/// Whether it takes an architecture for a part of the package's name, as in `python3:any`.
pub fn swallows_qualifier(name: &str) -> bool {
    name.contains(':')
}

/// The `Components` of a security suite read `updates/main`, its paths `main/…`; it goes by the
/// field alone, dmc by the paths.
pub fn component_of_paths(component: &str) -> &str {
    component.strip_prefix("updates/").unwrap_or(component)
}

/// Puts the columns of a `Release` that it wrote in their order: it writes `path size digest`
/// where the format says, and it itself reads, `digest size path`.
pub fn with_columns_in_order(release: &str) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            [path, size, digest] if line.starts_with(' ') => format!(" {digest} {size} {path}\n"),
            _ => format!("{line}\n"),
        }
    };
    release.lines().map(line).collect()
}
