//! One request of HTTP/1.0, and its answer: no chunks, no second request.

use dmc_template::HttpTest;
use std::fmt::Write as _;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// The method that is asked with.
pub(crate) fn method(test: &HttpTest) -> &str {
    let usual = if test.body.is_some() { "POST" } else { "GET" };
    test.method.as_deref().unwrap_or(usual)
}

/// The request's text.
pub(crate) fn request(test: &HttpTest) -> String {
    let mut lines = format!("{} {} HTTP/1.0\r\n", method(test), test.path);
    let given = |name: &str| test.headers.keys().any(|key| key.eq_ignore_ascii_case(name));
    if !given("host") {
        let _ = write!(lines, "Host: localhost:{}\r\n", test.port);
    }
    let body = test.body.as_deref().unwrap_or_default();
    if test.body.is_some() && !given("content-length") {
        let _ = write!(lines, "Content-Length: {}\r\n", body.len());
    }
    for (name, value) in &test.headers {
        let _ = write!(lines, "{name}: {value}\r\n");
    }
    lines + "\r\n" + body
}

/// The answer in what came back; none where it is not one.
pub(crate) fn answer(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut words = head.lines().next()?.split(' ');
    words.next().filter(|protocol| protocol.starts_with("HTTP/1."))?;
    Some(Answer { status: words.next()?.parse().ok()?, body: body.to_owned() })
}

/// Whether a server in front says that the one behind it is not there yet.
pub(crate) fn is_early(status: u16) -> bool {
    (502..=504).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(keys: &str) -> HttpTest {
        let toml = format!("group = \"base\"\nsummary = \"x\"\n[[test]]\nname = \"x\"\n{keys}");
        let files = [("template.toml".to_owned(), toml.into_bytes().into())].into();
        let (name, origin) = ("it".to_owned(), String::new());
        let folder = dmc_template::TemplateFolder { name, files, origin };
        let catalog = dmc_template::Catalog::read(vec![folder]);
        match &catalog.get("it").unwrap().tests()[0].test.steps[0] {
            dmc_template::TestStep::Http(http) => http.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_has_what_the_test_says() {
        let plain = request(&test("http = { port = 80 }"));
        assert_eq!(plain, "GET / HTTP/1.0\r\nHost: localhost:80\r\n\r\n");
        let posted = request(&test(
            "http = { port = 80, path = \"/a?b\", headers = { HOST = \"x\", A = \"b\" }, body = \"é\" }",
        ));
        let wanted = "POST /a?b HTTP/1.0\r\nContent-Length: 2\r\nA: b\r\nHOST: x\r\n\r\né";
        assert_eq!(posted, wanted);
        assert!(request(&test("http = { port = 1, method = \"HEAD\" }")).starts_with("HEAD / "));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let read = answer("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nnone\r\n\r\n").unwrap();
        assert_eq!(read, Answer { status: 404, body: "none\r\n\r\n".to_owned() });
        for text in ["", "\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1\r\n\r\n", "J\x08\r\n\r\n"] {
            assert_eq!(answer(text), None, "{text:?}");
        }
    }
}
