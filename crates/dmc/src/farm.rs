//! Machines that share a build: `dmc farm …`, and `dmc create --plan … --shard I/N` on each of them.

use crate::args::Args;
use crate::error::{CommandError, FAILED};
use crate::progress::Bars;
use crate::report::{Report, command_error, megabytes};
use crate::request::{self, FarmVerb};
use crate::settings::{self, Environment};
use dmc_archive::Progress;
use dmc_build::farm_objects::{Farm, LONGEST, night, shards_job};
use dmc_build::{
    Activity, BuildError, Cluster, ClusterOptions, Delivered, FarmFailure, Finished, KnownPlan,
    Plan, PlanRef, Planned, Reach, Settings, Shard, ShardJob, Step, Workshop,
};
use dmc_types::TemplateName;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Does what follows the word `farm`.
pub(crate) fn answer(
    verb: FarmVerb,
    args: &Args,
    settings: Settings,
    env: &Environment,
    bars: &Bars,
) -> Result<u8, CommandError> {
    match verb {
        FarmVerb::Plan => plan(args, settings, bars).map(|(_, code)| code),
        FarmVerb::Finish => finish(args, settings, env, bars),
        FarmVerb::Manifests => manifests(args, &settings, bars),
        FarmVerb::Night => night_run(args, settings, env, bars),
    }
}

fn open(settings: Settings, bars: &Bars) -> Result<Arc<Workshop>, CommandError> {
    let progress: Arc<dyn Progress> = Arc::new(bars.clone());
    let workshop = Workshop::open(settings, Reach::Everything, &progress);
    workshop.map(Arc::new).map_err(|error| command_error(&error))
}

/// Makes a plan and prints what names it.
fn plan(args: &Args, mut settings: Settings, bars: &Bars) -> Result<(Planned, u8), CommandError> {
    let templates = request::templates(args, &settings, false)?;
    if templates.is_empty() {
        return Err(CommandError::usage("no template is named")
            .hint("name those that the farm builds: dmc farm plan -g core,base,app"));
    }
    let failed = |error: &BuildError| command_error(error);
    settings.cache = Some(dmc_build::farm_repository(&settings).map_err(|e| failed(&e.into()))?);
    let shards = args.shards.unwrap_or(settings.conf.farm.shards);
    let workshop = open(settings, bars)?;
    let made = workshop.farm_plan(&templates, shards, args.tools);
    let planned = crate::runtime()?.block_on(made).map_err(|error| {
        bars.clear();
        if let BuildError::Farm(FarmFailure::NothingPlanned { failed }) = &error {
            tell_failed(failed);
        }
        failed(&error)
    })?;
    bars.clear();
    let report = Report::new(args, bars)?;
    report.result(&planned.reference.to_string(), &plan_value(&planned));
    let Planned { plan, cache, packages, failed, .. } = &planned;
    tracing::info!(
        "{} images of {packages} packages for {shards} machines; into the cache {} files, {:.2} MB; \
         {} were there",
        plan.shards.iter().flatten().count(),
        cache.sent,
        megabytes(cache.bytes),
        cache.there + cache.mounted,
    );
    tell_failed(failed);
    let code = if failed.is_empty() { 0 } else { FAILED };
    Ok((planned, code))
}

fn tell_failed(failed: &[(TemplateName, BuildError)]) {
    for (template, error) in failed {
        tracing::error!("{template} is not planned: {}", command_error(error).render_plain());
    }
}

/// One night of a cluster: a plan, a Job that builds its shards, and what comes last.
fn night_run(
    args: &Args,
    settings: Settings,
    env: &Environment,
    bars: &Bars,
) -> Result<u8, CommandError> {
    let farm = farm(args, &settings)?;
    let limit = Duration::from_secs(u64::try_from(LONGEST).unwrap_or_default());
    let options = ClusterOptions {
        context: settings.conf.deploy.context.clone(),
        namespace: Some(farm.namespace.clone()),
        ..ClusterOptions::default()
    };
    // What keeps the night from its end is better known at its beginning.
    let runtime = crate::runtime()?;
    let cluster = runtime.block_on(Cluster::connect(&options));
    let cluster = cluster.map_err(|error| command_error(&error.into()))?;
    open(settings.clone(), bars)?.check_signer().map_err(|error| command_error(&error))?;
    let (planned, code) = plan(args, settings.clone(), bars)?;
    let reference = planned.reference.to_string();
    let job = shards_job(&farm, &reference);
    let done = runtime.block_on(cluster.run_job(&job, limit, &|state| tracing::info!("{state}")));
    done.map_err(|error| command_error(&error.into()))?;
    let named = Args { plan: Some(reference), ..args.clone() };
    finish(&named, settings, env, bars).map(|finished| code.max(finished))
}

fn plan_value(planned: &Planned) -> Value {
    let Planned { reference, plan, packages, cache, failed } = planned;
    let failed: Vec<&str> = failed.iter().map(|(template, _)| template.as_str()).collect();
    json!({
        "plan": reference.to_string(), "shards": plan.shards, "packages": packages,
        "cache": { "there": cache.there + cache.mounted, "sent": cache.sent, "bytes": cache.bytes },
        "failed": failed,
    })
}

/// The plan that was named, and the settings that it asks for.
fn planned(
    args: &Args,
    settings: Settings,
    env: &Environment,
    bars: &Bars,
) -> Result<(Arc<KnownPlan>, Settings), CommandError> {
    let text = args.plan.as_deref().ok_or_else(|| {
        CommandError::usage("no plan is named").hint("name it as `dmc farm plan` does: --plan REF")
    })?;
    let failed = |error: &BuildError| command_error(error);
    let reference: PlanRef = text.parse().map_err(|error: FarmFailure| failed(&error.into()))?;
    let workshop = open(settings, bars)?;
    let known = crate::runtime()?.block_on(workshop.known_plan(&reference));
    let known = known.map_err(|error| failed(&error))?;
    let (plan, lock) = (&known.plan, &known.lock);
    let mut asked = args.clone();
    asked.locked = true;
    asked.tools = plan.tools;
    asked.small = lock.templates.values().any(|template| template.small);
    asked.host = Some(plan.host.clone());
    asked.compression = Some(plan.compression.clone());
    asked.archs = plan.archs.iter().map(ToString::to_string).collect();
    asked.dist = Some(lock.dist.clone());
    asked.allow_skew = plan.allow_skew;
    let mut settings = settings::settings(&asked, env)?;
    settings.epoch = plan.epoch;
    settings.lock_file = text.into();
    settings.locked = Some(Arc::new(lock.clone()));
    settings.cache = Some(reference.repository().clone());
    Ok((Arc::new(known), settings))
}

/// Builds a shard of a plan.
pub(crate) fn build(
    args: &Args,
    settings: Settings,
    activities: &BTreeSet<Activity>,
    env: &Environment,
    bars: &Bars,
) -> Result<u8, CommandError> {
    if activities.iter().any(|one| ![Activity::Create, Activity::Push].contains(one)) {
        return Err(CommandError::usage("a plan is built, and nothing else is done with it")
            .hint("dmc create --locked --plan REF --shard I/N"));
    }
    let shard = args.shard.as_deref().ok_or_else(|| {
        CommandError::usage("it is not said which shard of the plan is to be built")
            .hint("say --shard I/N, such as --shard 0/4")
    })?;
    let failed = |error: &BuildError| command_error(error);
    let shard: Shard = shard.parse().map_err(|error| failed(&BuildError::from(error)))?;
    let (plan, settings) = planned(args, settings, env, bars)?;
    let job = ShardJob { plan, shard };
    let images = job.images().map_err(|error| failed(&error.into()))?;
    let steps = Plan::of_shard(&images);
    let tasks = steps.select(&request::selection(args)).map_err(|error| failed(&error.into()))?;
    if args.list {
        return crate::list::print(args, settings, &tasks, bars);
    }
    let mut extras = settings::extras(args, &settings);
    extras.shard = Some(job);
    crate::do_tasks(args, settings, &steps, &tasks, &extras, bars)
}

/// What a machine has brought to the registry.
pub(crate) fn delivered(report: &Report, step: &Step, delivered: &Delivered, took: Duration) {
    for (template, arch, manifest) in &delivered.images {
        let digest = format!("sha256:{}", manifest.digest);
        let value = json!({ "template": template, "arch": arch, "delivered": digest });
        report.result(&format!("{template} {arch} {digest}"), &value);
    }
    let blobs = delivered.blobs;
    tracing::info!(
        "{step}: {} blobs sent, {:.2} MB; {} were there, {} mounted; in {:.2} s",
        blobs.sent,
        megabytes(blobs.bytes),
        blobs.there,
        blobs.mounted,
        took.as_secs_f64(),
    );
}

/// Checks, signs and names what the machines of a plan have built.
fn finish(
    args: &Args,
    settings: Settings,
    env: &Environment,
    bars: &Bars,
) -> Result<u8, CommandError> {
    let (plan, settings) = planned(args, settings, env, bars)?;
    let workshop = open(settings, bars)?;
    let done = crate::runtime()?.block_on(workshop.farm_finish(&plan));
    let done = done.map_err(|error| command_error(&error))?;
    bars.clear();
    let report = Report::new(args, bars)?;
    for Finished { template, repository, index, tags, signed } in &done {
        let digest = format!("sha256:{}", index.digest);
        let tag = tags.first().map_or("", String::as_str);
        let value = json!({
            "template": template, "pushed": repository, "digest": digest, "tags": tags,
            "signed": { "made": signed.made, "kept": signed.kept },
        });
        report.result(&format!("{repository}:{tag} {digest}"), &value);
    }
    Ok(0)
}

/// Prints the objects of a cluster that builds every night, and, where a plan is named, the Job
/// that builds its shards: a document each.
fn manifests(args: &Args, settings: &Settings, bars: &Bars) -> Result<u8, CommandError> {
    let farm = farm(args, settings)?;
    let mut objects = night(&farm).objects();
    if let Some(plan) = &args.plan {
        let reference: PlanRef =
            plan.parse().map_err(|error: FarmFailure| command_error(&error.into()))?;
        objects.extend(serde_json::to_value(shards_job(&farm, &reference.to_string())));
    }
    let report = Report::new(args, bars)?;
    for object in &objects {
        // JSON is YAML too; `kubectl apply -f -` takes documents one after the other.
        report.result(&format!("---\n{object:#}"), object);
    }
    Ok(0)
}

/// The farm of the configuration, and of the flags that go on to its plans.
fn farm(args: &Args, settings: &Settings) -> Result<Farm, CommandError> {
    let conf = &settings.conf.farm;
    let image = conf.image.clone().ok_or_else(|| {
        CommandError::usage("it is not said which image of dmc the cluster runs")
            .hint("set `image` under [farm] in dmc.conf; scripts/self-image makes one")
    })?;
    let conf_file = args.conf.as_deref().ok_or_else(|| {
        CommandError::usage("it is not said which configuration the pods have")
            .hint("name its file by --conf; it holds `host`, [farm] and [signing]")
    })?;
    Ok(Farm {
        name: conf.name.clone(),
        namespace: conf.namespace.clone(),
        image,
        shards: args.shards.unwrap_or(conf.shards),
        schedule: conf.schedule.clone(),
        flags: flags(args, settings),
        conf: Some(read(conf_file)?),
        credentials: conf.credentials.clone(),
        key: conf.key.clone(),
    })
}

/// What goes on to `dmc farm plan`.
fn flags(args: &Args, settings: &Settings) -> Vec<String> {
    let mut flags = Vec::new();
    let mut flag = |name: &str, value: &str| {
        if !value.is_empty() {
            flags.extend([name.to_owned(), value.to_owned()]);
        }
    };
    flag("-t", &args.templates.join(","));
    flag("-g", &args.groups.join(","));
    flag("-A", &args.archs.join(","));
    flag("-D", args.dist.as_deref().unwrap_or_default());
    flag("-H", settings.conf.host.as_deref().unwrap_or_default());
    flag("--compression", args.compression.as_deref().unwrap_or_default());
    if args.templates.is_empty() && args.groups.is_empty() {
        flag("-g", "core,base,app");
    }
    let switches = [("-T", args.tools), ("--small", args.small), ("--allow-skew", args.allow_skew)];
    let switches = switches.into_iter().filter(|(_, set)| *set);
    flags.extend(switches.map(|(name, _)| name.to_owned()));
    flags
}

fn read(path: &camino::Utf8Path) -> Result<String, CommandError> {
    std::fs::read_to_string(path)
        .map_err(|error| CommandError::failed(format!("cannot read `{path}`")).because(&error))
}
