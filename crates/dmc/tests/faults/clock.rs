//! Clocks that are wrong.

use crate::scene::{NGINX, WANTED, assert_recovers, assert_sound, assert_told, clear, scene};
use dmc_testkit::clock;

const DAY: i64 = 86_400;

#[test]
fn a_clock_in_the_past_or_the_future_is_told_and_loses_nothing() {
    let stage = scene();
    for (off, words) in [
        (-2 * DAY, &["trixie", "clock"][..]),
        (-20 * 365 * DAY, &["trixie", "clock"]),
        (8 * DAY, &["trixie-security", "expired", "clock"]),
        (20 * 365 * DAY, &["trixie-security", "expired", "clock"]),
    ] {
        let why = format!("{} days off", off / DAY);
        let run = || {
            let mut command = stage.command(&NGINX);
            clock::set_wrong(&mut command, off);
            stage.told(&command.output().unwrap())
        };
        clear(&stage);
        assert_told(&run(), words, &why);
        assert_recovers(&stage, &NGINX, &WANTED, &why);
        // With the image there, too, and nothing of it is taken away.
        assert_told(&run(), words, &why);
        assert_sound(&stage, &why);
        assert_recovers(&stage, &NGINX, &WANTED, &why);
    }
    for off in [-600, 3600, 6 * DAY] {
        clear(&stage);
        let mut command = stage.command(&NGINX);
        clock::set_wrong(&mut command, off);
        let told = stage.told(&command.output().unwrap());
        assert_eq!(told.good().stdout, *WANTED, "{off} s off");
        assert_recovers(&stage, &NGINX, &WANTED, "right again");
    }
}
