//! What belongs together in a cluster: an apply set (Kubernetes' KEP-3659).
//!
//! A parent object, here the `ConfigMap` `NAME.applyset`, names the kinds of objects that the set
//! has; each member carries the label `applyset.kubernetes.io/part-of` with the set's identity,
//! which follows from name, namespace and kind of the parent. Other tools read both and keep away.

use crate::objects::{Kind, Object};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The label of members.
pub(crate) const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// The label of the parent.
pub(crate) const ID: &str = "applyset.kubernetes.io/id";
/// The annotation that says who keeps the set.
pub(crate) const TOOLING: &str = "applyset.kubernetes.io/tooling";
/// The annotation that lists the kinds of members.
pub(crate) const KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";

/// The set of an app's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplySet {
    app: String,
    namespace: String,
    id: String,
}

impl ApplySet {
    /// The set of the app of this name in this namespace.
    pub fn new(app: &str, namespace: &str) -> Self {
        let hashed = Sha256::digest(format!("{app}.applyset.{namespace}.ConfigMap."));
        let id = format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(hashed));
        Self { app: app.to_owned(), namespace: namespace.to_owned(), id }
    }

    /// The name of the parent.
    pub fn parent(&self) -> String {
        format!("{}.applyset", self.app)
    }

    /// The app's name.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The namespace of parent and members.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its identity: the value of both labels.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The parent, once the set has members of these kinds.
    pub(crate) fn parent_object(&self, kinds: &BTreeSet<Kind>) -> Object {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.group_kind()).collect();
        let tooling = format!("{}/v{}", crate::MANAGER, env!("CARGO_PKG_VERSION"));
        let annotations = [(TOOLING.to_owned(), tooling), (KINDS.to_owned(), kinds.join(","))];
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.parent()),
                namespace: Some(self.namespace.clone()),
                labels: Some(BTreeMap::from([(ID.to_owned(), self.id.clone())])),
                annotations: Some(BTreeMap::from(annotations)),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        };
        Object::new(Kind::ConfigMap, &map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sets_identity_is_that_of_its_parent() {
        let set = ApplySet::new("nginx", "web");
        assert_eq!(set.parent(), "nginx.applyset");
        assert!(set.id().len() <= 63 && set.id().starts_with("applyset-"), "{}", set.id());
        assert_ne!(set.id(), ApplySet::new("nginx", "other").id());
        // printf nginx.applyset.web.ConfigMap. | sha256sum | xxd -r -p | basenc --base64url
        assert_eq!(set.id(), "applyset-V_RQSJlI81WnWvGZ3L1AND619sBl_RxVfiTCpd6idNU-v1");
    }
}
