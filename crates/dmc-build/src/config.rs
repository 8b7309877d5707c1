//! The configuration and annotations of an image.
//!
//! Everything is taken from the template and from the packages in the image; nothing says when,
//! where or by whom it was built (see the crate's documentation).

use dmc_image::oci::{Annotations, Healthcheck, RunConfig, rfc3339};
use dmc_template::{ImageSettings, Owner, Template};
use dmc_types::{PackageName, UnixTime};
use std::collections::BTreeMap;

/// The user that images run as where the template names none: as distroless' `nonroot`.
pub(crate) const NONROOT: Owner = Owner { uid: 65532, gid: 65532 };

/// The search path of programs, where the template sets none.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/// What labels and annotations are made of.
#[derive(Debug)]
pub(crate) struct Description<'a> {
    pub(crate) template: &'a Template,
    /// The image's first tag.
    pub(crate) version: &'a str,
    /// The package that gives the version, with its full Debian version.
    pub(crate) package: Option<(&'a PackageName, &'a str)>,
    /// Its `Homepage`.
    pub(crate) homepage: Option<&'a str>,
    /// Codename of the distribution.
    pub(crate) dist: &'a str,
    /// Suites that were accepted although they had expired.
    pub(crate) expired: &'a [String],
    /// Whether it is made of whole packages.
    pub(crate) small: bool,
    /// The time of the newest package.
    pub(crate) created: UnixTime,
}

impl Description<'_> {
    /// The annotations of manifest and index (OCI image specification, "Annotations"), which are
    /// also the labels that an image has besides its template's.
    pub(crate) fn annotations(&self) -> Annotations {
        let key = |name: &str| format!("org.opencontainers.image.{name}");
        let described = self.template.description().unwrap_or(self.template.summary());
        let mut all = Annotations::from([
            (key("title"), self.template.name().to_string()),
            (key("description"), described.trim().replace('\n', " ")),
            (key("version"), self.version.to_owned()),
            (key("created"), rfc3339(self.created)),
            ("dmc.dist".to_owned(), self.dist.to_owned()),
        ]);
        if let Some(homepage) = self.homepage {
            all.insert(key("url"), homepage.to_owned());
        }
        if let Some((name, version)) = self.package {
            all.insert("dmc.package".to_owned(), format!("{name}={version}"));
        }
        if !self.expired.is_empty() {
            all.insert("dmc.accepted-expired".to_owned(), self.expired.join(","));
        }
        if self.small {
            all.insert("dmc.mode".to_owned(), "small".to_owned());
        }
        if self.template.is_private() {
            all.insert("dmc.private".to_owned(), "true".to_owned());
        }
        all
    }

    /// How the layer came to be, for the one entry of history.
    pub(crate) fn created_by(&self) -> String {
        let package =
            self.package.map(|(name, version)| format!(" ({name} {version})")).unwrap_or_default();
        format!("dmc {}{package} from {}", self.template.name(), self.dist)
    }
}

/// How an image runs.
pub(crate) fn run_config(settings: &ImageSettings, labels: Annotations) -> RunConfig {
    let mut environment = BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]);
    environment.extend(settings.environment.clone());
    let Owner { uid, gid } = settings.user.unwrap_or(NONROOT);
    let mut all_labels = labels;
    all_labels.extend(settings.labels.clone());
    RunConfig {
        user: format!("{uid}:{gid}"),
        exposed_ports: settings.ports.iter().map(ToString::to_string).collect(),
        env: environment.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
        entrypoint: settings.entrypoint.clone().unwrap_or_default(),
        cmd: settings.cmd.clone().unwrap_or_default(),
        volumes: settings.volumes.iter().map(ToString::to_string).collect(),
        working_dir: settings.workdir.as_ref().map(ToString::to_string).unwrap_or_default(),
        labels: all_labels,
        stop_signal: settings.stop_signal.clone().unwrap_or_default(),
        healthcheck: settings.healthcheck.as_ref().map(healthcheck),
    }
}

fn healthcheck(check: &dmc_template::HealthCheck) -> Healthcheck {
    let nanoseconds = |period: Option<dmc_template::Period>| {
        period.map_or(0, |period| u64::try_from(period.duration().as_nanos()).unwrap_or(u64::MAX))
    };
    let program = check.test.0.iter().cloned();
    Healthcheck {
        test: std::iter::once("CMD".to_owned()).chain(program).collect(),
        interval: nanoseconds(check.interval),
        timeout: nanoseconds(check.timeout),
        start_period: nanoseconds(check.start_period),
        retries: check.retries.map_or(0, u64::from),
    }
}
