//! `.note.dlopen`: libraries that a file says it opens by name.
//!
//! "ELF dlopen Metadata" of the UAPI Group: notes of type `0x407c0c0a`, owner `FDO`, whose
//! description is a JSON array of objects with `soname` (an array, best first) and optionally
//! `feature`, `description` and `priority`. Other keys are allowed and ignored.

use super::ElfError;
use super::image::{Image, at_most};
use dmc_types::{DlopenNote, DlopenPriority};
use goblin::elf::note::NoteDataIterator;
use goblin::elf::program_header::{PT_NOTE, ProgramHeader};
use serde::Deserialize;

const TYPE: u32 = 0x407c_0c0a;
const OWNER: &str = "FDO";
/// systemd's own notes are a few kilobytes.
const MOST_NOTE_BYTES: u64 = 64 * 1024;

#[derive(Deserialize)]
struct Item {
    feature: Option<String>,
    description: Option<String>,
    priority: Option<DlopenPriority>,
    soname: Vec<String>,
}

/// Every entry of every such note, in the file's order.
pub(super) fn read(image: &Image) -> Result<Vec<DlopenNote>, ElfError> {
    let mut found = Vec::new();
    for segment in image.segments.iter().filter(|segment| segment.p_type == PT_NOTE) {
        read_segment(image, segment, &mut found)?;
    }
    Ok(found)
}

fn read_segment(
    image: &Image,
    segment: &ProgramHeader,
    found: &mut Vec<DlopenNote>,
) -> Result<(), ElfError> {
    let bytes = image.slice("a PT_NOTE segment", segment.p_offset, segment.p_filesz)?;
    at_most("bytes in a PT_NOTE segment", segment.p_filesz, MOST_NOTE_BYTES)?;
    let alignment = if segment.p_align == 8 { 8 } else { 4 };
    let notes =
        NoteDataIterator { data: bytes, size: bytes.len(), offset: 0, ctx: (alignment, image.ctx) };
    for note in notes {
        // Notes of other owners are nobody's business here, however badly they are written.
        let Ok(note) = note else { break };
        if note.n_type == TYPE && note.name == OWNER {
            found.extend(parse(note.desc)?);
        }
    }
    Ok(())
}

fn parse(description: &[u8]) -> Result<Vec<DlopenNote>, ElfError> {
    let end = description.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    match serde_json::from_slice::<Vec<Item>>(&description[..end]) {
        Ok(items) => Ok(items.into_iter().map(DlopenNote::from).collect()),
        Err(error) => Err(ElfError::Note { why: error.to_string() }),
    }
}

impl From<Item> for DlopenNote {
    fn from(item: Item) -> Self {
        Self {
            feature: item.feature,
            description: item.description,
            priority: item.priority.unwrap_or(DlopenPriority::Recommended),
            sonames: item.soname,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_with_their_priorities() {
        let json = br#"[{"feature":"xz","description":"Archives","priority":"suggested",
            "soname":["liblzma.so.5","liblzma.so.4"]},{"soname":["libz.so.1"],"new":1}]"#;
        let notes = parse(&[json.as_slice(), b"\0\0"].concat()).unwrap();
        assert_eq!(notes.len(), 2);
        assert_eq!(notes[0].feature.as_deref(), Some("xz"));
        assert_eq!(notes[0].priority, DlopenPriority::Suggested);
        assert_eq!(notes[0].sonames, ["liblzma.so.5", "liblzma.so.4"]);
        assert_eq!(notes[1].priority, DlopenPriority::Recommended);
    }

    #[test]
    fn notes_that_break_their_specification_are_refused() {
        for json in ["", "{}", "[{}]", r#"[{"soname":"libz.so.1"}]"#, "[", r#"[{"soname":[1]}]"#] {
            assert!(matches!(parse(json.as_bytes()), Err(ElfError::Note { .. })), "{json}");
        }
    }
}
