//! Every object of a store, read again and compared with what it should be.
//!
//! Packages and indices are named by their digest; sealed objects carry theirs; contents are held
//! against the digests in the facts; a compiled index is read row by row. Releases are verified
//! whenever they are used; here only their frame is looked at. Nothing is changed.

use super::objects::{ACCEPTED, ALIAS, FACTS, MEMORY, PIECE, RECORD, digest};
use super::sealed::{Kind, Sealed};
use super::{Object, Shelf, Store, StoreError};
use crate::index::PackageIndex;
use dmc_types::{EntryKind, PackageFacts};
use rayon::prelude::*;
use sha2::Digest as _;
use std::io::Read;

/// What a look at one object found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is what it was.
    Good,
    /// It is not.
    Damaged(&'static str),
    /// It vanished, or is not complete: nothing to judge.
    Passed,
}

impl Store {
    /// Judges each object. The work is spread over rayon's threads.
    pub fn judge(&self, objects: Vec<Object>) -> Result<Vec<(Object, Verdict)>, StoreError> {
        // A look is no use.
        let store = self.clone().read_only();
        let judged = objects.into_par_iter().map(|object| {
            let verdict = store.verdict(&object)?;
            Ok((object, verdict))
        });
        judged.collect()
    }

    fn verdict(&self, object: &Object) -> Result<Verdict, StoreError> {
        let name = &object.name;
        if object.is_unfinished() {
            return Ok(Verdict::Passed);
        }
        match object.shelf {
            Shelf::Debs | Shelf::Indices | Shelf::Unsigned => self.digest_of(object),
            Shelf::Pieces => self.sealed(&[PIECE], name),
            Shelf::Records => self.sealed(&[RECORD, ALIAS], name),
            Shelf::Facts => Ok(match self.stored_facts(name)? {
                Ok(_facts) => Verdict::Good,
                Err(verdict) => verdict,
            }),
            Shelf::Contents => self.contents_of(object),
            Shelf::Compiled => self.compiled(object),
            Shelf::Releases if name.ends_with(ACCEPTED) => self.sealed(&[MEMORY], name),
            Shelf::Releases => self.frame_of(object),
            Shelf::Partial => Ok(Verdict::Passed),
        }
    }

    fn digest_of(&self, object: &Object) -> Result<Verdict, StoreError> {
        let Some(mut file) = self.open_file(object.shelf, &object.name)? else {
            return Ok(Verdict::Passed);
        };
        let found =
            digest(&mut file).map_err(|e| StoreError::io("read", &self.path_of(object), e))?;
        Ok(judged(object.digest() == Some(found), "its digest is wrong"))
    }

    fn sealed(&self, kinds: &[Kind], name: &str) -> Result<Verdict, StoreError> {
        for kind in kinds {
            match self.read_sealed(*kind, name)? {
                Sealed::OtherFormat => {}
                Sealed::Absent => return Ok(Verdict::Passed),
                Sealed::Damaged(why) => return Ok(Verdict::Damaged(why)),
                Sealed::Payload(_) => return Ok(Verdict::Good),
            }
        }
        Ok(Verdict::Damaged("it is of no format that dmc knows"))
    }

    fn stored_facts(&self, name: &str) -> Result<Result<PackageFacts, Verdict>, StoreError> {
        let payload = match self.read_sealed(FACTS, name)? {
            Sealed::Payload(payload) => payload,
            Sealed::Absent => return Ok(Err(Verdict::Passed)),
            Sealed::Damaged(why) => return Ok(Err(Verdict::Damaged(why))),
            Sealed::OtherFormat => {
                return Ok(Err(Verdict::Damaged("it is of no format that dmc knows")));
            }
        };
        let facts: Option<PackageFacts> = postcard::from_bytes(&payload).ok();
        let facts = facts.filter(|facts| facts.deb.to_string() == name);
        Ok(facts.ok_or(Verdict::Damaged("its facts cannot be read")))
    }

    fn contents_of(&self, object: &Object) -> Result<Verdict, StoreError> {
        let Ok(facts) = self.stored_facts(&object.name)? else {
            // They are of no use without facts, and made again with these.
            return Ok(Verdict::Passed);
        };
        let Some(file) = self.open_file(object.shelf, &object.name)? else {
            return Ok(Verdict::Passed);
        };
        let contents = super::Contents::new(file, self.path_of(object))?;
        let (mut length, mut bytes) = (0_u64, Vec::new());
        for entry in &facts.entries {
            let EntryKind::File(file) = &entry.kind else { continue };
            match contents.read(file, &mut bytes) {
                Ok(()) => {}
                Err(StoreError::Damaged { why, .. }) => return Ok(Verdict::Damaged(why)),
                Err(other) => return Err(other),
            }
            if sha2::Sha256::digest(&bytes)[..] != *file.digest.as_bytes() {
                return Ok(Verdict::Damaged("a file in it is not what its facts say"));
            }
            length = length.saturating_add(file.size);
        }
        Ok(judged(length == contents.length(), "it is too long"))
    }

    fn compiled(&self, object: &Object) -> Result<Verdict, StoreError> {
        let Some(file) = self.open_file(object.shelf, &object.name)? else {
            return Ok(Verdict::Passed);
        };
        let read = PackageIndex::open(&file, &self.path_of(object)).and_then(|index| index.check());
        Ok(judged(read.is_ok(), "its tables or an entry are wrong"))
    }

    fn frame_of(&self, object: &Object) -> Result<Verdict, StoreError> {
        let Some(mut file) = self.open_file(object.shelf, &object.name)? else {
            return Ok(Verdict::Passed);
        };
        let mut bytes = Vec::new();
        let limit = dmc_deb::release::LARGEST as u64 + 1;
        Read::take(&mut file, limit)
            .read_to_end(&mut bytes)
            .map_err(|e| StoreError::io("read", &self.path_of(object), e))?;
        let whole = bytes.starts_with(b"-----BEGIN PGP SIGNED MESSAGE-----")
            && bytes.trim_ascii_end().ends_with(b"-----END PGP SIGNATURE-----");
        Ok(judged(whole, "it is not a whole signed text"))
    }
}

fn judged(good: bool, why: &'static str) -> Verdict {
    if good { Verdict::Good } else { Verdict::Damaged(why) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::empty;
    use super::*;
    use crate::memory::Memory;
    use dmc_types::Sha256;
    use std::fs;

    #[test]
    fn every_kind_of_damage_is_told_and_nothing_is_touched() {
        let (_dir, store) = empty();
        let key = Sha256::from_bytes([3; 32]);
        let name = Sha256::from_bytes(sha2::Sha256::digest(b"hello").into()).to_string();
        store.put_piece(&key, b"piece").unwrap();
        store.put_record(&key, b"record").unwrap();
        store.write(Shelf::Debs, &format!("{name}.deb"), &[b"hello"]).unwrap();
        store.write(Shelf::Indices, &name, &[b"hello"]).unwrap();
        let signed = b"-----BEGIN PGP SIGNED MESSAGE-----\n-----END PGP SIGNATURE-----\n";
        store.write(Shelf::Releases, "trixie_InRelease", &[signed]).unwrap();
        let memory = Memory { date: 1, digest: key, signers: Vec::new(), successors: Vec::new() };
        store.remember("debian main", &"trixie".parse().unwrap(), &memory).unwrap();
        let judge = || -> Vec<(Shelf, Verdict)> {
            let judged = store.judge(store.objects().unwrap()).unwrap();
            judged.into_iter().map(|(object, verdict)| (object.shelf, verdict)).collect()
        };
        assert!(judge().iter().all(|(_, verdict)| *verdict == Verdict::Good), "{:?}", judge());
        assert_eq!(judge().len(), 6);
        for object in store.objects().unwrap() {
            let path = store.path_of(&object);
            let whole = fs::read(&path).unwrap();
            for cut in [0, 1, whole.len() - 2] {
                fs::write(&path, &whole[..cut]).unwrap();
                let found = judge();
                let damaged: Vec<_> =
                    found.iter().filter(|(_, verdict)| *verdict != Verdict::Good).collect();
                assert_eq!(damaged.len(), 1, "{path} cut to {cut}: {found:?}");
                assert_eq!(damaged[0].0, object.shelf);
                assert!(path.exists());
            }
            fs::write(&path, whole).unwrap();
        }
    }
}
