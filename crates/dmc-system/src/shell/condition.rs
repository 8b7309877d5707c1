//! What `test` and `dpkg --compare-versions` would say, as far as that is known.

use super::expand::Value;

/// The status of a command's words; none where it depends on the system.
pub(super) fn status(words: &[Value], absent: &dyn Fn(&str) -> bool) -> Option<bool> {
    let (first, rest) = words.split_first()?;
    match &**first.as_ref()? {
        "true" | ":" => Some(true),
        "false" => Some(false),
        "[" => match rest.split_last() {
            Some((Some(end), rest)) if &**end == "]" => test(rest, absent),
            _ => None,
        },
        "test" => test(rest, absent),
        "dpkg" => match rest {
            [Some(option), Some(version), Some(operator), other]
                if &**option == "--compare-versions" && version.is_empty() =>
            {
                let other_is_empty = other.as_ref().map(|other| other.is_empty());
                (other_is_empty != Some(true)).then(|| nothing_is(operator)).flatten()
            }
            _ => None,
        },
        _ => None,
    }
}

/// How no version at all compares to one (dpkg(1), `--compare-versions`).
fn nothing_is(operator: &str) -> Option<bool> {
    match operator {
        "lt" | "le" | "ne" | "gt-nl" | "ge-nl" | "<<" | "<=" | "<" => Some(true),
        "gt" | "ge" | "eq" | "lt-nl" | "le-nl" | ">>" | ">=" | ">" | "=" => Some(false),
        _ => None,
    }
}

fn is(word: &Value, text: &str) -> bool {
    word.as_deref() == Some(text)
}

/// `-o` binds less than `-a`, and that less than `!`.
fn test(words: &[Value], absent: &dyn Fn(&str) -> bool) -> Option<bool> {
    if let [left, operator, right] = words
        && let Some(answer) = compare(left, operator, right)
    {
        return answer;
    }
    let mut any = Some(false);
    for side in words.split(|word| is(word, "-o")) {
        let mut all = Some(true);
        for one in side.split(|word| is(word, "-a")) {
            all = and(all, primary(one, absent));
        }
        any = and(any.map(|it| !it), all.map(|it| !it)).map(|it| !it);
    }
    any
}

/// Known wherever one side decides.
pub(super) fn and(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn primary(words: &[Value], absent: &dyn Fn(&str) -> bool) -> Option<bool> {
    match words {
        [not, rest @ ..] if is(not, "!") && !rest.is_empty() => primary(rest, absent).map(|it| !it),
        [Some(operator), word] => {
            let word = word.as_deref()?;
            match &**operator {
                "-n" => Some(!word.is_empty()),
                "-z" => Some(word.is_empty()),
                "-e" | "-f" | "-d" | "-x" | "-L" | "-h" | "-r" | "-s" | "-w" | "-S" | "-p" => {
                    (word.is_empty() || absent(word)).then_some(false)
                }
                _ => None,
            }
        }
        [left, operator, right] => compare(left, operator, right)?,
        [word] => word.as_deref().map(|word| !word.is_empty()),
        [] => Some(false),
        _ => None,
    }
}

/// None where this is no comparison; within, the answer as far as it is known.
#[expect(clippy::option_option, reason = "whether it compares, and what is known of the answer")]
fn compare(left: &Value, operator: &Value, right: &Value) -> Option<Option<bool>> {
    let same = match (left, right) {
        (Some(left), Some(right)) => Some(left == right),
        _ => None,
    };
    match operator.as_deref()? {
        "=" | "==" => Some(same),
        "!=" => Some(same.map(|it| !it)),
        "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" => Some(None),
        _ => None,
    }
}
