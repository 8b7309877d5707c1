//! Images into a container engine on this machine.

use crate::error::BuildError;
use dmc_image::oci::Descriptor;
use dmc_image::{Layout, archive};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Container engines that take an image from standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// podman(1)
    Podman,
    /// docker(1)
    Docker,
}

impl Engine {
    /// The program's name.
    pub fn program(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    /// Whether the engine is there and answers.
    pub fn answers(self) -> bool {
        let asked = Command::new(self.program())
            .arg("info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// The first engine that answers.
    pub fn find() -> Option<Self> {
        [Self::Podman, Self::Docker].into_iter().find(|engine| engine.answers())
    }
}

/// Sends an image through `engine load`. Returns the references that the engine reports.
pub(crate) fn load(
    layout: &Layout,
    manifest: &Descriptor,
    names: &[String],
    engine: Engine,
) -> Result<Vec<String>, BuildError> {
    let failed = |why: String| BuildError::Engine { engine: engine.program(), why };
    let mut child = Command::new(engine.program())
        .arg("load")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let written = match child.stdin.take() {
        // Buffered: a pipe takes 64 KiB at a time.
        Some(stdin) => {
            let mut stdin = std::io::BufWriter::with_capacity(1 << 16, stdin);
            archive::write_archive(layout, manifest, names, &mut stdin)
                .and_then(|()| stdin.flush().map_err(archive::ArchiveError::Write))
        }
        None => Ok(()),
    };
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    written.map_err(BuildError::Export)?;
    Ok(references(&String::from_utf8_lossy(&output.stdout)))
}

/// What follows `Loaded image: ` (docker, podman) in each line.
fn references(output: &str) -> Vec<String> {
    let reported = output.lines().filter_map(|line| line.split_once("oaded image"));
    reported
        .filter_map(|(_, rest)| rest.split_once(": "))
        .flat_map(|(_, names)| names.split(','))
        .map(|name| name.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_engines_report() {
        for (output, wanted) in [
            ("Loaded image: localhost/nginx:1.26.3\n", vec!["localhost/nginx:1.26.3"]),
            (
                "Loaded image(s): localhost/a:1,localhost/a:2\n",
                vec!["localhost/a:1", "localhost/a:2"],
            ),
            ("Loaded image: a:1\nLoaded image: a:2\n", vec!["a:1", "a:2"]),
            ("", vec![]),
        ] {
            assert_eq!(references(output), wanted);
        }
    }
}
