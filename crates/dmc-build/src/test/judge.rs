//! Whether what came is what was expected, and how it is told where it is not.

use super::client::Output;
use dmc_template::Texts;
use std::time::Duration;

/// Whether a step holds; if not, what was expected and what came.
pub(crate) type Held<T = ()> = Result<T, String>;

/// Lines of an output that are shown.
const LINES: usize = 20;
/// Characters of a line that are shown.
const WIDTH: usize = 300;

/// Looks for what a text has to hold and what not.
pub(crate) fn texts(text: &str, contains: &Texts, lacks: &Texts) -> Held {
    if let Some(missing) = contains.0.iter().find(|wanted| !text.contains(*wanted)) {
        return Err(format!("expected text that contains `{missing}`"));
    }
    match lacks.0.iter().find(|unwanted| text.contains(*unwanted)) {
        Some(there) => Err(format!("expected text without `{there}`")),
        None => Ok(()),
    }
}

/// Looks at the end of a program and at what it said.
pub(crate) fn output(output: &Output, status: i32, contains: &Texts, lacks: &Texts) -> Held {
    let text = output.text();
    let held = match output.status {
        _ if output.late => Err(format!("expected exit status {status}, but it did not end")),
        Some(came) if came == status => texts(&text, contains, lacks),
        Some(came) => Err(format!("expected exit status {status}, got {came}")),
        None => Err(format!("expected exit status {status}, but it could not be run")),
    };
    held.map_err(|what| what + &shown("it said", &text))
}

/// A text's last lines under a heading.
pub(crate) fn shown(heading: &str, text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return format!("\n{heading}: nothing");
    }
    let mut all = format!("\n{heading}:");
    if lines.len() > LINES {
        all.push_str("\n  …");
    }
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        // Control signs would do things to a terminal.
        let shown = line.chars().take(WIDTH).flat_map(|c| match c {
            c if c.is_control() => c.escape_default().collect(),
            c => vec![c],
        });
        all.push_str("\n  ");
        all.extend(shown);
    }
    all
}

/// A length of time as templates spell it.
pub(crate) fn spelled(time: Duration) -> String {
    match time.as_millis() {
        milliseconds if milliseconds % 1000 == 0 => format!("{}s", milliseconds / 1000),
        milliseconds => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Texts {
        Texts(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn what_differs_is_told() {
        let came = |status| Output {
            status,
            stdout: "one\n".to_owned(),
            stderr: "two".to_owned(),
            ..Output::default()
        };
        for (why, output, contains, lacks, wanted) in [
            ("status", came(Some(1)), "", "", "expected exit status 0, got 1"),
            ("killed", came(None), "", "", "could not be run"),
            ("late", Output { late: true, ..came(None) }, "", "", "it did not end"),
            ("missing", came(Some(0)), "one three", "", "that contains `three`"),
            ("too much", came(Some(0)), "one", "three two", "text without `two`"),
        ] {
            let told = super::output(&output, 0, &words(contains), &words(lacks)).unwrap_err();
            assert!(told.contains(wanted), "{why}: {told}");
            assert!(told.ends_with("it said:\n  one\n  two"), "{why}: {told}");
        }
        assert_eq!(super::output(&came(Some(0)), 0, &words("one two"), &words("three")), Ok(()));
    }

    #[test]
    fn only_the_end_of_a_long_text_is_shown() {
        let long: String = (0..100).map(|line| line.to_string() + "\n").collect();
        let told = shown("log", &long);
        assert!(told.starts_with("\nlog:\n  …\n  80\n"), "{told}");
        assert!(shown("x", &"é".repeat(1000)).chars().count() < 310);
        assert_eq!(shown("x", "a\x1b[2J\"b\""), "\nx:\n  a\\u{1b}[2J\"b\"");
        assert_eq!(shown("x", ""), "\nx: nothing");
    }
}
