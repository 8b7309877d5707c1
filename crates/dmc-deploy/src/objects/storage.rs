//! What is mounted: configuration, secrets, data, and folders that are empty at every start.

use crate::app::App;
use dmc_template::{Claim, MountPath};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, PersistentVolumeClaim, PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource, SecretVolumeSource, Volume, VolumeMount,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// How much /tmp may hold, as in the tests of images.
const TMP: &str = "512Mi";

impl App {
    /// Claims that are objects of their own; those of a stateful set are made by the cluster.
    pub(super) fn own_claims(&self) -> Vec<PersistentVolumeClaim> {
        if self.is_stateful() {
            return Vec::new();
        }
        let claims = self.deploy.claims.iter();
        claims.map(|(path, claim)| self.claim(self.member(self.claim_name(path)), claim)).collect()
    }

    /// The claims of which each container of a stateful set gets one.
    pub(super) fn claim_templates(&self) -> Vec<PersistentVolumeClaim> {
        let claims = self.deploy.claims.iter();
        claims
            .map(|(path, claim)| {
                let metadata = ObjectMeta { namespace: None, ..self.member(volume_name(path)) };
                self.claim(metadata, claim)
            })
            .collect()
    }

    fn claim_name(&self, path: &MountPath) -> String {
        format!("{}-{}", self.name, volume_name(path))
    }

    #[expect(clippy::unused_self, reason = "it belongs to the other two")]
    fn claim(&self, metadata: ObjectMeta, claim: &Claim) -> PersistentVolumeClaim {
        let size = Quantity(claim.size.as_str().to_owned());
        let resources = VolumeResourceRequirements {
            requests: Some(BTreeMap::from([("storage".to_owned(), size)])),
            limits: None,
        };
        let spec = PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(resources),
            storage_class_name: claim.class.as_ref().map(|class| class.as_str().to_owned()),
            ..PersistentVolumeClaimSpec::default()
        };
        PersistentVolumeClaim { metadata, spec: Some(spec), status: None }
    }

    /// Volumes and where they are mounted.
    pub(super) fn volumes(&self) -> (Vec<Volume>, Vec<VolumeMount>) {
        let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
        for (path, size) in self.scratch() {
            let name = volume_name_of(path);
            let folder = EmptyDirVolumeSource {
                size_limit: Some(Quantity(size)),
                ..EmptyDirVolumeSource::default()
            };
            mounts.push(mount(&name, path));
            volumes.push(Volume { name, empty_dir: Some(folder), ..Volume::default() });
        }
        for path in self.deploy.claims.keys() {
            let name = volume_name(path);
            mounts.push(mount(&name, path.as_str()));
            if !self.is_stateful() {
                let claim_name = self.claim_name(path);
                let claim = PersistentVolumeClaimVolumeSource { claim_name, read_only: None };
                let persistent_volume_claim = Some(claim);
                volumes.push(Volume { name, persistent_volume_claim, ..Volume::default() });
            }
        }
        for (path, secret) in &self.deploy.secrets {
            let name = volume_name(path);
            mounts.push(VolumeMount { read_only: Some(true), ..mount(&name, path.as_str()) });
            let secret = SecretVolumeSource {
                // For the group alone, which the cluster makes the pod's own.
                default_mode: Some(0o440),
                secret_name: Some(secret.as_str().to_owned()),
                ..SecretVolumeSource::default()
            };
            volumes.push(Volume { name, secret: Some(secret), ..Volume::default() });
        }
        self.mount_config(&mut volumes, &mut mounts);
        (volumes, mounts)
    }

    fn mount_config(&self, volumes: &mut Vec<Volume>, mounts: &mut Vec<VolumeMount>) {
        if self.deploy.config.is_empty() {
            return;
        }
        for (key, path) in self.config_keys().zip(self.deploy.config.keys()) {
            mounts.push(VolumeMount {
                read_only: Some(true),
                sub_path: Some(key),
                ..mount("config", path.as_str())
            });
        }
        let name = self.config_name();
        let map = ConfigMapVolumeSource { name, ..ConfigMapVolumeSource::default() };
        let name = "config".to_owned();
        volumes.push(Volume { name, config_map: Some(map), ..Volume::default() });
    }

    /// Folders that are empty at every start, and how much they may hold: /tmp, and the template's.
    fn scratch(&self) -> impl Iterator<Item = (&str, String)> {
        let own = &self.deploy.scratch;
        let tmp = own.keys().all(|path| path.as_str() != "/tmp").then_some(("/tmp", TMP));
        let own = own.iter().map(|(path, size)| (path.as_str(), size.as_str()));
        tmp.into_iter().chain(own).map(|(path, size)| (path, size.to_owned()))
    }

    /// What changes whenever a configuration file does, so that containers are started anew.
    pub(super) fn config_digest(&self) -> Option<String> {
        if self.deploy.config.is_empty() {
            return None;
        }
        let mut hash = Sha256::new();
        for (path, bytes) in &self.deploy.config {
            for part in [path.as_str().as_bytes(), bytes] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        Some(format!("sha256:{}", dmc_types::Sha256::from_bytes(hash.finalize().into())))
    }
}

fn mount(name: &str, path: &str) -> VolumeMount {
    let (name, mount_path) = (name.to_owned(), path.to_owned());
    VolumeMount { name, mount_path, ..VolumeMount::default() }
}

fn volume_name(path: &MountPath) -> String {
    volume_name_of(path.as_str())
}

/// A name that follows from the path alone: claims keep their data by it.
fn volume_name_of(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'/';
    let letter = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let name: String = path.to_ascii_lowercase().chars().map(letter).collect();
    let name = name.trim_matches('-');
    if path.bytes().all(plain) && name.len() <= 40 {
        return name.to_owned();
    }
    // Two paths may look alike without what names cannot hold.
    let short: String = name.chars().take(31).collect();
    let hash = dmc_types::Sha256::from_bytes(Sha256::digest(path).into()).to_string();
    format!("{}-{}", short.trim_end_matches('-'), hash.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_volumes_follow_from_their_paths() {
        for (path, wanted) in [
            ("/tmp", "tmp"),
            ("/var/lib/mysql", "var-lib-mysql"),
            ("/Data", "data-HASH"),
            ("/var/lib-mysql", "var-lib-mysql-HASH"),
            ("/srv/much/longer/than/a/name/needs/to/be/x", "srv-much-longer-than-a-name-nee-HASH"),
        ] {
            let hash = dmc_types::Sha256::from_bytes(Sha256::digest(path).into()).to_string();
            assert_eq!(volume_name_of(path), wanted.replace("HASH", &hash[..8]), "{path}");
        }
    }
}
