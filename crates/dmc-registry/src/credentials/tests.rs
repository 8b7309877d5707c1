use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

fn find(text: &str, repository: &str) -> Result<Option<Credential>, CredentialError> {
    let folder = TempDir::new().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().join("auth.json")).unwrap();
    fs::write(&path, text).unwrap();
    let found = Credentials::of_files(vec![path]).find(&repository.parse().unwrap())?;
    Ok(found.map(|(credential, _)| credential))
}

fn password(user: &str, password: &str) -> Credential {
    Credential::Password { user: user.to_owned(), password: password.to_owned() }
}

#[test]
fn the_longest_name_that_the_repository_lies_in_counts() {
    // host:h, team:t, web:w
    let text = r#"{"auths": {
        "registry.example:5000": {"auth": "aG9zdDpo"},
        "registry.example:5000/team": {"auth": "dGVhbTp0"},
        "registry.example:5000/team/web": {"auth": "d2ViOnc"},
        "https://old.example/v1/": {"auth": "aG9zdDpo"},
        "https://index.docker.io/v1/": {"auth": "aG9zdDpo"},
        "empty.example": {}
    }}"#;
    for (repository, wanted) in [
        ("registry.example:5000/nginx", Some(password("host", "h"))),
        ("registry.example:5000/team/nginx", Some(password("team", "t"))),
        ("registry.example:5000/teams/nginx", Some(password("host", "h"))),
        ("registry.example:5000/team/web", Some(password("web", "w"))),
        ("registry.example:5000/team/web/nginx", Some(password("web", "w"))),
        ("old.example/nginx", Some(password("host", "h"))),
        ("docker.io/library/nginx", Some(password("host", "h"))),
        ("registry.example/nginx", None),
        ("empty.example/nginx", None),
    ] {
        assert_eq!(find(text, repository).unwrap(), wanted, "{repository}");
    }
}

#[test]
fn passwords_hold_colons_and_identity_tokens_come_first() {
    let text = r#"{"auths": {
        "a.example": {"auth": "dXNlcjphOmI6Yw=="},
        "b.example": {"auth": "dXNlcjp4", "identitytoken": "secret"},
        "c.example": {"username": "me", "password": "word"}
    }}"#;
    assert_eq!(find(text, "a.example/x").unwrap(), Some(password("user", "a:b:c")));
    assert_eq!(find(text, "b.example/x").unwrap(), Some(Credential::Identity("secret".to_owned())));
    assert_eq!(find(text, "c.example/x").unwrap(), Some(password("me", "word")));
}

#[test]
fn files_that_are_not_right_are_named() {
    for (text, wanted) in [
        ("{", "auth.json` cannot be read as credentials"),
        (r#"{"auths": {"a.example": {"auth": "!"}}}"#, "`auth` of `a.example` in"),
        (r#"{"auths": {"a.example": {"auth": "dXNlcg=="}}}"#, "is not a name and a password"),
        (r#"{"credsStore": "none-such"}"#, "docker-credential-none-such"),
        (r#"{"credsStore": "../x"}"#, "docker-credential-../x"),
    ] {
        let error = find(text, "a.example/x").unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn the_first_file_with_an_answer_settles_it() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| Utf8PathBuf::from_path_buf(folder.path().join(name)).unwrap();
    fs::write(path("one"), r#"{"auths": {"b.example": {"auth": "dGVhbTp0"}}}"#).unwrap();
    let two = r#"{"auths": {"a.example": {"auth": "aG9zdDpo"}, "b.example": {"auth": "d2ViOnc"}}}"#;
    fs::write(path("two"), two).unwrap();
    let credentials = Credentials::of_files(vec![path("none"), path("one"), path("two")]);
    let find = |name: &str| credentials.find(&name.parse().unwrap()).unwrap();
    let quoted = |name: &str| format!("`{}`", path(name));
    assert_eq!(find("a.example/x"), Some((password("host", "h"), quoted("two"))));
    assert_eq!(find("b.example/x"), Some((password("team", "t"), quoted("one"))));
}

#[test]
fn what_is_found_is_not_shown() {
    let shown =
        format!("{:?} {:?}", password("me", "hunter2"), Credential::Identity("s3".to_owned()));
    assert!(!shown.contains("hunter2") && !shown.contains("s3"), "{shown}");
}

/// The environment of this process is not touched: the helper is named by its path through a
/// relative name that `PATH` cannot answer, so it is started as what it is.
#[test]
fn a_helper_answers_for_its_registry_and_may_know_nothing() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("docker-credential-fake");
    let text = "#!/bin/sh\nread -r server\ncase $server in\n\
                a.example) echo '{\"Username\":\"me\",\"Secret\":\"word\"}';;\n\
                t.example) echo '{\"Username\":\"<token>\",\"Secret\":\"word\"}';;\n\
                n.example) echo 'credentials not found in native keychain'; exit 1;;\n\
                *) echo 'it is locked'; exit 1;;\nesac\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for (server, wanted) in [
        ("a.example", Ok(Some(password("me", "word")))),
        ("t.example", Ok(Some(Credential::Identity("word".to_owned())))),
        ("n.example", Ok(None)),
        ("x.example", Err("it is locked")),
    ] {
        let output = run(script.to_str().unwrap(), server).unwrap();
        let found = answer(&output);
        match wanted {
            Ok(wanted) => assert_eq!(found.unwrap(), wanted, "{server}"),
            Err(wanted) => assert!(found.unwrap_err().to_string().contains(wanted), "{server}"),
        }
    }
}
