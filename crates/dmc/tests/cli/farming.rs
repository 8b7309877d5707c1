//! Machines that share a build, on loopback: archive, registry and cluster are the test kit's.

mod mistakes;
mod night;
mod reports;

use crate::stage::{Stage, Told};
use dmc_testkit::FakeRegistry;
use serde_json::Value;

/// The repository of plans and reports.
const PLANS: &str = "team/dmc-farm";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An archive, a registry, and `page`, a template that needs little.
struct Farm {
    stage: Stage,
    registry: FakeRegistry,
}

impl Farm {
    fn new() -> Self {
        Self::with(FakeRegistry::open())
    }

    fn with(registry: FakeRegistry) -> Self {
        let stage = Stage::new();
        let page = "packages = [\"nginx-common\"]\nroots = [\"/usr/share/nginx/html/index.html\"]";
        stage.template("page", page);
        Self { stage, registry }
    }

    /// Where the images go.
    fn host(&self) -> String {
        format!("{}/team", self.registry.host())
    }

    fn run(&self, words: &str) -> Told {
        self.stage.run(&words.split(' ').collect::<Vec<_>>())
    }

    /// Plans a template's two images for so many machines; gives what names the plan.
    fn plan(&self, template: &str, shards: u32) -> String {
        let words = format!("farm plan -t {template} --shards {shards} -H {}", self.host());
        self.run(&words).good().stdout.trim_end().to_owned()
    }

    fn shard(&self, plan: &str, shard: &str) -> Told {
        self.run(&format!("create --locked --plan {plan} --shard {shard}"))
    }

    fn finish(&self, plan: &str) -> Told {
        self.run(&format!("farm finish --plan {plan}"))
    }

    /// An artifact of the farm, by its digest in hexadecimal.
    fn artifact(&self, digest: &str) -> Value {
        serde_json::from_slice(&self.registry.manifest(PLANS, digest).unwrap()).unwrap()
    }

    /// The text of one of its layers.
    fn text(&self, artifact: &Value, layer: usize) -> String {
        let digest = artifact["layers"][layer]["digest"].as_str().unwrap();
        let bytes = self.registry.blob(digest.strip_prefix("sha256:").unwrap()).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// The artifact with another text as one of its layers.
    fn with_text(&self, artifact: &Value, layer: usize, text: &str) -> Value {
        let mut artifact = artifact.clone();
        let digest = self.registry.put_blob(PLANS, text.as_bytes());
        artifact["layers"][layer]["digest"] = format!("sha256:{digest}").into();
        artifact["layers"][layer]["size"] = text.len().into();
        artifact
    }

    /// Puts an artifact under a tag; gives what names it.
    fn put(&self, tag: &str, artifact: &Value) -> String {
        self.put_bytes(tag, artifact.to_string().as_bytes())
    }

    fn put_bytes(&self, tag: &str, bytes: &[u8]) -> String {
        let digest = self.registry.put_manifest(PLANS, tag, MANIFEST, bytes);
        format!("{}/dmc-farm@sha256:{digest}", self.host())
    }
}

/// The digest in what names a plan, in hexadecimal.
fn digest(plan: &str) -> &str {
    plan.split_once("@sha256:").unwrap().1
}
