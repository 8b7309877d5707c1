//! The one place that maps a file into memory.

use memmap2::{Mmap, UncheckedAdvice};
use std::fs::File;
use std::io;

/// Maps a file of the store for reading.
#[allow(unsafe_code, reason = "mapping a file is unsafe by nature; see the comment")]
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: files of the store get their names when they are complete and are never written
    // again; a new one takes an old one's place by rename, which leaves this mapping alone.
    // Should someone truncate the file from outside, the kernel ends the program (SIGBUS): no
    // wrong bytes are read. Bytes that were changed from outside are checked like all input.
    unsafe { Mmap::map(file) }
}

/// Gives back the memory that a mapped file takes; what is looked at later is mapped again.
#[allow(unsafe_code, reason = "memory is taken away from under the mapping; see the comment")]
pub(super) fn give_back(map: &Mmap) {
    // SAFETY: the mapping is of a file, by the caller's word, and nothing was ever written to it:
    // the next look finds the file's bytes there, as the last one did. A refusal changes nothing.
    let _ = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
}
