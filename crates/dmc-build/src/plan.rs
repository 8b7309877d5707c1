//! The numbered tasks of a run.
//!
//! Numbers depend on what was asked for alone, not on what is cached, so that a number read from
//! the list means the same task afterwards.

use dmc_types::{Arch, TemplateName};
use std::collections::BTreeSet;
use std::fmt;

/// What a run does with its templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// Prepare the machine.
    Setup,
    /// Refresh indices and say what changed.
    Update,
    /// Build images.
    Create,
    /// Look for what is wrong with images, without running them.
    Verify,
    /// Hold images against a security tracker.
    Audit,
    /// Say what images are made of, as documents.
    Sbom,
    /// Say under which licences packages of images are.
    Licences,
    /// Run the templates' tests against the images.
    Test,
    /// Put images into an engine.
    Load,
    /// Bring images to the registry.
    Push,
    /// Test images and make them the live ones.
    Promote,
    /// Make what was live before the live image again.
    Rollback,
    /// Let what runs here run the live image.
    Restart,
    /// Bring images into a cluster.
    Deploy,
    /// Take out of a cluster what was brought there.
    Undeploy,
    /// Bring the images of a shard to the registry, by digest alone.
    Deliver,
    /// Hold what the registry has against trusted keys.
    Signatures,
    /// Write down which packages the images are made of.
    Lock,
    /// Say what a new lock would change.
    CompareLock,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Make the store and the user's configuration.
    Prepare,
    /// Verify the releases and have their package indices for an architecture.
    Indices(Arch),
    /// Show whose signatures count.
    Keys,
    /// Look for tools that some activities use.
    Tools,
    /// Compare a template's images with the indices.
    Changes(TemplateName),
    /// Build the image of one architecture.
    Image(TemplateName, Arch),
    /// Join a template's images and name the result.
    Index(TemplateName),
    /// Look for what is wrong with the image of an architecture.
    Verify(TemplateName, Arch),
    /// Hold a template's images against a security tracker.
    Audit(TemplateName),
    /// Have the documents about the image of an architecture.
    Sbom(TemplateName, Arch),
    /// Say under which licences the packages of an image are.
    Licences(TemplateName, Arch),
    /// Run the template's tests against the image of this architecture.
    Test(TemplateName, Arch),
    /// Put the image of this architecture into an engine.
    Load(TemplateName, Arch),
    /// Bring a template's images to the registry, tags last.
    Push(TemplateName),
    /// Test a template's image on this architecture and make it the live one.
    Promote(TemplateName, Arch),
    /// Make what was live before the live image again.
    Rollback(TemplateName),
    /// Let the container of a template on this machine run the live image.
    Restart(TemplateName, Arch),
    /// Bring a template's image into the cluster and wait until it runs.
    Deploy(TemplateName),
    /// Delete what was deployed of a template.
    Undeploy(TemplateName),
    /// Bring the images of this machine's shard to the registry, and say so there.
    Deliver,
    /// Hold a template's images in the registry against trusted keys.
    Signatures(TemplateName),
    /// Find the packages of a template's images, and prove that they do.
    Choose(TemplateName),
    /// Put what was chosen into the lock.
    WriteLock,
    /// Say what of the lock would change.
    CompareLock,
}

impl Step {
    /// The activity that the step belongs to.
    pub fn activity(&self) -> Activity {
        match self {
            Self::Prepare | Self::Keys | Self::Tools => Activity::Setup,
            Self::Indices(_) | Self::Changes(_) => Activity::Update,
            Self::Image(..) | Self::Index(_) => Activity::Create,
            Self::Verify(..) => Activity::Verify,
            Self::Audit(_) => Activity::Audit,
            Self::Sbom(..) => Activity::Sbom,
            Self::Licences(..) => Activity::Licences,
            Self::Test(..) => Activity::Test,
            Self::Load(..) => Activity::Load,
            Self::Push(_) => Activity::Push,
            Self::Promote(..) => Activity::Promote,
            Self::Rollback(_) => Activity::Rollback,
            Self::Restart(..) => Activity::Restart,
            Self::Deploy(_) => Activity::Deploy,
            Self::Undeploy(_) => Activity::Undeploy,
            Self::Deliver => Activity::Deliver,
            Self::Signatures(_) => Activity::Signatures,
            Self::Choose(_) | Self::WriteLock => Activity::Lock,
            Self::CompareLock => Activity::CompareLock,
        }
    }

    /// The template that it acts on.
    pub fn template(&self) -> Option<&TemplateName> {
        match self {
            Self::Changes(name)
            | Self::Audit(name)
            | Self::Choose(name)
            | Self::Image(name, _)
            | Self::Index(name)
            | Self::Verify(name, _)
            | Self::Sbom(name, _)
            | Self::Licences(name, _)
            | Self::Test(name, _)
            | Self::Load(name, _)
            | Self::Push(name)
            | Self::Promote(name, _)
            | Self::Restart(name, _)
            | Self::Rollback(name)
            | Self::Signatures(name)
            | Self::Deploy(name)
            | Self::Undeploy(name) => Some(name),
            Self::Prepare
            | Self::Keys
            | Self::Indices(_)
            | Self::Tools
            | Self::Deliver
            | Self::WriteLock
            | Self::CompareLock => None,
        }
    }

    /// The architecture that it acts on.
    pub fn arch(&self) -> Option<Arch> {
        match self {
            Self::Indices(arch)
            | Self::Image(_, arch)
            | Self::Verify(_, arch)
            | Self::Sbom(_, arch)
            | Self::Licences(_, arch)
            | Self::Test(_, arch)
            | Self::Load(_, arch)
            | Self::Promote(_, arch)
            | Self::Restart(_, arch) => Some(*arch),
            Self::Prepare
            | Self::Keys
            | Self::Tools
            | Self::Changes(_)
            | Self::Audit(_)
            | Self::Index(_)
            | Self::Push(_)
            | Self::Rollback(_)
            | Self::Deploy(_)
            | Self::Undeploy(_)
            | Self::Signatures(_)
            | Self::Choose(_)
            | Self::Deliver
            | Self::WriteLock
            | Self::CompareLock => None,
        }
    }

    /// What is done, in a few words.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Prepare => "prepare store and configuration",
            Self::Indices(_) => "verify releases, read package indices",
            Self::Keys => "show whose signatures count",
            Self::Tools => "look for optional tools",
            Self::Changes(_) => "say which packages changed",
            Self::Image(..) => "find the closure, write layer and manifest",
            Self::Index(_) => "join the architectures, set the tags",
            Self::Verify(..) => "look for what is wrong with the image",
            Self::Audit(_) => "hold the images against a security tracker",
            Self::Sbom(..) => "say what the image is made of",
            Self::Licences(..) => "say under which licences its packages are",
            Self::Test(..) => "run the template's tests against the image",
            Self::Load(..) => "put the image into the container engine",
            Self::Push(_) => "bring images and tags to the registry",
            Self::Promote(..) => "test the image, make it the live one",
            Self::Rollback(_) => "make the live image what it was before",
            Self::Restart(..) => "let the container here run the live image",
            Self::Deploy(_) => "bring the live image into the cluster",
            Self::Undeploy(_) => "delete what was deployed",
            Self::Deliver => "push the shard's images by digest, and report them",
            Self::Signatures(_) => "check who has signed what the registry has",
            Self::Choose(_) => "find the packages, prove that they do",
            Self::WriteLock => "write the lock",
            Self::CompareLock => "say what the lock would change",
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Setup => "setup",
            Self::Update => "update",
            Self::Create => "create",
            Self::Verify | Self::Signatures => "verify",
            Self::Audit => "audit",
            Self::Sbom => "sbom",
            Self::Licences => "licences",
            Self::Test => "test",
            Self::Load => "load",
            Self::Push => "push",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Restart => "restart",
            Self::Deploy => "deploy",
            Self::Undeploy => "delete",
            Self::Deliver => "deliver",
            Self::Lock | Self::CompareLock => "lock",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.activity())?;
        if let Some(template) = self.template() {
            write!(f, " {template}")?;
        }
        if let Some(arch) = self.arch() {
            write!(f, " {arch}")?;
        }
        Ok(())
    }
}

/// All tasks of a run, in order; the first has number 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<Step>,
}

/// A selection that comes to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTask {
    /// A number that no task has.
    #[error("there is no task {number}: the tasks are 1 to {last}")]
    Number {
        /// What was asked for.
        number: usize,
        /// The last task.
        last: usize,
    },
    /// The end lies before the beginning.
    #[error("there is nothing from task {begin} to task {end}")]
    Backwards {
        /// The first task that was asked for.
        begin: usize,
        /// The last one.
        end: usize,
    },
}

/// Which tasks of a plan are to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The first.
    pub begin: Option<usize>,
    /// The last.
    pub end: Option<usize>,
    /// These alone, where any are named.
    pub only: BTreeSet<usize>,
}

impl Plan {
    /// The tasks of `activities` for these templates and architectures. `host` is the machine's
    /// own architecture, for what runs here; tests run on the others where it is not among them.
    pub fn new(
        activities: &BTreeSet<Activity>,
        templates: &[TemplateName],
        archs: &[Arch],
        host: Arch,
    ) -> Self {
        let does = |activity| activities.contains(&activity);
        let locks = does(Activity::Lock) || does(Activity::CompareLock);
        let reads = does(Activity::Setup) || does(Activity::Update) || does(Activity::Create);
        let mut steps = Vec::new();
        if does(Activity::Setup) {
            steps.push(Step::Prepare);
        }
        if reads || locks {
            steps.extend(archs.iter().map(|arch| Step::Indices(*arch)));
        }
        if does(Activity::Setup) {
            steps.extend([Step::Keys, Step::Tools]);
        }
        if does(Activity::Update) {
            steps.extend(templates.iter().cloned().map(Step::Changes));
        }
        if locks {
            steps.extend(templates.iter().cloned().map(Step::Choose));
            let only_compares = does(Activity::CompareLock);
            steps.push(if only_compares { Step::CompareLock } else { Step::WriteLock });
        }
        if does(Activity::Create) {
            for template in templates {
                steps.extend(archs.iter().map(|arch| Step::Image(template.clone(), *arch)));
                steps.push(Step::Index(template.clone()));
            }
        }
        if does(Activity::Verify) {
            for template in templates {
                steps.extend(archs.iter().map(|arch| Step::Verify(template.clone(), *arch)));
            }
        }
        if does(Activity::Audit) {
            steps.extend(templates.iter().cloned().map(Step::Audit));
        }
        if does(Activity::Sbom) {
            for template in templates {
                steps.extend(archs.iter().map(|arch| Step::Sbom(template.clone(), *arch)));
            }
        }
        if does(Activity::Licences) {
            for template in templates {
                steps.extend(archs.iter().map(|arch| Step::Licences(template.clone(), *arch)));
            }
        }
        if does(Activity::Test) {
            let run = if archs.contains(&host) { &[host] } else { archs };
            for template in templates {
                steps.extend(run.iter().map(|arch| Step::Test(template.clone(), *arch)));
            }
        }
        if does(Activity::Load) {
            steps.extend(templates.iter().map(|template| Step::Load(template.clone(), host)));
        }
        if does(Activity::Push) {
            steps.extend(templates.iter().cloned().map(Step::Push));
        }
        if does(Activity::Promote) {
            let arch = archs.iter().find(|arch| **arch == host).or(archs.first()).unwrap_or(&host);
            steps.extend(templates.iter().map(|it| Step::Promote(it.clone(), *arch)));
        }
        if does(Activity::Rollback) {
            steps.extend(templates.iter().cloned().map(Step::Rollback));
        }
        if does(Activity::Restart) {
            steps.extend(templates.iter().map(|it| Step::Restart(it.clone(), host)));
        }
        if does(Activity::Signatures) {
            steps.extend(templates.iter().cloned().map(Step::Signatures));
        }
        if does(Activity::Deploy) {
            steps.extend(templates.iter().cloned().map(Step::Deploy));
        }
        if does(Activity::Undeploy) {
            steps.extend(templates.iter().cloned().map(Step::Undeploy));
        }
        Self { steps }
    }

    /// The tasks of a machine that builds these images of a farm's plan.
    pub fn of_shard(images: &[(TemplateName, Arch)]) -> Self {
        let mut steps: Vec<Step> =
            images.iter().map(|(template, arch)| Step::Image(template.clone(), *arch)).collect();
        steps.push(Step::Deliver);
        Self { steps }
    }

    /// The same for a run that is held to a lock: it reads no indices.
    #[must_use]
    pub fn held(mut self) -> Self {
        self.steps.retain(|step| !matches!(step, Step::Indices(_)));
        self
    }

    /// The same without deploying templates of which `deployed` says no.
    #[must_use]
    pub fn deploying(mut self, deployed: impl Fn(&TemplateName) -> bool) -> Self {
        self.steps.retain(|step| !matches!(step, Step::Deploy(name) if !deployed(name)));
        self
    }

    /// The same where each template is either deployed, if `deployed` says so, or restarted here.
    #[must_use]
    pub fn upgrading(mut self, deployed: impl Fn(&TemplateName) -> bool) -> Self {
        self.steps.retain(|step| match step {
            Step::Deploy(name) => deployed(name),
            Step::Restart(name, _) => !deployed(name),
            _ => true,
        });
        self
    }

    /// Number and step of each task.
    pub fn tasks(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate().map(|(at, step)| (at + 1, step))
    }

    /// The number of a step.
    pub fn number(&self, step: &Step) -> Option<usize> {
        self.tasks().find(|(_, other)| *other == step).map(|(number, _)| number)
    }

    /// The tasks that are selected, in order.
    pub fn select(&self, selection: &Selection) -> Result<Vec<(usize, Step)>, NoTask> {
        let last = self.steps.len();
        let named = selection.only.iter().chain(&selection.begin).chain(&selection.end);
        if let Some(number) = named.copied().find(|number| !(1..=last).contains(number)) {
            return Err(NoTask::Number { number, last });
        }
        let from = selection.begin.unwrap_or(1);
        let to = selection.end.unwrap_or(last);
        if from > to && selection.only.is_empty() && last > 0 {
            return Err(NoTask::Backwards { begin: from, end: to });
        }
        let chosen = |number: &usize| {
            if selection.only.is_empty() {
                (from..=to).contains(number)
            } else {
                selection.only.contains(number)
            }
        };
        let tasks = self.tasks().filter(|(number, _)| chosen(number));
        Ok(tasks.map(|(number, step)| (number, step.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let activities = [Activity::Create, Activity::Load].into();
        let templates = ["nginx".parse().unwrap(), "static".parse().unwrap()];
        Plan::new(&activities, &templates, &[Arch::Amd64, Arch::Arm64], Arch::Amd64)
    }

    #[test]
    fn tasks_are_numbered_in_their_order() {
        let tasks: Vec<String> =
            plan().tasks().map(|(number, step)| format!("{number} {step}")).collect();
        assert_eq!(
            tasks,
            [
                "1 update amd64",
                "2 update arm64",
                "3 create nginx amd64",
                "4 create nginx arm64",
                "5 create nginx",
                "6 create static amd64",
                "7 create static arm64",
                "8 create static",
                "9 load nginx amd64",
                "10 load static amd64",
            ]
        );
    }

    #[test]
    fn a_lock_is_written_after_all_of_its_templates_were_looked_at() {
        let templates = ["nginx".parse().unwrap(), "static".parse().unwrap()];
        let tasks = |activity| {
            let plan = Plan::new(&[activity].into(), &templates, &[Arch::Amd64], Arch::Amd64);
            let tasks = plan.tasks().map(|(_, step)| format!("{step}: {}", step.what()));
            tasks.collect::<Vec<_>>()
        };
        let mut wanted = [
            "update amd64: verify releases, read package indices",
            "lock nginx: find the packages, prove that they do",
            "lock static: find the packages, prove that they do",
            "lock: write the lock",
        ];
        assert_eq!(tasks(Activity::Lock), wanted);
        wanted[3] = "lock: say what the lock would change";
        assert_eq!(tasks(Activity::CompareLock), wanted);
    }

    #[test]
    fn a_shard_builds_its_images_and_delivers_them() {
        let images =
            [("nginx".parse().unwrap(), Arch::Arm64), ("php".parse().unwrap(), Arch::Amd64)];
        let tasks: Vec<String> = Plan::of_shard(&images)
            .tasks()
            .map(|(number, step)| format!("{number} {step}"))
            .collect();
        assert_eq!(tasks, ["1 create nginx arm64", "2 create php amd64", "3 deliver"]);
    }

    #[test]
    fn a_run_that_is_held_to_a_lock_reads_no_indices() {
        let held = plan().held();
        assert_eq!(held.tasks().count(), 8);
        assert!(held.tasks().all(|(_, step)| !matches!(step, Step::Indices(_))));
    }

    #[test]
    fn a_selection_names_tasks_by_number() {
        let numbers = |begin, end, only: &[usize]| {
            let selection = Selection { begin, end, only: only.iter().copied().collect() };
            plan().select(&selection).map(|tasks| tasks.into_iter().map(|(n, _)| n).collect())
        };
        assert_eq!(numbers(None, None, &[]), Ok((1..=10).collect::<Vec<_>>()));
        assert_eq!(numbers(Some(9), None, &[]), Ok(vec![9, 10]));
        assert_eq!(numbers(Some(2), Some(3), &[]), Ok(vec![2, 3]));
        assert_eq!(numbers(None, None, &[5, 3]), Ok(vec![3, 5]));
        for (begin, end, only) in [
            (Some(0), None, &[][..]),
            (None, Some(11), &[]),
            (None, None, &[11]),
            (Some(4), Some(2), &[]),
        ] {
            assert!(numbers(begin, end, only).is_err(), "{begin:?} {end:?} {only:?}");
        }
    }
}
