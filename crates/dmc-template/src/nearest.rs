//! Which known word somebody meant.

/// The known word most like `word`: about a third of its letters may differ.
/// Of equally near words the first wins.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = ((word.chars().count() + 1) / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(far, name)| *far <= most || (word.len() >= 3 && name.starts_with(word)))
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
}

/// `did you mean …?`, or what is known.
pub(crate) fn hint<'a>(
    nearest: Option<&str>,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    if let Some(name) = nearest {
        return Some(format!("did you mean `{name}`?"));
    }
    let known: Vec<&str> = known.into_iter().collect();
    (!known.is_empty()).then(|| format!("known are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        for (word, wanted) in [
            ("pakages", Some("packages")),
            ("ngnix", Some("nginx")),
            ("nginx", Some("nginx")),
            ("pack", Some("packages")),
            ("mariadb", None),
            ("pakige", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ["packages", "nginx"]), wanted, "{word}");
        }
    }
}
