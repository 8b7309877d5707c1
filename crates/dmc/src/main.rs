//! The command line: arguments, progress, messages, exit codes.
//!
//! `args` says what can be typed, `settings` and `request` what it comes to;
//! `dmc-build` does the work; `report` prints what comes out. Results go to stdout, all else to
//! stderr. Exit codes: 0 done, 1 something failed, 2 the request cannot be understood.

mod amounts;
mod args;
mod audit;
mod check;
mod clean;
mod deploy;
mod diff;
mod embedded;
mod error;
mod farm;
mod folders;
mod help;
mod interrupt;
mod keygen;
mod keys;
mod licences;
mod list;
mod lock;
mod logging;
mod password;
mod progress;
mod promote;
mod push;
mod relay;
mod report;
mod request;
mod sbom;
mod settings;
mod signatures;
mod timeline;
mod update;
mod verify;
mod why;

use args::Args;
use clap::FromArgMatches as _;
use dmc_archive::Progress;
use dmc_build::{Activity, Plan, Reach, Step, Workshop};
use error::CommandError;
use progress::Bars;
use report::{Report, command_error};
use request::Request;
use settings::Environment;
use std::process::ExitCode;
use std::sync::Arc;
use timeline::Timeline;

fn main() -> ExitCode {
    let env = Environment::read();
    let matches = help::command().get_matches();
    let args = match Args::from_arg_matches(&matches) {
        Ok(args) => args.settled(),
        Err(error) => error.exit(),
    };
    if let Some(port) = args.relay {
        return relay::between(port);
    }
    let bars = Bars::new(!args.quiet && !args.json);
    let timeline = args.trace.as_deref().map(Timeline::new);
    let done = act(&args, &env, &bars, timeline.clone());
    let written = timeline.map_or(Ok(()), |timeline| timeline.finish());
    match done.and_then(|code| written.map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            bars.clear();
            bars.say(&error.render());
            ExitCode::from(error.code())
        }
    }
}

/// Says which templates cannot be used. Whoever names theirs is told of those alone.
fn tell_broken(settings: &dmc_build::Settings) {
    for error in settings.catalog.broken() {
        let error = CommandError::from_library(error::USAGE, error, error.hint());
        tracing::warn!("a template is left out: {}", error.render_plain());
    }
}

fn act(
    args: &Args,
    env: &Environment,
    bars: &Bars,
    timeline: Option<Timeline>,
) -> Result<u8, CommandError> {
    if help::print_generated(args) {
        return Ok(0);
    }
    logging::start(&settings::logging(args, env)?, bars.clone(), timeline)?;
    let settings = settings::settings(args, env)?;
    if args.templates.is_empty() {
        tell_broken(&settings);
    }
    start_threads(settings.conf.jobs)?;
    match request::request(args, &settings)? {
        Request::Farm(verb) => farm::answer(verb, args, settings, env, bars),
        Request::Keygen => keygen::answer(args, &settings, bars),
        Request::Clean => clean::answer(args, settings, bars),
        Request::Check => check::answer(args, settings, bars),
        Request::Why { template, path } => why::answer(args, settings, &template, &path, bars),
        Request::Diff { old, new } => diff::answer(args, settings, (&old, &new), bars),
        Request::Tasks(activities) if args.plan.is_some() => {
            farm::build(args, settings, &activities, env, bars)
        }
        Request::Tasks(activities) => {
            let all = activities.contains(&Activity::Update);
            let mut templates = request::templates(args, &settings, all)?;
            let locks = [Activity::Lock, Activity::CompareLock];
            let locks = locks.iter().any(|locks| activities.contains(locks));
            if locks && args.templates.is_empty() && args.groups.is_empty() {
                templates = request::locked_templates(&settings)?;
            }
            let needs_one = [
                Activity::Create,
                Activity::Verify,
                Activity::Sbom,
                Activity::Licences,
                Activity::Test,
                Activity::Load,
                Activity::Push,
                Activity::Promote,
                Activity::Rollback,
                Activity::Restart,
                Activity::Audit,
                Activity::Deploy,
                Activity::Undeploy,
            ];
            if templates.is_empty() && needs_one.iter().any(|needs| activities.contains(needs)) {
                // Groups that hold parts alone are no mistake: a nightly run names all groups.
                if !args.groups.is_empty() {
                    return Ok(0);
                }
                return Err(CommandError::usage("no template is named")
                    .hint("name templates by -t or groups by -g; `dmc --help` lists them"));
            }
            let plan = Plan::new(&activities, &templates, &settings.conf.archs, env.host);
            let plan = if settings.locked.is_some() { plan.held() } else { plan };
            let plan = request::placed(plan, args, &settings);
            let selection = request::selection(args);
            let tasks = plan.select(&selection).map_err(|error| command_error(&error.into()))?;
            if args.list {
                return list::print(args, settings, &tasks, bars);
            }
            let mut extras = settings::extras(args, &settings);
            if activities.contains(&Activity::Setup) {
                extras.conf = settings::first_conf(env);
            }
            do_tasks(args, settings, &plan, &tasks, &extras, bars)
        }
    }
}

fn do_tasks(
    args: &Args,
    settings: dmc_build::Settings,
    plan: &Plan,
    tasks: &[(usize, Step)],
    extras: &dmc_build::Extras,
    bars: &Bars,
) -> Result<u8, CommandError> {
    // A run that begins in the middle uses the releases and indices that are in the store.
    let refreshes = tasks.iter().any(|(_, step)| matches!(step, Step::Indices(_)));
    let reach = match (args.offline, refreshes || settings.locked.is_some()) {
        (true, _) => Reach::Offline,
        (false, true) => Reach::Everything,
        (false, false) => Reach::Stored,
    };
    let progress: Arc<dyn Progress> = Arc::new(bars.clone());
    let workshop =
        Workshop::open(settings, reach, &progress).map_err(|error| command_error(&error))?;
    bars.tasks(tasks.len());
    let setup = tasks.iter().any(|(_, step)| matches!(step, Step::Prepare));
    let updates = tasks.iter().any(|(_, step)| matches!(step, Step::Changes(_)));
    let report = Report::new(args, bars)?;
    let report = report.with_keys(setup || args.verbose).with_news(updates);
    let workshop = Arc::new(workshop);
    let run = dmc_build::run(&workshop, plan, tasks, extras, &report);
    // What tests have started is removed when `run` is dropped; all else may end anywhere.
    let with_containers =
        |step: &Step| matches!(step, Step::Test(..) | Step::Promote(..) | Step::Restart(..));
    let tests = tasks.iter().any(|(_, step)| with_containers(step));
    let interrupted = runtime()?.block_on(async {
        tokio::select! {
            _ = run => None,
            signal = interrupt::signal(), if tests => Some(signal),
        }
    });
    if let Some(workshop) = Arc::into_inner(workshop) {
        workshop.leave();
    }
    match interrupted {
        Some(signal) => {
            bars.clear();
            tracing::error!("interrupted: what the tests had started is removed");
            Ok(signal)
        }
        None => Ok(report.finish(tasks.len())),
    }
}

/// One thread for the network; work for the processor has rayon's threads.
fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed("cannot start the runtime").because(&error))
}

fn start_threads(jobs: Option<u16>) -> Result<(), CommandError> {
    let Some(jobs) = jobs else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(usize::from(jobs))
        .build_global()
        .map_err(|error| CommandError::failed("cannot start threads").because(&error))
}
