//! Paragraphs of `Name: value` fields (deb822(5)), borrowed from the text that holds them.
//!
//! Made for `Packages`: 56 MB and 68,000 paragraphs, of which a reader wants a few fields each.
//! Nothing is copied and every byte is looked at once or twice, by `memchr`.
//!
//! Paragraphs are separated by empty lines, as in the indices of an archive. A line that begins
//! with a space or a tab continues the field above it; one that begins with `#` is a comment
//! between fields; one without a colon is passed over.

use memchr::{Memchr, memchr_iter, memmem};

/// Everything between empty lines, in order, without the newline that ends it.
pub fn stanzas(text: &[u8]) -> Stanzas<'_> {
    Stanzas { rest: text }
}

/// How many bytes of a buffer are complete stanzas: up to and with the last empty line.
///
/// What comes after may go on in the next chunk; keep it and append to it. 0 where no stanza is
/// complete. At the end of the input the rest is a stanza too, empty line or not.
pub fn complete(buffer: &[u8]) -> usize {
    memmem::rfind(buffer, b"\n\n").map_or(0, |at| at + 2)
}

/// The fields of one stanza, in order.
pub fn fields(stanza: &[u8]) -> Fields<'_> {
    Fields { stanza, start: 0, newlines: memchr_iter(b'\n', stanza) }
}

/// Every paragraph of a text, in order.
pub fn paragraphs(text: &[u8]) -> impl Iterator<Item = Paragraph<'_>> {
    stanzas(text).map(Paragraph::new)
}

/// Iterator of [`stanzas`].
#[derive(Debug, Clone)]
pub struct Stanzas<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Stanzas<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|b| *b != b'\n')?;
        let text = &self.rest[start..];
        let end = memmem::find(text, b"\n\n").unwrap_or(text.len());
        self.rest = &text[end..];
        Some(text[..end].strip_suffix(b"\n").unwrap_or(&text[..end]))
    }
}

/// One field as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, as written.
    pub name: &'a [u8],
    /// The value without white space around it. Continuation lines follow their newline, with
    /// the space that they begin with.
    pub value: &'a [u8],
}

impl<'a> Field<'a> {
    /// Whether the field has this name, in whatever case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value as text; none where it is not UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.value).ok()
    }
}

/// Iterator of [`fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    stanza: &'a [u8],
    /// Where the next field begins.
    start: usize,
    /// The newlines from there on: one wide search for the whole stanza, not one a line.
    newlines: Memchr<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        while self.start < self.stanza.len() {
            let field = self.take_field();
            // A name is short: a plain loop finds its colon sooner than a wide search would.
            let colon = field.iter().position(|b| matches!(b, b':' | b'\n'));
            match colon {
                Some(at) if field[at] == b':' && !matches!(field[0], b'#' | b' ' | b'\t') => {
                    let value = field[at + 1..].trim_ascii();
                    return Some(Field { name: field[..at].trim_ascii_end(), value });
                }
                _ => {}
            }
        }
        None
    }
}

impl<'a> Fields<'a> {
    /// A line and the lines that continue it; a comment is never continued.
    fn take_field(&mut self) -> &'a [u8] {
        let comment = self.stanza[self.start] == b'#';
        let continued =
            |end: &usize| !comment && matches!(self.stanza.get(end + 1), Some(b' ' | b'\t'));
        let end = self.newlines.find(|end| !continued(end)).unwrap_or(self.stanza.len());
        let field = &self.stanza[self.start..end];
        self.start = end + 1;
        field
    }
}

/// One stanza, to be asked for fields by name.
#[derive(Debug, Clone, Copy)]
pub struct Paragraph<'a> {
    stanza: &'a [u8],
}

impl<'a> Paragraph<'a> {
    /// Takes a stanza as [`stanzas`] gives it.
    pub fn new(stanza: &'a [u8]) -> Self {
        Self { stanza }
    }

    /// The value of the first field of this name, in whatever case; none where it is missing or
    /// not UTF-8. Each call reads the stanza again: for several fields use [`Paragraph::fields`].
    pub fn field(&self, name: &str) -> Option<&'a str> {
        self.fields().find(|field| field.is(name))?.text()
    }

    /// All fields, in order.
    pub fn fields(&self) -> Fields<'a> {
        fields(self.stanza)
    }

    /// The whole stanza.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.stanza
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &[u8] = b"\n\nPackage: a\nDepends: b,\n c\nDescription: one\n two\n .\n\
        \n\n\nPACKAGE:z\n# Size: 1\n# \nSize :  2 \nodd line\nEmpty:\n";

    #[test]
    fn paragraphs_are_what_lies_between_empty_lines() {
        let all: Vec<_> = paragraphs(TEXT).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].field("package"), Some("a"));
        assert_eq!(all[0].field("Depends"), Some("b,\n c"));
        assert_eq!(all[0].field("Description"), Some("one\n two\n ."));
        assert_eq!(all[0].field("Size"), None);
        assert_eq!(all[1].field("Package"), Some("z"));
        assert_eq!(all[1].field("size"), Some("2"));
        assert_eq!(all[1].field("Empty"), Some(""));
        assert_eq!(all[1].fields().count(), 3);
        assert!(paragraphs(b"\n\n\n").next().is_none());
    }

    #[test]
    fn text_that_is_not_utf8_is_no_value() {
        let paragraph = Paragraph::new(b"Name: \xff\nOther: x");
        assert_eq!(paragraph.field("Name"), None);
        assert_eq!(paragraph.field("Other"), Some("x"));
    }

    #[test]
    fn chunks_give_the_same_stanzas_as_the_whole() {
        let whole: Vec<_> = stanzas(TEXT).map(<[u8]>::to_vec).collect();
        for size in 1..TEXT.len() {
            let (mut found, mut buffer) = (Vec::new(), Vec::new());
            for chunk in TEXT.chunks(size) {
                buffer.extend_from_slice(chunk);
                let end = complete(&buffer);
                found.extend(stanzas(&buffer[..end]).map(<[u8]>::to_vec));
                buffer.drain(..end);
            }
            found.extend(stanzas(&buffer).map(<[u8]>::to_vec));
            assert_eq!(found, whole, "in chunks of {size}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(prop::sample::select(b"aB:# \t\n\xff".to_vec()), 0..80)) {
            prop_assert!(complete(&bytes) <= bytes.len());
            for paragraph in paragraphs(&bytes) {
                prop_assert!(!paragraph.as_bytes().is_empty());
                for field in paragraph.fields() {
                    prop_assert!(!field.name.contains(&b'\n'));
                }
            }
        }
    }
}
