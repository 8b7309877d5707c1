//! Which file of an index to fetch, and its way into the compiled form.

use super::compile::{self, CompileError};
use super::{IndexError, PackageIndex, format};
use crate::store::{Shelf, Store, StoreError};
use camino::Utf8Path;
use dmc_deb::release::{IndexFile, Release};
use dmc_types::{Arch, Checksum, Sha256};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufReader, Read};

/// One of the files that hold an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexChoice {
    /// Its path below the suite's folder.
    pub(crate) path: String,
    /// What the release says of it.
    pub(crate) file: IndexFile,
    /// Size of the plain file, where the release says so.
    plain: Option<u64>,
    pub(crate) form: Form,
}

/// How a text is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Form {
    Gz,
    Xz,
    Plain,
}

impl Form {
    /// The plain text of a file.
    pub(super) fn open(self, file: File) -> Box<dyn Read> {
        let reader = BufReader::with_capacity(64 * 1024, file);
        match self {
            Self::Gz => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
            Self::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(reader)),
            Self::Plain => Box::new(reader),
        }
    }
}

/// How fast a mirror is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// So fast that the larger file, which is sooner decompressed, is sooner there.
    Fast,
    /// Or not known to be.
    Slow,
}

impl Link {
    /// Bytes a second from which `.gz` wins over `.xz`: 7 MB more to fetch, 0.4 s less to decode.
    const FAST: u64 = 17_000_000;

    pub(crate) fn of_speed(speed: Option<u64>) -> Self {
        if speed.is_some_and(|speed| speed >= Self::FAST) { Self::Fast } else { Self::Slow }
    }
}

/// The files that hold the index of a component, the one to take first.
pub(crate) fn choices(
    release: &Release,
    component: &str,
    arch: Arch,
    link: Link,
) -> Vec<IndexChoice> {
    let stem = format!("{component}/binary-{arch}/Packages");
    let there: Vec<_> = release.files_starting(&stem).collect();
    let known = |path: &str| there.iter().find(|(known, _)| *known == path).map(|(_, file)| *file);
    let plain = known(&stem).map(|file| file.size);
    let forms = match link {
        Link::Fast => [(".gz", Form::Gz), (".xz", Form::Xz), ("", Form::Plain)],
        Link::Slow => [(".xz", Form::Xz), (".gz", Form::Gz), ("", Form::Plain)],
    };
    let choices = forms.into_iter().filter_map(|(suffix, form)| {
        let path = format!("{stem}{suffix}");
        let file = known(&path)?;
        Some(IndexChoice { path, file, plain, form })
    });
    choices.collect()
}

/// The compiled index, made from any of these files; none where it is not in the store.
pub(crate) fn compiled(
    store: &Store,
    choices: &[IndexChoice],
) -> Result<Option<PackageIndex>, StoreError> {
    for choice in choices {
        let name = compiled_name(&choice.file.checksum);
        let Some(file) = store.open_file(Shelf::Compiled, &name)? else { continue };
        match PackageIndex::open(&file, &store.path(Shelf::Compiled, &name)) {
            Ok(index) => return Ok(Some(index)),
            Err(_) if format::is_of_another_version(&file) => {
                tracing::debug!(%name, "a compiled index of another format is made again");
            }
            Err(damaged) => store.discard(Shelf::Compiled, &name, &damaged.to_string()),
        }
    }
    Ok(None)
}

/// Whether a compiled index is in the store, made from any of these files.
pub(crate) fn is_compiled(store: &Store, choices: &[IndexChoice]) -> bool {
    let mut names = choices.iter().map(|choice| compiled_name(&choice.file.checksum));
    names.any(|name| store.exists(Shelf::Compiled, &name))
}

fn compiled_name(checksum: &Checksum) -> String {
    match checksum {
        Checksum::Sha256(digest) => digest.to_string(),
        Checksum::Sha512(digest) => digest.to_string(),
    }
}

pub(crate) fn index_name(digest: &Sha256) -> String {
    digest.to_string()
}

/// Why a stored index could not be compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileFailure {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compiles a file of the store whose digest was checked just now, and opens what came of it.
pub(crate) fn compile_stored(
    store: &Store,
    digest: &Sha256,
    choice: &IndexChoice,
) -> Result<PackageIndex, CompileFailure> {
    let path = store.path(Shelf::Indices, &index_name(digest));
    let file = File::open(&path).map_err(|source| StoreError::io("read", &path, source))?;
    let limit = choice.plain.unwrap_or(u64::from(u32::MAX));
    let text = choice.form.open(file);
    let mut new = store.start(Shelf::Compiled)?;
    let folder = new.folder().to_owned();
    // One byte more than may come, so that too much is noticed.
    let done = compile::compile(text.take(limit.saturating_add(1)), new.file());
    let done = done.map_err(|error| failure(error, &path, &folder))?;
    let expected = choice.plain.unwrap_or(done.text);
    if done.text != expected || done.text > limit {
        return Err(IndexError::Size { path, found: done.text, expected }.into());
    }
    if done.passed_over > 0 {
        tracing::warn!(index = %choice.path, count = done.passed_over, "entries without name, version, path, size or strong digest are passed over");
    }
    let name = compiled_name(&choice.file.checksum);
    new.finish(&name)?;
    let path = store.path(Shelf::Compiled, &name);
    match store.open_file(Shelf::Compiled, &name)? {
        Some(file) => Ok(PackageIndex::open(&file, &path)?),
        None => Err(StoreError::Damaged { path, why: "it vanished" }.into()),
    }
}

fn failure(error: CompileError, path: &Utf8Path, folder: &Utf8Path) -> CompileFailure {
    match error {
        CompileError::Read(source) => IndexError::Corrupt { path: path.to_owned(), source }.into(),
        CompileError::Write(source) => StoreError::io("write to", folder, source).into(),
        CompileError::TooLarge(what) => IndexError::TooLarge { path: path.to_owned(), what }.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Digest;
    use std::error::Error;
    use std::io::Write;

    /// Puts a file into an empty store and compiles it as that form, with that plain size.
    fn compiled(bytes: &[u8], form: Form, plain: Option<u64>) -> Result<usize, CompileFailure> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Utf8Path::from_path(dir.path()).unwrap());
        let digest = Sha256::from_bytes(sha2::Sha256::digest(bytes).into());
        store.write(Shelf::Indices, &index_name(&digest), &[bytes]).unwrap();
        let file = IndexFile { size: bytes.len() as u64, checksum: Checksum::Sha256(digest) };
        let choice = IndexChoice { path: "main/Packages".into(), file, plain, form };
        let made = compile_stored(&store, &digest, &choice).map(|index| index.len());
        let left = store.path(Shelf::Compiled, "").read_dir_utf8().unwrap().count();
        assert_eq!(left, usize::from(made.is_ok()), "nothing half-written stays");
        made
    }

    fn gz(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_comes_out_must_have_the_size_that_was_signed() {
        let text = b"nothing: useful\n\n";
        let size = text.len() as u64;
        assert_eq!(compiled(&gz(text), Form::Gz, Some(size)).unwrap(), 0);
        assert_eq!(compiled(&gz(text), Form::Gz, None).unwrap(), 0);
        for (why, bytes, plain) in [
            ("too much", gz(text), size - 1),
            ("too little", gz(text), size + 1),
            ("a bomb", gz(&vec![b'\n'; 50 << 20]), 1000),
        ] {
            let refused = compiled(&bytes, Form::Gz, Some(plain)).unwrap_err();
            let CompileFailure::Index(refused) = refused else { panic!("{why}: {refused}") };
            assert!(matches!(refused, IndexError::Size { .. }), "{why}: {refused}");
            assert!(refused.hint().is_some());
        }
    }

    #[test]
    fn what_cannot_be_decompressed_is_named() {
        for (form, bytes) in [
            (Form::Gz, b"not gzip at all".to_vec()),
            (Form::Gz, gz(b"Package: x\n")[..15].to_vec()),
            (Form::Xz, b"not xz at all".to_vec()),
        ] {
            let refused = compiled(&bytes, form, None).unwrap_err();
            let CompileFailure::Index(refused) = refused else { panic!("{refused}") };
            assert!(matches!(refused, IndexError::Corrupt { .. }), "{form:?}: {refused}");
            assert!(refused.source().is_some());
        }
    }
}
