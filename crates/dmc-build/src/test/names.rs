//! Names of this run alone, and the removal of what bears them.

use super::client::Client;
use crate::load::Engine;
use dmc_types::TemplateName;
use std::cell::RefCell;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// Names with a part that no other run has; whatever was named is removed when this goes.
pub(crate) struct RunNames {
    client: Client,
    prefix: String,
    images: RefCell<Vec<String>>,
}

impl RunNames {
    pub(crate) fn new(client: &Client) -> Self {
        // The standard library's hashes begin at random.
        let random = RandomState::new().build_hasher().finish();
        let prefix = format!("dmc-test-{random:016x}");
        Self { client: client.clone(), prefix, images: RefCell::default() }
    }

    /// A name for an image, which is to be loaded under it.
    pub(crate) fn image(&self, template: &TemplateName) -> String {
        let name = format!("localhost/{}/{template}:test", self.prefix);
        self.images.borrow_mut().push(name.clone());
        name
    }

    /// Names for the containers and volumes of one test.
    pub(crate) fn of_test(&self, number: usize) -> TestNames {
        TestNames {
            client: self.client.clone(),
            prefix: format!("{}-{number}", self.prefix),
            given: 0,
            containers: Vec::new(),
            volumes: Vec::new(),
        }
    }
}

impl Drop for RunNames {
    fn drop(&mut self) {
        for image in self.images.take() {
            removed(&self.client, &["rmi", &image]);
        }
    }
}

/// Names of one test's containers and volumes; whatever was named is removed when this goes.
pub(crate) struct TestNames {
    client: Client,
    prefix: String,
    given: usize,
    containers: Vec<String>,
    volumes: Vec<String>,
}

impl TestNames {
    /// A name for a container that is about to be made.
    pub(crate) fn container(&mut self) -> String {
        let name = format!("{}-{}", self.prefix, self.given);
        self.given += 1;
        self.containers.push(name.clone());
        name
    }

    /// A name for a volume.
    pub(crate) fn volume(&mut self) -> String {
        let name = format!("{}-volume-{}", self.prefix, self.volumes.len());
        self.volumes.push(name.clone());
        name
    }

    /// Removes all containers with their unnamed volumes.
    pub(crate) fn remove_containers(&mut self) {
        // The last one first: it may share an earlier one's network.
        for container in std::mem::take(&mut self.containers).into_iter().rev() {
            // podman would wait for the program to end.
            let at_once: &[&str] = match self.client.engine {
                Engine::Podman => &["-t", "0"],
                Engine::Docker => &[],
            };
            removed(&self.client, &[&["rm", "-f", "-v"], at_once, &[&container]].concat());
        }
    }
}

impl Drop for TestNames {
    fn drop(&mut self) {
        self.remove_containers();
        for volume in &self.volumes {
            removed(&self.client, &["volume", "rm", "-f", volume]);
        }
    }
}

fn removed(client: &Client, args: &[&str]) {
    let output = client.tell(args);
    if !output.good() {
        tracing::debug!("{} {}: {}", client.engine.program(), args.join(" "), output.text().trim());
    }
}
