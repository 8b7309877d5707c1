//! Runs that end from one moment to the next.

use crate::scene::{
    Dice, NGINX, SMALL, WANTED, WANTED_SMALL, assert_recovers, assert_sound, behind, clear, scene,
};
use crate::stage::{HONEST, Stage};
use dmc_testkit::Fault;
use dmc_testkit::disk::{self, Fate};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How many of these there are in a test; four tests make 200.
const KILLS: u64 = 50;

/// Lets every package take some milliseconds, so that no part of a run is too short to be hit.
fn slow_down(stage: &Stage) {
    stage.server.reset();
    for path in HONEST.files().keys().filter(|path| path.ends_with(".deb")) {
        stage.server.fault(path, 1, Fault::Slow(200_000));
    }
}

/// Kills runs at random moments of their lives; each is followed by a plain run. Every third run
/// goes on in the store and the layout that the one before it left.
fn kill_at_random(seed: u64, args: &[&str], wanted: &str) {
    let stage = scene();
    slow_down(&stage);
    let begun = Instant::now();
    assert_eq!(stage.run(args).good().stdout, wanted);
    let mut life = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let mut dice = Dice(seed);
    let mut killed = 0;
    for turn in 0..8 * KILLS {
        if killed >= KILLS {
            break;
        }
        clear(&stage);
        slow_down(&stage);
        for _ in 0..=u8::from(turn % 3 == 0) {
            let mut command = stage.command(args);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            let wait = dice.below(life);
            std::thread::sleep(Duration::from_micros(wait));
            child.kill().unwrap();
            let hit = child.wait().unwrap().code().is_none();
            killed += u64::from(hit);
            // The machine may have become faster or slower.
            life = if hit { life + life / 20 } else { wait };
            let why = format!("seed {seed}, turn {turn}, after {wait} µs");
            assert_sound(&stage, &why);
        }
        assert_recovers(&stage, args, wanted, &format!("seed {seed}, turn {turn}"));
    }
    assert!(killed >= KILLS, "only {killed} runs were killed before they ended");
}

#[test]
fn kill_at_50_random_moments_loses_nothing_1() {
    kill_at_random(1, &NGINX, &WANTED);
}

#[test]
fn kill_at_50_random_moments_loses_nothing_2() {
    kill_at_random(2, &NGINX, &WANTED);
}

#[test]
fn kill_at_50_random_moments_loses_nothing_3() {
    kill_at_random(3, &SMALL, &WANTED_SMALL);
}

#[test]
fn kill_at_50_random_moments_loses_nothing_4() {
    kill_at_random(4, &SMALL, &WANTED_SMALL);
}

#[test]
fn kill_before_any_change_to_a_file_loses_nothing() {
    let stage = scene();
    let folder = stage.path("");
    let report = stage.path("report");
    let mut number = 0;
    loop {
        number += 1;
        clear(&stage);
        let fate = Fate::KilledAt(number);
        let command = disk::command(folder.as_std_path(), fate, report.as_std_path());
        let told = stage.told(&behind(&stage, command, &SMALL).output().unwrap());
        let why = format!("before change {number}");
        if told.code == Some(0) {
            break;
        }
        assert_eq!(told.code, Some(137), "{why}: {}", told.stderr);
        assert_sound(&stage, &why);
        assert_recovers(&stage, &SMALL, &WANTED_SMALL, &why);
        assert!(number < 2000, "it never ends");
    }
    println!("killed before each of {} changes", number - 1);
    assert!(number > 50, "only {number} changes");
}
