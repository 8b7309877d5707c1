//! One patch, and a text with it applied.

use super::PatchError;
use memchr::{memchr, memchr_iter};
use std::io::{self, BufRead, Read};
use std::ops::Range;

/// A patch, its commands in the order of the lines that they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    bytes: Vec<u8>,
    edits: Vec<Edit>,
}

/// `count` lines from line `from` on (counted from 1) make place for a part of the patch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    from: u64,
    count: u64,
    text: Range<usize>,
}

impl Patch {
    /// Reads an ed script.
    ///
    /// # Errors
    /// At the first line that is no such command, or one that changes lines behind those that the
    /// commands before it changed, as ed would number them anew.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, PatchError> {
        let mut edits: Vec<Edit> = Vec::new();
        let (mut at, mut number) = (0, 0);
        while at < bytes.len() {
            number += 1;
            let end = end_of_line(&bytes, at).ok_or(PatchError::Short)?;
            let command = command(&bytes[at..end]);
            let (mut edit, adds) = command.ok_or(PatchError::Command { line: number })?;
            let above = edits.last().map_or(u64::MAX, |later| later.from);
            if edit.from.checked_add(edit.count).is_none_or(|next| next > above) {
                return Err(PatchError::Command { line: number });
            }
            at = end + 1;
            if adds {
                let start = at;
                loop {
                    number += 1;
                    let end = end_of_line(&bytes, at).ok_or(PatchError::Short)?;
                    let last = bytes[at..end] == *b".";
                    edit.text = start..at;
                    at = end + 1;
                    if last {
                        break;
                    }
                }
            }
            edits.push(edit);
        }
        edits.reverse();
        Ok(Self { bytes, edits })
    }
}

fn end_of_line(bytes: &[u8], at: usize) -> Option<usize> {
    memchr(b'\n', bytes.get(at..)?).map(|length| at + length)
}

/// `5a`, `5c`, `5,7c`, `5d` or `5,7d`, and whether lines follow that are added.
fn command(line: &[u8]) -> Option<(Edit, bool)> {
    let (sign, place) = line.split_last()?;
    let place = std::str::from_utf8(place).ok()?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok())?
    };
    let (first, last) = match place.split_once(',') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(place)?, number(place)?),
    };
    let edit = |from, count| Edit { from, count, text: 0..0 };
    match sign {
        b'a' if first == last => Some((edit(first.checked_add(1)?, 0), true)),
        b'c' | b'd' if (1..=last).contains(&first) => {
            Some((edit(first, (last - first).checked_add(1)?), *sign == b'c'))
        }
        _ => None,
    }
}

/// A text with a patch applied. Reading fails with [`io::ErrorKind::InvalidData`] where the text
/// has fewer lines than the patch changes.
#[derive(Debug)]
pub struct Patched<'p, R> {
    text: R,
    patch: &'p Patch,
    /// The next edit.
    edit: usize,
    /// The line that the text stands at, counted from 1.
    line: u64,
    /// What is to be done with the lines that come.
    step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// So many are kept; `u64::MAX` for all.
    Keep(u64),
    /// So many are left out.
    Drop(u64),
    /// This of the patch comes before them.
    Add(Range<usize>),
}

impl<'p, R: BufRead> Patched<'p, R> {
    /// Nothing is read yet.
    pub fn new(text: R, patch: &'p Patch) -> Self {
        let mut patched = Self { text, patch, edit: 0, line: 1, step: Step::Keep(0) };
        patched.step = patched.up_to_edit();
        patched
    }

    fn up_to_edit(&self) -> Step {
        let next = self.patch.edits.get(self.edit);
        Step::Keep(next.map_or(u64::MAX, |edit| edit.from.saturating_sub(self.line)))
    }

    /// The step after one that is done.
    fn next(&mut self) {
        self.step = match (&self.step, self.patch.edits.get(self.edit)) {
            (Step::Keep(_), Some(edit)) => Step::Drop(edit.count),
            (Step::Drop(_), Some(edit)) => Step::Add(edit.text.clone()),
            _ => {
                self.edit += 1;
                self.up_to_edit()
            }
        };
    }

    /// Passes over the next lines, as far as they are buffered, or copies what fits.
    fn take_lines(&mut self, count: u64, into: Option<&mut [u8]>) -> io::Result<(usize, u64)> {
        let buffer = self.text.fill_buf()?;
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        let most = into.as_ref().map_or(buffer.len(), |into| into.len().min(buffer.len()));
        let seen = &buffer[..most];
        let end = if count == u64::MAX { None } else { memchr_iter(b'\n', seen).nth(wanted - 1) };
        let length = end.map_or(most, |at| at + 1);
        let lines = memchr_iter(b'\n', &seen[..length]).count() as u64;
        if let Some(into) = into {
            into[..length].copy_from_slice(&seen[..length]);
        }
        self.text.consume(length);
        self.line += lines;
        Ok((length, lines))
    }
}

impl<R: BufRead> Read for Patched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let short = || Err(io::Error::new(io::ErrorKind::InvalidData, "the text is too short"));
        loop {
            if into.is_empty() {
                return Ok(0);
            }
            match self.step.clone() {
                Step::Keep(0) | Step::Drop(0) => self.next(),
                Step::Add(range) if range.is_empty() => self.next(),
                Step::Add(range) => {
                    let length = range.len().min(into.len());
                    into[..length].copy_from_slice(&self.patch.bytes[range.start..][..length]);
                    self.step = Step::Add(range.start + length..range.end);
                    return Ok(length);
                }
                Step::Keep(u64::MAX) => return Ok(self.take_lines(u64::MAX, Some(into))?.0),
                Step::Keep(count) => {
                    let (length, lines) = self.take_lines(count, Some(into))?;
                    self.step = Step::Keep(count - lines);
                    return if length > 0 { Ok(length) } else { short() };
                }
                Step::Drop(count) => {
                    let (length, lines) = self.take_lines(count, None)?;
                    self.step = Step::Drop(count - lines);
                    if length == 0 {
                        return short();
                    }
                }
            }
        }
    }
}
