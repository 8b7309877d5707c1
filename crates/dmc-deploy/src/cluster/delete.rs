//! What was applied out of the cluster again.

use super::{Cluster, is_ours, name_of};
use crate::error::DeployError;
use crate::objects::Kind;
use crate::set::ApplySet;
use kube::api::{DeleteParams, DynamicObject, Preconditions};

/// What became of an app's objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Kind and name of those that were deleted.
    pub deleted: Vec<String>,
    /// Kind and name of those that stay, and why.
    pub kept: Vec<(String, &'static str)>,
}

impl Cluster {
    /// Deletes exactly what was applied: members of the set that dmc made, each only while it has
    /// the UID by which it was found, and the parent last. Claims stay unless `with_data`.
    pub async fn delete(&self, set: &ApplySet, with_data: bool) -> Result<Deleted, DeployError> {
        let parent = self.kinds_of(set).await?;
        let mut kinds = parent.as_ref().map(|(kinds, _)| kinds.clone()).unwrap_or_default();
        if kinds.contains(&Kind::StatefulSet) || with_data {
            // The cluster makes a stateful set's claims, and no parent lists them.
            kinds.insert(Kind::PersistentVolumeClaim);
        }
        let mut told = Deleted::default();
        // What keeps containers running goes before what they use.
        for kind in kinds.into_iter().rev().collect::<Vec<_>>() {
            for member in self.members(kind, set).await? {
                let name = format!("{kind} {}", name_of(&member));
                match self.judge(set, kind, &member, with_data) {
                    Some(why) => told.kept.push((name, why)),
                    None if self.delete_one(kind, &member).await? => told.deleted.push(name),
                    None => told.kept.push((name, REPLACED)),
                }
            }
        }
        if let Some((_, parent)) = parent {
            self.delete_one(Kind::ConfigMap, &parent).await?;
            told.deleted.push(format!("{} {}", Kind::ConfigMap, set.parent()));
        } else if told == Deleted::default() {
            let (name, namespace) = (set.app().to_owned(), self.namespace.clone());
            return Err(DeployError::NothingThere { name, namespace });
        }
        Ok(told)
    }

    /// Why a member stays.
    #[expect(clippy::unused_self, reason = "it belongs to `delete`")]
    fn judge(
        &self,
        set: &ApplySet,
        kind: Kind,
        member: &DynamicObject,
        with_data: bool,
    ) -> Option<&'static str> {
        let claim = kind == Kind::PersistentVolumeClaim;
        if claim && !with_data {
            return Some("it holds data; --with-data deletes it, too");
        }
        let ours = is_ours(member) || (claim && is_of_stateful_set(set, member));
        (!ours).then_some("it bears the label, but dmc did not make it")
    }

    /// Deletes an object unless another took its place meanwhile; whether it is gone.
    pub(super) async fn delete_one(
        &self,
        kind: Kind,
        object: &DynamicObject,
    ) -> Result<bool, DeployError> {
        let name = name_of(object);
        let preconditions =
            Preconditions { uid: object.metadata.uid.clone(), resource_version: None };
        let params = DeleteParams::background().preconditions(preconditions);
        let api = self.api(kind);
        match self.patiently(async || api.delete(&name, &params).await).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(self.failed(&format!("delete {kind} {name}"), error)),
        }
    }
}

/// Why an object stays that is not the one which was listed.
const REPLACED: &str = "another took its place meanwhile";

/// `CLAIM-SET-NUMBER`, as the cluster names the claims that it makes for a stateful set.
fn is_of_stateful_set(set: &ApplySet, member: &DynamicObject) -> bool {
    let name = name_of(member);
    let number = name.rsplit_once('-').filter(|(_, number)| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    });
    number.is_some_and(|(rest, _)| rest.ends_with(&format!("-{}", set.app())))
}
