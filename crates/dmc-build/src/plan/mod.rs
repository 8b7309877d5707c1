//! The numbered tasks of a run.
//!
//! Numbers depend on what was asked for alone, not on what is cached, so that a number read from
//! the list means the same task afterwards.

mod step;

pub use step::{Activity, Step};

use dmc_types::{Arch, TemplateName};
use std::collections::BTreeSet;

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
