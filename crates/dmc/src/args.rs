//! What may be typed: the one definition behind parsing, help, completions and the man page.
//!
//! Lists are comma-separated. Nothing here is checked against templates or the archive; that is
//! for [`crate::settings`], which also puts configuration and environment beneath these flags.

use camino::Utf8PathBuf;
use clap::{Parser, ValueEnum, ValueHint};
use clap_complete::Shell;
use dmc_types::Suite;
use std::time::Duration;

/// Debian micro containers: the smallest useful OCI images from signed Debian packages.
#[derive(Debug, Clone, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(name = "dmc", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// Architectures to build for, such as amd64,arm64.
    #[arg(short = 'A', long, value_name = "ARCH", value_delimiter = ',')]
    pub(crate) archs: Vec<String>,

    /// Debian release to take packages from, such as trixie; trixie@20260912T080000Z as it was then.
    #[arg(short = 'D', long, value_name = "SUITE")]
    pub(crate) dist: Option<String>,

    /// Mirror to read instead of the machine's own (http, https or file).
    #[arg(short = 'M', long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) mirror: Option<String>,

    /// Registry to push to after create.
    #[arg(short = 'H', long, value_name = "HOST[:PORT][/NAMESPACE]", value_hint = ValueHint::Hostname)]
    pub(crate) host: Option<String>,

    /// Build variants with a shell and tools, named NAME-dev.
    #[arg(short = 'T', long)]
    pub(crate) tools: bool,

    /// Delete what was deployed: exactly that, and no data.
    #[arg(short = 'X', long)]
    pub(crate) delete: bool,

    /// Templates to act on.
    #[arg(short = 't', long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) templates: Vec<String>,

    /// Groups of templates to act on.
    #[arg(short = 'g', long, value_name = "GROUP", value_delimiter = ',')]
    pub(crate) groups: Vec<String>,

    /// What to do; create where templates or groups are named and nothing else is said.
    #[arg(short = 'a', long = "activity", value_name = "ACTIVITY", value_delimiter = ',')]
    pub(crate) activities: Vec<Activity>,

    /// List the numbered tasks instead of doing them: nothing is written, nothing is fetched.
    #[arg(short = 'l', long)]
    pub(crate) list: bool,

    /// First task to do, by its number in the list.
    #[arg(short = 'b', long, value_name = "N")]
    pub(crate) begin: Option<usize>,

    /// Last task to do.
    #[arg(short = 'e', long, value_name = "N")]
    pub(crate) end: Option<usize>,

    /// Do these tasks only.
    #[arg(short = 'o', long, value_name = "N", value_delimiter = ',', conflicts_with_all = ["begin", "end"])]
    pub(crate) only: Vec<usize>,

    /// Folder for what is fetched and decoded [default: dmc in the user's cache folder].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) store: Option<Utf8PathBuf>,

    /// Folder of the OCI image layout that all templates share [default: out].
    #[arg(long, value_name = "DIR", env = "DMC_OUT", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<Utf8PathBuf>,

    /// Folder with templates, searched before the user's, /etc/dmc's and the built-in ones
    /// [default: templates, where it exists].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) templates_dir: Option<Utf8PathBuf>,

    /// Configuration file, read after /etc/dmc/dmc.conf and the user's.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) conf: Option<Utf8PathBuf>,

    /// Threads for decoding and compressing [default: one a processor].
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) jobs: Option<u16>,

    /// How layers are compressed: gzip, zstd or zstd:LEVEL, zstd:chunked for podman to fetch changed
    /// files only; gzip,zstd:chunked makes both.
    #[arg(long, value_name = "HOW")]
    pub(crate) compression: Option<String>,

    /// Make an index although the architectures differ in the source version.
    #[arg(long)]
    pub(crate) allow_skew: bool,

    /// Fail where the closure leaves an edge open: a library or file that a program names and
    /// that nothing resolves.
    #[arg(long)]
    pub(crate) strict: bool,

    /// Build images although nothing changed that they depend on; they must come out the same.
    #[arg(long)]
    pub(crate) force: bool,

    /// Build from whole packages with all that they depend on, a shell among them.
    #[arg(long)]
    pub(crate) small: bool,

    /// File of the lock [default: dmc.lock].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) lock: Option<Utf8PathBuf>,

    /// Build from the packages of the lock and no others; fail by name where it does not hold.
    #[arg(long)]
    pub(crate) locked: bool,

    /// Plan of a farm, as `dmc farm plan` prints it: for create with --shard, farm finish, farm manifests.
    #[arg(long, value_name = "REF@sha256:…")]
    pub(crate) plan: Option<String>,

    /// Which part of the plan this machine builds, counted from 0, such as 2/4.
    #[arg(long, value_name = "I/N", requires = "plan")]
    pub(crate) shard: Option<String>,

    /// For farm plan: how many machines build [default: `shards` of the configuration].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) shards: Option<u32>,

    /// Use what the store has, and no network.
    #[arg(long)]
    pub(crate) offline: bool,

    /// With lock: say what a new lock would change, package by package, and write nothing.
    #[arg(long)]
    pub(crate) diff: bool,

    /// Suites whose Valid-Until may have passed; the image records it.
    #[arg(long, value_name = "SUITE", value_delimiter = ',')]
    pub(crate) accept_expired: Vec<Suite>,

    /// Suites that may be older than the one last accepted.
    #[arg(long, value_name = "SUITE", value_delimiter = ',')]
    pub(crate) accept_rollback: Vec<Suite>,

    /// Keys that may sign suites which other keys signed last time, by fingerprint.
    #[arg(long, value_name = "FINGERPRINT", value_delimiter = ',', value_parser = fingerprint)]
    pub(crate) accept_key: Vec<String>,

    /// For clean: of what nobody refers to, only what was not used for so long, such as 30d.
    #[arg(long, value_name = "AGE", value_parser = crate::amounts::age)]
    pub(crate) older_than: Option<Duration>,

    /// For clean: the least recently used, until the store is no larger than this, such as 2G.
    #[arg(long, value_name = "SIZE", value_parser = crate::amounts::size)]
    pub(crate) max_size: Option<u64>,

    /// File with credentials of registries, in place of podman's and docker's.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) authfile: Option<Utf8PathBuf>,
    /// For audit: urgencies that fail the run: unimportant, low, medium or high (with what is above
    /// it), not-yet-assigned, end-of-life, undetermined.
    #[arg(long, value_name = "URGENCY", value_delimiter = ',')]
    pub(crate) fail_on: Vec<dmc_build::audit::FailOn>,

    /// Private key that signs what is pushed [default: none]; for keygen its file [default: dmc.key].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sign_key: Option<Utf8PathBuf>,

    /// For sbom: the document to print, one line an image.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// Container engine for load and test.
    #[arg(long, value_name = "ENGINE")]
    pub(crate) engine: Option<EngineChoice>,

    /// Name under which load tags the image [default: localhost/NAME].
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) repository: Option<String>,

    /// For deploy: print the objects, and ask no cluster.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// For deploy: the namespace [default: the context's own].
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,

    /// For deploy: the context of the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// For deploy: how many containers.
    #[arg(long, value_name = "N")]
    pub(crate) replicas: Option<u32>,

    /// For deploy: the tag to run in place of the live image.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,

    /// With -X: delete claims of storage, too, and so the data.
    #[arg(long, requires = "delete")]
    pub(crate) with_data: bool,

    /// Results as JSON, one value a line.
    #[arg(long)]
    pub(crate) json: bool,

    /// File for the results as JSON besides, with a value for each task that failed.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) report: Option<Utf8PathBuf>,

    /// File for when each stage of the run began and how long it took, for a browser to show.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) trace: Option<Utf8PathBuf>,

    /// Say more.
    #[arg(short = 'v', long, conflicts_with = "quiet")]
    pub(crate) verbose: bool,

    /// Say nothing but errors.
    #[arg(short = 'q', long)]
    pub(crate) quiet: bool,

    /// Hand standard input to a port of loopback and print what comes back; tests use it.
    #[arg(long, value_name = "PORT", hide = true, exclusive = true)]
    pub(crate) relay: Option<u16>,

    /// Print completions for a shell.
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub(crate) completions: Option<Shell>,

    /// Print the man page.
    #[arg(long, exclusive = true)]
    pub(crate) man: bool,

    /// Activities, as after -a: `dmc update`, `dmc create load -t nginx`. What follows `why` is a
    /// template and a path: `dmc why nginx /usr/sbin/nginx`; what follows `upgrade` are templates:
    /// `dmc upgrade nginx`; what follows `diff` are two images or
    /// locks: `dmc diff nginx:1.26.3 nginx:latest`.
    #[arg(value_name = "ACTIVITY")]
    pub(crate) words: Vec<String>,
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Activity {
    /// Prepare store and configuration, verify keys and indices, look for optional tools.
    Setup,
    /// Refresh the package indices; say what changed for each template.
    Update,
    /// Write down which packages the images are made of, for builds with --locked.
    Lock,
    /// Build images into the layout.
    Create,
    /// Look for what is wrong with images, without running them.
    Verify,
    /// Hold images against Debian's security tracker; say what does not affect them, as VEX.
    Audit,
    /// Say what images are made of: SPDX, CycloneDX, provenance (--format prints one).
    Sbom,
    /// Say under which licences the images' packages are; fail by the deny list.
    Licences,
    /// Run the templates' tests against the images.
    Test,
    /// Put the image for this machine into docker or podman.
    Load,
    /// Bring images and tags to the registry.
    Push,
    /// Test images where they are pushed or, without a registry, in the layout, and make them the
    /// live ones if all tests hold.
    Promote,
    /// Make the image that was live before the live one again.
    Rollback,
    /// Let the container on this machine run the live image, by the template's run settings.
    Restart,
    /// Create, push, promote, and restart what runs: dmc upgrade nginx.
    Upgrade,
    /// Bring the live image into a Kubernetes cluster; --dry-run prints the objects.
    Deploy,
    /// Make a pair of keys for signatures.
    Keygen,
    /// Share a build among machines: farm plan, finish, manifests, night.
    Farm,
    /// Say why a file is in an image, or which package would ship it.
    Why,
    /// Say what differs between two images or locks, with the changelogs between them.
    Diff,
    /// Remove what neither an image nor a lock refers to; -l lists it.
    Clean,
    /// Read store and layout again, and repair what is damaged; -l only looks.
    Check,
}

impl Args {
    /// With what follows `upgrade` as templates: `dmc upgrade nginx,php`.
    pub(crate) fn settled(mut self) -> Self {
        if let Some(at) = self.words.iter().position(|word| word == "upgrade") {
            let names = self.words.split_off(at + 1);
            self.templates.extend(names.iter().flat_map(|it| it.split(',')).map(str::to_owned));
        }
        self
    }
}

/// As the archive spells it, from however it is written.
fn fingerprint(text: &str) -> Result<String, String> {
    let digits = text.trim_start_matches("0x").replace([' ', ':'], "").to_ascii_uppercase();
    match (digits.len(), digits.bytes().all(|b| b.is_ascii_hexdigit())) {
        (40 | 64, true) => Ok(digits),
        _ => Err("a fingerprint has 40 or 64 hexadecimal digits".to_owned()),
    }
}

impl Activity {
    /// The names of all activities.
    pub(crate) fn names() -> Vec<String> {
        let names = Self::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        names.map(|value| value.get_name().to_owned()).collect()
    }

    /// As tasks, where it comes in tasks.
    pub(crate) fn task(self) -> Option<dmc_build::Activity> {
        match self {
            Self::Setup => Some(dmc_build::Activity::Setup),
            Self::Lock => Some(dmc_build::Activity::Lock),
            Self::Update => Some(dmc_build::Activity::Update),
            Self::Create => Some(dmc_build::Activity::Create),
            Self::Verify => Some(dmc_build::Activity::Verify),
            Self::Audit => Some(dmc_build::Activity::Audit),
            Self::Sbom => Some(dmc_build::Activity::Sbom),
            Self::Licences => Some(dmc_build::Activity::Licences),
            Self::Test => Some(dmc_build::Activity::Test),
            Self::Load => Some(dmc_build::Activity::Load),
            Self::Push => Some(dmc_build::Activity::Push),
            Self::Promote => Some(dmc_build::Activity::Promote),
            Self::Rollback => Some(dmc_build::Activity::Rollback),
            Self::Restart => Some(dmc_build::Activity::Restart),
            Self::Deploy => Some(dmc_build::Activity::Deploy),
            Self::Farm
            | Self::Keygen
            | Self::Upgrade
            | Self::Why
            | Self::Diff
            | Self::Clean
            | Self::Check => None,
        }
    }
}

/// Documents about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// SPDX 2.3
    Spdx,
    /// CycloneDX 1.6
    Cyclonedx,
    /// SLSA provenance 1
    Provenance,
}

/// Engines that load and test know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// Whichever answers, podman first.
    Auto,
    /// podman
    Podman,
    /// docker
    Docker,
}
