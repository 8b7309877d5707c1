//! From the words of a command to what is to be done: activities, templates, tasks.

use crate::args::{Activity, Args};
use crate::error::{CommandError, FAILED, USAGE};
use dmc_build::{Plan, Selection, Settings, read_lock};
use dmc_template::nearest;
use dmc_types::TemplateName;
use std::collections::BTreeSet;

/// What is to be done.
pub(crate) enum Request {
    /// Numbered tasks.
    Tasks(BTreeSet<dmc_build::Activity>),
    /// A question about a file of an image.
    Why {
        /// The template.
        template: String,
        /// The path.
        path: String,
    },
    /// A comparison.
    Diff {
        /// What names the old side.
        old: String,
        /// What names the new side.
        new: String,
    },
    /// Machines share a build.
    Farm(FarmVerb),
    /// A pair of keys is made.
    Keygen,
    /// Store and layout are thinned out.
    Clean,
    /// Store and layout are read again.
    Check,
}

/// What is done with a farm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FarmVerb {
    /// A plan is made.
    Plan,
    /// A set is checked, signed and named.
    Finish,
    /// The objects of a cluster are printed.
    Manifests,
    /// A cluster builds: plan, shards, finish.
    Night,
}

impl FarmVerb {
    fn of(words: &[&str]) -> Result<Self, CommandError> {
        match words {
            ["plan"] => Ok(Self::Plan),
            ["finish"] => Ok(Self::Finish),
            ["manifests"] => Ok(Self::Manifests),
            ["night"] => Ok(Self::Night),
            _ => Err(CommandError::usage("farm asks for what is to be done")
                .hint("dmc farm plan -g base; dmc farm finish --plan REF; dmc farm manifests; dmc farm night")),
        }
    }
}

/// Works out the activities from `-a` and from the words, and what the words add to them.
pub(crate) fn request(args: &Args, settings: &Settings) -> Result<Request, CommandError> {
    let mut activities: Vec<Activity> = args.activities.clone();
    let mut words = args.words.iter();
    // These take the words that follow them.
    let asks = |all: &[Activity]| {
        all.iter().any(|one| [Activity::Why, Activity::Diff, Activity::Farm].contains(one))
    };
    while !asks(&activities)
        && let Some(word) = words.next()
    {
        activities.push(activity(word, settings)?);
    }
    if activities.contains(&Activity::Upgrade) {
        activities.extend(upgrade(settings));
    }
    if activities.contains(&Activity::Why) {
        return why(args, settings, &words.collect::<Vec<_>>());
    }
    if activities.contains(&Activity::Diff) {
        return match words.collect::<Vec<_>>()[..] {
            [old, new] => Ok(Request::Diff { old: old.clone(), new: new.clone() }),
            _ => Err(CommandError::usage("diff asks for two images or locks")
                .hint("dmc diff nginx:1.26.3 nginx:latest")),
        };
    }
    if activities.contains(&Activity::Farm) {
        let words: Vec<&str> = words.map(String::as_str).collect();
        return FarmVerb::of(&words).map(Request::Farm);
    }
    if let Some(care) = care(args, &activities)? {
        return Ok(care);
    }
    if args.delete && activities.is_empty() {
        activities.push(Activity::Deploy);
    }
    if activities.is_empty() {
        if args.templates.is_empty() && args.groups.is_empty() {
            return Err(CommandError::usage("nothing to do").hint(
                "name a template: dmc -t nginx; `dmc --help` lists templates and activities",
            ));
        }
        activities.push(Activity::Create);
    }
    let mut tasks: BTreeSet<_> = activities.iter().filter_map(|activity| activity.task()).collect();
    check_lock_flags(args, &tasks)?;
    check_deploy_flags(args, &tasks)?;
    if args.delete {
        return Ok(Request::Tasks([dmc_build::Activity::Undeploy].into()));
    }
    if !args.fail_on.is_empty() && !tasks.contains(&dmc_build::Activity::Audit) {
        return Err(
            CommandError::usage("--fail-on is for audit").hint("dmc audit -t nginx --fail-on high")
        );
    }
    with_registry(args, settings, &mut tasks)?;
    if args.format.is_some() && !tasks.contains(&dmc_build::Activity::Sbom) {
        return Err(CommandError::usage("--format is for sbom")
            .hint("dmc sbom -t nginx -A amd64 --format spdx"));
    }
    if args.diff {
        tasks.remove(&dmc_build::Activity::Lock);
        tasks.insert(dmc_build::Activity::CompareLock);
    }
    Ok(Request::Tasks(tasks))
}

/// What an upgrade is made of: at its end what runs is restarted, where a cluster is named in
/// there if the template is made for clusters, else on this machine.
fn upgrade(settings: &Settings) -> Vec<Activity> {
    let mut activities = vec![Activity::Create, Activity::Promote, Activity::Restart];
    if settings.conf.deploy.context.is_some() {
        activities.push(Activity::Deploy);
    }
    activities
}

/// The plan with what runs where: an upgrade restarts each template in one place.
pub(crate) fn placed(plan: Plan, args: &Args, settings: &Settings) -> Plan {
    let made_for_clusters = |name: &TemplateName| {
        settings.catalog.get(name.as_str()).is_ok_and(|template| template.deploy().is_some())
    };
    let upgrades = args.activities.contains(&Activity::Upgrade)
        || args.words.iter().any(|word| word == "upgrade");
    match settings.conf.deploy.context {
        Some(_) if upgrades => plan.upgrading(made_for_clusters),
        _ => plan.deploying(|name| is_named(args, settings, name) || made_for_clusters(name)),
    }
}

/// What a registry adds to the tasks, where one is named.
fn with_registry(
    args: &Args,
    settings: &Settings,
    tasks: &mut BTreeSet<dmc_build::Activity>,
) -> Result<(), CommandError> {
    use dmc_build::Activity;
    // What is created is pushed.
    if settings.conf.host.is_some() && tasks.contains(&Activity::Create) {
        tasks.insert(Activity::Push);
    }
    // A registry that cannot be is known before anything is built for it.
    if tasks.contains(&Activity::Push) {
        let place = settings.place();
        place.map_err(|error| CommandError::from_library(USAGE, &error, error.hint()))?;
    }
    // What is verified is verified where it was pushed, too, once keys say whose signatures count.
    let signing = &settings.conf.signing;
    let asked = args.host.is_some() || signing.key.is_some() || !signing.trusted.is_empty();
    if settings.conf.host.is_some() && asked && tasks.contains(&Activity::Verify) {
        tasks.insert(Activity::Signatures);
    }
    Ok(())
}

/// What flags of the lock go together with.
fn check_lock_flags(
    args: &Args,
    tasks: &BTreeSet<dmc_build::Activity>,
) -> Result<(), CommandError> {
    use dmc_build::Activity;
    if args.diff && !tasks.contains(&Activity::Lock) {
        return Err(CommandError::usage("--diff compares locks").hint("dmc lock --diff"));
    }
    let reads = [Activity::Setup, Activity::Update, Activity::Lock];
    match reads.into_iter().find(|activity| args.locked && tasks.contains(activity)) {
        Some(activity) => Err(CommandError::usage(format!(
            "{activity} reads the archive, and --locked keeps from that"
        ))
        .hint("leave --locked out, or build first and do the rest after that")),
        None => Ok(()),
    }
}

/// What flags of clusters go together with.
fn check_deploy_flags(
    args: &Args,
    tasks: &BTreeSet<dmc_build::Activity>,
) -> Result<(), CommandError> {
    use dmc_build::Activity;
    if args.delete && tasks.iter().any(|task| *task != Activity::Deploy) {
        return Err(CommandError::usage("-X deletes what was deployed, and does nothing else")
            .hint("dmc -X -t nginx"));
    }
    if args.delete && args.dry_run {
        return Err(CommandError::usage("--dry-run is for deploying").hint("leave it or -X out"));
    }
    let flag = match args {
        _ if tasks.contains(&Activity::Deploy) => return Ok(()),
        Args { dry_run: true, .. } => "--dry-run",
        Args { replicas: Some(_), .. } => "--replicas",
        Args { tag: Some(_), .. } => "--tag",
        _ => return Ok(()),
    };
    Err(CommandError::usage(format!("{flag} is for deploy")).hint("dmc deploy -t nginx"))
}

/// Whether a template is named itself, not by a group.
fn is_named(args: &Args, settings: &Settings, name: &TemplateName) -> bool {
    let named = |named: &String| {
        named.parse().is_ok_and(|named: TemplateName| settings.catalog.variant_of(&named) == *name)
    };
    args.templates.iter().any(named)
}

/// The templates that the lock has; `dmc lock` without names renews them all.
pub(crate) fn locked_templates(settings: &Settings) -> Result<Vec<TemplateName>, CommandError> {
    let lock = read_lock(&settings.lock_file)
        .map_err(|error| CommandError::from_library(FAILED, &error, error.hint()))?;
    let Some(lock) = lock else {
        return Err(CommandError::usage(format!("there is no lock `{}` yet", settings.lock_file))
            .hint("name the templates that it is to have: dmc lock -t nginx,static"));
    };
    for name in lock.templates.keys() {
        if !settings.catalog.names().any(|known| known == name) {
            let file = &settings.lock_file;
            let what =
                format!("the lock `{file}` has template {name}, which is not there any more");
            return Err(CommandError::usage(what).hint(
                "take its table out of the file, or name the templates to lock: dmc lock -t …",
            ));
        }
    }
    Ok(lock.templates.into_keys().collect())
}

/// What is about no template in particular goes alone.
fn care(args: &Args, activities: &[Activity]) -> Result<Option<Request>, CommandError> {
    let (name, request) = if activities.contains(&Activity::Clean) {
        ("clean", Request::Clean)
    } else if args.older_than.is_some() || args.max_size.is_some() {
        return Err(CommandError::usage("--older-than and --max-size are for clean")
            .hint("dmc clean --older-than 30d"));
    } else if activities.contains(&Activity::Check) {
        ("check", Request::Check)
    } else if activities.contains(&Activity::Keygen) {
        ("keygen", Request::Keygen)
    } else {
        return Ok(None);
    };
    if activities.len() > 1 {
        return Err(CommandError::usage(format!("{name} goes alone"))
            .hint(format!("run `dmc {name}` before or after the rest")));
    }
    if !args.templates.is_empty() || !args.groups.is_empty() {
        let about = if name == "keygen" { "no template" } else { "all of store and layout" };
        return Err(
            CommandError::usage(format!("{name} is about {about}")).hint("leave out -t and -g")
        );
    }
    Ok(Some(request))
}

fn why(args: &Args, settings: &Settings, rest: &[&String]) -> Result<Request, CommandError> {
    let mut templates: Vec<&String> = args.templates.iter().collect();
    templates.extend(rest);
    match templates[..] {
        [template, path] => {
            let variant = template.parse().map(|name| settings.catalog.variant_of(&name));
            let template = variant.map_or_else(|_| template.clone(), |name| name.to_string());
            Ok(Request::Why { template, path: path.clone() })
        }
        _ => Err(CommandError::usage("why asks for a template and a path")
            .hint("dmc why nginx /usr/sbin/nginx")),
    }
}

fn activity(word: &str, settings: &Settings) -> Result<Activity, CommandError> {
    <Activity as clap::ValueEnum>::from_str(word, false)
        .map_err(|_unknown| unexpected(word, settings))
}

/// A word that is no activity: perhaps a template, a group, or a misspelling.
fn unexpected(word: &str, settings: &Settings) -> CommandError {
    let catalog = &settings.catalog;
    let error = CommandError::usage(format!("`{word}` is not an activity"));
    let activities = Activity::names();
    if catalog.names().any(|name| name.as_str() == word) {
        return error.hint(format!("it is a template: dmc -t {word}"));
    }
    if catalog.groups().contains_key(word) {
        return error.hint(format!("it is a group of templates: dmc -g {word}"));
    }
    let names = catalog.names().map(TemplateName::as_str);
    let known = activities.iter().map(String::as_str).chain(names);
    match nearest(word, known) {
        Some(near) if activities.iter().any(|name| name == near) => {
            error.hint(format!("did you mean `dmc {near}`?"))
        }
        Some(near) => error.hint(format!("did you mean `dmc -t {near}`?")),
        None => error.hint(format!("activities are {}", activities.join(", "))),
    }
}

/// The templates that are named, each once, parents before the templates that extend them. None
/// named means all, where `all_by_default`.
pub(crate) fn templates(
    args: &Args,
    settings: &Settings,
    all_by_default: bool,
) -> Result<Vec<TemplateName>, CommandError> {
    let catalog = &settings.catalog;
    let mut asked: BTreeSet<TemplateName> = BTreeSet::new();
    let usage = |error: dmc_template::TemplateError| {
        CommandError::from_library(USAGE, &error, error.hint())
    };
    for name in &args.templates {
        let broken = || catalog.names().find(|known| known.as_str() == name);
        match catalog.get(name) {
            Ok(template) => asked.insert(template.name().clone()),
            // A broken template is its own failure; the others are still built.
            Err(_) if let Some(known) = broken() => asked.insert(known.clone()),
            Err(error) => {
                let plain = name.strip_suffix("-dev").filter(|name| catalog.get(name).is_ok());
                let variant =
                    plain.map(|plain| format!("its variant with tools: dmc -T -t {plain}"));
                return Err(usage(error).hint_of(variant));
            }
        };
    }
    for group in &args.groups {
        let names = catalog.group(group).map_err(usage)?;
        if names.is_empty() {
            tracing::info!("group {group} has nothing to build");
        }
        asked.extend(names.into_iter().cloned());
    }
    if asked.is_empty() && all_by_default {
        asked.extend(catalog.names().cloned());
    }
    // By -T each gives way to its variant.
    let asked: BTreeSet<_> = asked.iter().map(|name| catalog.variant_of(name)).collect();
    Ok(catalog.in_order(&asked).into_iter().cloned().collect())
}

/// Which tasks.
pub(crate) fn selection(args: &Args) -> Selection {
    Selection { begin: args.begin, end: args.end, only: args.only.iter().copied().collect() }
}
