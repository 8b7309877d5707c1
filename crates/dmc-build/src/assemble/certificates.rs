//! `/etc/ssl/certs`: the bundle of trusted certificates and the links to them.
//!
//! Made wherever certificates of packages or of the template lie where ca-certificates keeps them
//! and a site adds its own. What the template places in `/etc/ssl/certs` itself stays.

use super::{AssembleError, Layout};
use dmc_image::{Content, Node, NodeKind};
use dmc_system::{BUNDLE, CertificateError, LONGEST_CERTIFICATE, TRUST_FOLDER};
use dmc_types::ImagePath;
use std::collections::BTreeMap;

impl Layout<'_> {
    /// Writes bundle and links for the certificates that are in the tree.
    pub(super) fn trust(&mut self) -> Result<(), AssembleError> {
        let mut files = BTreeMap::new();
        for (path, node) in self.tree.iter() {
            let NodeKind::File(content) = &node.kind else { continue };
            if dmc_system::is_certificate(path) {
                files.insert(path.clone(), self.certificate(path, content)?);
            }
        }
        if files.is_empty() {
            return Ok(());
        }
        let store = dmc_system::trust_store(&files)?;
        let folder = ImagePath::parse(TRUST_FOLDER)?;
        let bundle = Node::file(Content::from(store.bundle), self.time);
        let links = store.links.into_iter();
        let links = links.map(|(name, target)| (name, Node::symlink(target, self.time)));
        for (name, node) in links.chain([(BUNDLE.as_bytes().to_vec(), bundle)]).collect::<Vec<_>>()
        {
            let path = folder.join(name)?;
            if self.tree.get(&path).is_none() {
                self.insert(path, node)?;
            }
        }
        Ok(())
    }

    fn certificate(&self, path: &ImagePath, content: &Content) -> Result<Vec<u8>, AssembleError> {
        if content.size() > LONGEST_CERTIFICATE as u64 {
            let why = "it is longer than 1 MiB".to_owned();
            return Err(CertificateError { path: path.clone(), why }.into());
        }
        match content {
            Content::Inline(bytes) => Ok(bytes.to_vec()),
            Content::Stored(stored) => self.fetch(path, stored),
        }
    }
}
