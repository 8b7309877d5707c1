//! A clock that is wrong. See `c/clock.c` for how.

use std::process::Command;

/// Lets a command, and what it starts, see a clock that is wrong by so many seconds.
pub fn set_wrong(command: &mut Command, seconds: i64) {
    command.env("LD_PRELOAD", concat!(env!("OUT_DIR"), "/clock.so"));
    command.env("CLOCK_OFF", seconds.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_believes_it() {
        let year = |seconds| {
            let mut date = Command::new("date");
            set_wrong(&mut date, seconds);
            let output = date.args(["-u", "+%Y"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse::<i64>().unwrap()
        };
        let years = 10 * 366 * 86_400;
        assert!((9..=11).contains(&(year(years) - year(0))));
        assert!((9..=11).contains(&(year(0) - year(-years))));
    }
}
