//! From what was typed to what a run is made of: flags over environment over configuration.

use crate::args::{Args, EngineChoice, Format};
use crate::embedded;
use crate::error::{CommandError, USAGE};
use crate::logging::{self, Logging};
use crate::password::Asked;
use camino::{Utf8Path, Utf8PathBuf};
use dmc_archive::Floor;
use dmc_build::audit::AuditSettings;
use dmc_build::{DeployOptions, DocumentKind, Engine, Extras, LockFailure, Settings, read_lock};
use dmc_lock::Lock;
use dmc_template::{Catalog, Conf, ConfLayer, Snapshot, TemplateFolder, nearest};
use dmc_types::{Arch, Compressions};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing_subscriber::filter::LevelFilter;

/// The environment, looked at once.
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
    /// `COSIGN_PASSWORD`, which may be empty.
    password: Option<String>,
    /// Seconds since 1970.
    now: i64,
    pub(crate) host: Arch,
}

impl Environment {
    /// What the machine says now.
    pub(crate) fn read() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
        Self {
            password: std::env::var("COSIGN_PASSWORD").ok(),
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .filter(|(name, value)| !value.is_empty() && name != "COSIGN_PASSWORD")
                .collect(),
            now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            host: Arch::from_uname(&machine).unwrap_or(Arch::Amd64),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A folder of the XDG base directory specification.
    fn xdg(&self, variable: &str, below_home: &str) -> Option<Utf8PathBuf> {
        let set = self.get(variable).filter(|path| path.starts_with('/')).map(Utf8PathBuf::from);
        set.or_else(|| self.get("HOME").map(|home| Utf8Path::new(home).join(below_home)))
    }

    fn user_conf(&self) -> Option<Utf8PathBuf> {
        self.xdg("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("dmc"))
    }
}

/// How much is said, and where.
pub(crate) fn logging(args: &Args, env: &Environment) -> Result<Logging, CommandError> {
    let level =
        |name: &str, default| env.get(name).map_or(Ok(default), |text| logging::level(name, text));
    let out = match (args.quiet, args.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, true) => LevelFilter::DEBUG,
        _ => level("OUT_level", LevelFilter::INFO)?,
    };
    let log = level("LOG_level", LevelFilter::INFO)?;
    Ok(Logging { out, log, folder: env.get("LOG_dir").map(str::to_owned) })
}

/// What the run is made of.
pub(crate) fn settings(args: &Args, env: &Environment) -> Result<Settings, CommandError> {
    let mut conf = read_conf(args, env)?;
    if let Some(dist) = &args.dist {
        conf.dist.clone_from(dist);
    }
    if !args.archs.is_empty() {
        conf.archs = archs(args)?;
    }
    let mut seen = BTreeSet::new();
    conf.archs.retain(|arch| seen.insert(*arch));
    conf.mirror = args.mirror.clone().or(conf.mirror);
    conf.host = args.host.clone().or(conf.host);
    conf.accept_expired.extend(args.accept_expired.iter().cloned());
    conf.jobs = args.jobs.or(conf.jobs);
    if let Some(key) = &args.sign_key {
        conf.signing.key = Some(key.to_string());
    }
    conf.deploy.context = args.context.clone().or(conf.deploy.context);
    conf.deploy.namespace = args.namespace.clone().or(conf.deploy.namespace);
    let lock_file = args.lock.clone().unwrap_or_else(|| Utf8PathBuf::from("dmc.lock"));
    // The lock of a plan is in the registry.
    let locked =
        if args.locked && args.plan.is_none() { Some(Arc::new(lock(&lock_file)?)) } else { None };
    if let (Some(lock), None) = (&locked, &args.dist) {
        conf.dist.clone_from(&lock.dist);
    }
    // A build that is held to a lock reads no release.
    let floors = if args.locked { Vec::new() } else { floors(&lock_file)? };
    let (codename, snapshot) = asked_dist(args, &conf, env)?;
    conf.dist = codename;
    let compression = compression(args, &conf)?;
    let out = args.out.clone().unwrap_or_else(|| Utf8PathBuf::from(&conf.out));
    let store = match args.store.clone().or_else(|| conf.store.clone().map(Utf8PathBuf::from)) {
        Some(store) => store,
        None => {
            env.xdg("XDG_CACHE_HOME", ".cache").map(|cache| cache.join("dmc")).ok_or_else(|| {
                CommandError::usage("there is no folder for the store")
                    .hint("set HOME, or name one by --store")
            })?
        }
    };
    let folders = template_folders(args, env)?;
    Ok(Settings {
        catalog: if args.tools { Catalog::with_tools(folders) } else { Catalog::read(folders) },
        rules: rules(&conf)?,
        verify: embedded::verify().to_owned(),
        scripts: embedded::scripts().to_owned(),
        licences: embedded::licences().to_owned(),
        keyrings: embedded::keyrings(),
        compression,
        store,
        out,
        apt_root: Utf8PathBuf::from(env.get("DMC_APT_ROOT").unwrap_or("/")),
        now: env.now,
        epoch: epoch(env)?,
        allow_skew: args.allow_skew,
        strict: args.strict,
        force: args.force,
        lock_file,
        locked,
        variant: dmc_build::Variant { small: args.small },
        accept_rollback: args.accept_rollback.iter().cloned().collect(),
        accept_keys: args.accept_key.iter().cloned().collect(),
        auth_files: auth_files(args, env)?,
        audit: audit(args, &conf)?,
        cache: None,
        passwords: Arc::new(asked(&conf, env)),
        floors,
        snapshot,
        conf,
    })
}

/// The distribution, and the moment at which its archive is to be read.
fn asked_dist(
    args: &Args,
    conf: &Conf,
    env: &Environment,
) -> Result<(String, Option<Snapshot>), CommandError> {
    let (asked, snapshot) = Snapshot::split(&conf.dist)
        .map_err(|error| CommandError::from_library(USAGE, &error, None))?;
    let dist = conf
        .dist(asked)
        .map_err(|error| CommandError::from_library(USAGE, &error, error.hint()))?;
    // By its codename from here on, so that `unstable` and `sid` are one.
    let codename = dist.codename.to_owned();
    // A build that is held to a lock reads no archive: no clock counts, and no mirror is asked.
    let Some(snapshot) = snapshot.filter(|_| !args.locked) else { return Ok((codename, snapshot)) };
    if snapshot.time() > env.now {
        let text = format!("the time of {asked}@{snapshot} has not come yet");
        return Err(CommandError::usage(text)
            .hint("leave out the time for the archive as it is; check this machine's clock"));
    }
    match &args.mirror {
        Some(mirror) if !dist.vendor.snapshots_ask_mirror() => {
            let text = format!("{asked}@{snapshot} is not read from {mirror}");
            Err(CommandError::usage(text)
                .hint("leave out -M, or set [vendor.….snapshots] in a configuration file"))
        }
        _ => Ok((codename, Some(snapshot))),
    }
}

/// Whoever knows the key's password, and the key itself where the environment has it.
fn asked(conf: &Conf, env: &Environment) -> Asked {
    let asked = Asked::new(env.password.clone());
    let key = conf.signing.key.as_deref().and_then(|key| key.strip_prefix("env://"));
    match key {
        Some(name) => asked.with_key(name, env.get(name)),
        None => asked,
    }
}

/// Files that may say who the user is for a registry (containers-auth.json(5)). One that is named
/// is the only one.
fn auth_files(args: &Args, env: &Environment) -> Result<Vec<Utf8PathBuf>, CommandError> {
    if let Some(file) = &args.authfile {
        if file.is_file() {
            return Ok(vec![file.clone()]);
        }
        return Err(CommandError::usage(format!("there is no file `{file}`"))
            .hint("check --authfile; `podman login --authfile` writes one"));
    }
    if let Some(file) = env.get("REGISTRY_AUTH_FILE") {
        return Ok(vec![Utf8PathBuf::from(file)]);
    }
    let containers = |folder: Utf8PathBuf| folder.join("containers/auth.json");
    let running = env.get("XDG_RUNTIME_DIR").map(Utf8PathBuf::from).map(containers);
    let own = env.xdg("XDG_CONFIG_HOME", ".config").map(containers);
    let docker = env.get("DOCKER_CONFIG").map(Utf8PathBuf::from);
    let docker = docker.or_else(|| env.get("HOME").map(|home| Utf8Path::new(home).join(".docker")));
    let docker = docker.map(|folder| folder.join("config.json"));
    Ok([running, own, docker].into_iter().flatten().collect())
}

/// The lock that builds are held to.
fn lock(file: &Utf8Path) -> Result<Lock, CommandError> {
    let missing = || LockFailure::Missing { path: file.to_owned() };
    let read = read_lock(file).and_then(|lock| lock.ok_or_else(missing));
    read.map_err(|error| CommandError::from_library(USAGE, &error, error.hint()))
}

/// The lock that keeps packages: the one that is named, else the usual one where it is there.
pub(crate) fn lock_if_there(
    args: &Args,
    settings: &Settings,
) -> Result<Option<Lock>, CommandError> {
    if args.lock.is_some() {
        return lock(&settings.lock_file).map(Some);
    }
    read_lock(&settings.lock_file)
        .map_err(|error| CommandError::from_library(USAGE, &error, error.hint()))
}

/// What a lock that is there says of the releases to come.
fn floors(file: &Utf8Path) -> Result<Vec<Floor>, CommandError> {
    let lock =
        read_lock(file).map_err(|error| CommandError::from_library(USAGE, &error, error.hint()))?;
    Ok(lock.map(|lock| dmc_build::floors(&lock, file.as_str())).unwrap_or_default())
}

/// The rules of the folder that the configuration names, else the shipped ones.
fn rules(conf: &Conf) -> Result<Vec<(String, Vec<u8>)>, CommandError> {
    if let Some(folder) = &conf.rules {
        return crate::folders::read_texts(Utf8Path::new(folder), "rules");
    }
    let shipped = embedded::rules().into_iter();
    Ok(shipped.map(|(name, text)| (name, text.to_vec())).collect())
}

/// What images are held against.
fn audit(args: &Args, conf: &Conf) -> Result<AuditSettings, CommandError> {
    let mut curated = embedded::vex();
    if let Some(folder) = &conf.audit.vex {
        curated.extend(crate::folders::read_texts(Utf8Path::new(folder), "audit.vex")?);
    }
    Ok(AuditSettings { curated, fail_on: args.fail_on.clone() })
}

/// The architectures that were typed.
pub(crate) fn archs(args: &Args) -> Result<Vec<Arch>, CommandError> {
    args.archs.iter().map(|name| arch(name)).collect()
}

fn arch(name: &str) -> Result<Arch, CommandError> {
    name.parse().map_err(|error: dmc_types::UnknownArch| {
        let near = nearest(name, Arch::ALL.map(Arch::name));
        let known = Arch::ALL.map(Arch::name).join(", ");
        CommandError::from_library(
            USAGE,
            &error,
            near.map(|near| format!("did you mean `{near}`?")),
        )
        .hint(format!("Debian's architectures are {known}"))
    })
}

fn compression(args: &Args, conf: &Conf) -> Result<Compressions, CommandError> {
    let Some(text) = &args.compression else { return Ok(conf.compression.clone()) };
    text.parse()
        .map_err(|error: dmc_types::NameError| CommandError::from_library(USAGE, &error, None))
}

fn epoch(env: &Environment) -> Result<Option<i64>, CommandError> {
    let Some(text) = env.get("SOURCE_DATE_EPOCH") else { return Ok(None) };
    match text.parse::<i64>() {
        Ok(epoch) if epoch >= 0 => Ok(Some(epoch)),
        _ => Err(CommandError::usage(format!("SOURCE_DATE_EPOCH is `{text}`"))
            .hint("it is a number of seconds since 1970")),
    }
}

/// The layers of the configuration: built in, /etc's, the user's, the one that was named.
fn read_conf(args: &Args, env: &Environment) -> Result<Conf, CommandError> {
    let mut files = vec![Utf8PathBuf::from("/etc/dmc/dmc.conf")];
    files.extend(env.user_conf().map(|folder| folder.join("dmc.conf")));
    let mut texts = vec![("built-in conf/dmc.conf".to_owned(), embedded::conf().to_vec())];
    for file in files {
        if let Some(bytes) = read_if_there(&file)? {
            texts.push((file.to_string(), bytes));
        }
    }
    if let Some(file) = &args.conf {
        let bytes = read_if_there(file)?.ok_or_else(|| {
            CommandError::usage(format!("there is no file `{file}`")).hint("check --conf")
        })?;
        texts.push((file.to_string(), bytes));
    }
    let layers: Vec<ConfLayer> =
        texts.iter().map(|(file, bytes)| ConfLayer { file, bytes }).collect();
    Conf::read(&layers).map_err(|error| CommandError::from_library(USAGE, &error, error.hint()))
}

fn read_if_there(file: &Utf8Path) -> Result<Option<Vec<u8>>, CommandError> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CommandError::failed(format!("cannot read `{file}`")).because(&error)),
    }
}

/// All templates, the weakest place first: built in, /etc's, the user's, the working folder's.
fn template_folders(args: &Args, env: &Environment) -> Result<Vec<TemplateFolder>, CommandError> {
    let mut folders = embedded::templates();
    let mut places = vec![Utf8PathBuf::from("/etc/dmc/templates")];
    places.extend(env.user_conf().map(|folder| folder.join("templates")));
    places.push(args.templates_dir.clone().unwrap_or_else(|| Utf8PathBuf::from("templates")));
    for place in places {
        folders.extend(crate::folders::read_templates(&place)?);
    }
    if let Some(place) = args.templates_dir.as_ref().filter(|place| !place.is_dir()) {
        return Err(CommandError::usage(format!("there is no folder `{place}`"))
            .hint("check --templates-dir"));
    }
    Ok(folders)
}

/// What load, test and setup need.
pub(crate) fn extras(args: &Args, settings: &Settings) -> Extras {
    let engine = match (args.engine, settings.conf.engine) {
        (Some(EngineChoice::Podman), _) | (None, dmc_template::Engine::Podman) => {
            Some(Engine::Podman)
        }
        (Some(EngineChoice::Docker), _) | (None, dmc_template::Engine::Docker) => {
            Some(Engine::Docker)
        }
        _ => None,
    };
    let this = std::env::current_exe().unwrap_or_else(|_| "dmc".into());
    let relay = vec![this.into_os_string(), "--relay".into()];
    let deploy = DeployOptions {
        dry_run: args.dry_run,
        replicas: args.replicas,
        tag: args.tag.clone(),
        with_data: args.with_data,
    };
    let document = args.format.map(|format| match format {
        Format::Spdx => DocumentKind::Spdx,
        Format::Cyclonedx => DocumentKind::CycloneDx,
        Format::Provenance => DocumentKind::Provenance,
    });
    let repository = args.repository.clone();
    Extras { engine, relay, repository, deploy, conf: None, shard: None, document }
}

/// Where the user's configuration would be, and what setup writes there.
pub(crate) fn first_conf(env: &Environment) -> Option<(Utf8PathBuf, String)> {
    env.user_conf().map(|folder| (folder.join("dmc.conf"), embedded::conf_as_comment()))
}
