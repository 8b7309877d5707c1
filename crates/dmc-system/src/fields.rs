//! Lines of systemd's configuration: fields between white space, quoted where they hold some
//! (sysusers.d(5), tmpfiles.d(5)).

/// Longest line that is read, in bytes.
const LONGEST: usize = 4096;

/// Lines that are neither empty nor comments, with their numbers from 1, split into at most `most`
/// fields, of which the last keeps its white space. A line with an open quote has no fields.
pub(crate) fn lines(text: &[u8], most: usize) -> Vec<(usize, Vec<String>)> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(at, line)| (at, split(line, most).unwrap_or_default())).collect()
}

fn split(line: &str, most: usize) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line.get(..LONGEST.min(line.len()))?.trim_start();
    while !rest.is_empty() {
        if fields.len() + 1 == most && !rest.starts_with(['"', '\'']) {
            fields.push(rest.to_owned());
            break;
        }
        let (field, after) = first(rest)?;
        fields.push(field);
        rest = after.trim_start();
    }
    Some(fields)
}

fn first(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, next)) = chars.next() {
        match (next, quote) {
            (_, Some(open)) if next == open => quote = None,
            ('"' | '\'', None) => quote = Some(next),
            ('\\', Some(_)) => field.push(chars.next()?.1),
            (_, None) if next.is_whitespace() => return Some((field, &text[at..])),
            _ => field.push(next),
        }
    }
    quote.is_none().then_some((field, ""))
}
