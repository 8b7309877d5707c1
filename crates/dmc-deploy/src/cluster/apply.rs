//! Objects into the cluster.

use super::{Cluster, is_ours, label, name_of};
use crate::error::DeployError;
use crate::objects::{Kind, Object};
use crate::set::{ApplySet, PART_OF};
use kube::api::DynamicObject;
use std::collections::BTreeSet;
use std::fmt;

/// What applying made of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Created,
    /// Some of its fields were other ones.
    Changed,
    /// It was as it is to be.
    Unchanged,
    /// It is not part of the app any more.
    Deleted,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
        })
    }
}

/// What became of each object, by kind and name.
pub type Applied = Vec<(String, Change)>;

impl Cluster {
    /// Applies the objects of a set, the parent first. Nothing is applied where one of them is
    /// there already and is not of the set.
    pub async fn apply(&self, set: &ApplySet, objects: &[Object]) -> Result<Applied, DeployError> {
        let mut kinds = self.kinds_of(set).await?.map(|(kinds, _)| kinds).unwrap_or_default();
        let mut before = Vec::new();
        for object in objects {
            let found = self.get(object.kind, &object.name).await?;
            if found.as_ref().is_some_and(|it| label(it, PART_OF) != Some(set.id())) {
                return Err(self.foreign(object.kind, &object.name));
            }
            before.push(found);
            kinds.insert(object.kind);
        }
        // Whatever happens from here on, the set says where its members are.
        self.apply_one(&set.parent_object(&kinds)).await?;
        let mut applied = Applied::new();
        for (object, before) in objects.iter().zip(before) {
            let after = self.apply_one(object).await?;
            applied.push((object.to_string(), change(before.as_ref(), &after)));
        }
        Ok(applied)
    }

    /// Deletes members of a set that are not among its objects any more, but for claims, which
    /// hold data.
    pub async fn prune(&self, set: &ApplySet, objects: &[Object]) -> Result<Applied, DeployError> {
        let Some((kinds, _)) = self.kinds_of(set).await? else { return Ok(Applied::new()) };
        let mut pruned = Applied::new();
        let mut left: BTreeSet<Kind> = objects.iter().map(|object| object.kind).collect();
        for kind in kinds.iter().copied() {
            let wanted = |name: &str| objects.iter().any(|it| it.kind == kind && it.name == name);
            for member in self.members(kind, set).await? {
                let name = name_of(&member);
                if wanted(&name) {
                    continue;
                }
                if kind == Kind::PersistentVolumeClaim || !is_ours(&member) {
                    left.insert(kind);
                } else if self.delete_one(kind, &member).await? {
                    pruned.push((format!("{kind} {name}"), Change::Deleted));
                }
            }
        }
        if left != kinds {
            self.apply_one(&set.parent_object(&left)).await?;
        }
        Ok(pruned)
    }
}

fn change(before: Option<&DynamicObject>, after: &DynamicObject) -> Change {
    match before {
        None => Change::Created,
        Some(before) if before.metadata.resource_version == after.metadata.resource_version => {
            Change::Unchanged
        }
        Some(_) => Change::Changed,
    }
}
