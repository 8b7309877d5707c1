//! A shard of a farm, without the command line, which asks for plan and shard itself.

use crate::stage::{Stage, do_tasks};
use dmc_build::{Plan, Reach, Selection};

#[test]
fn nothing_is_delivered_where_it_is_not_said_which_shard_of_which_plan() {
    let stage = Stage::new();
    let plan = Plan::of_shard(&[]);
    let tasks = plan.select(&Selection::default()).unwrap();
    let run = do_tasks(Reach::Everything, stage.settings(), &plan, &tasks);
    let told = "it is not said which shard of which plan this machine builds";
    run.said("no shard", &[told, "hint: name them: --plan REF@sha256:… --shard 0/4"]);
    assert_eq!(run.failures.len(), 1, "{:?}", run.failures);
}
