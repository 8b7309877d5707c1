//! Archives on the machine itself.

use super::Line;
use super::error::FetchCause;
use super::sink::Sink;
use reqwest::Url;
use std::fs::File;
use std::io::{ErrorKind, Read};

/// Copies a local file. It is read anew from its first byte: nothing is saved by resuming.
pub(super) fn copy(url: &Url, sink: &mut Sink, line: &mut Line<'_>) -> Result<(), FetchCause> {
    let path = url.to_file_path().map_err(|()| FetchCause::NotFound)?;
    let mut file = File::open(path).map_err(refused)?;
    let length = file.metadata().map_err(refused)?.len();
    sink.admit(length)?;
    sink.restart()?;
    sink.begin();
    let mut chunk = vec![0; 128 * 1024];
    loop {
        let read = file.read(&mut chunk).map_err(refused)?;
        if read == 0 {
            return sink.end(Some(length));
        }
        sink.append(&chunk[..read])?;
        line.arrived(read);
    }
}

fn refused(error: std::io::Error) -> FetchCause {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => FetchCause::NotFound,
        _ => FetchCause::File(error),
    }
}
