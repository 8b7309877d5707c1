//! The one place that maps a file into memory.

use memmap2::Mmap;
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
