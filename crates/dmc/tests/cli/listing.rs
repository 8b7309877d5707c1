//! `-l`, and the numbers that it gives.

use crate::stage::Stage;

const NGINX: [&str; 2] = ["-t", "nginx"];

#[test]
fn a_listing_writes_nothing_and_asks_nobody() {
    let stage = Stage::new();
    let before = stage.everything();
    let listed = stage.run(&["-t", "nginx", "-l"]).good();
    insta::assert_snapshot!("list-empty", listed.text());
    assert_eq!(stage.everything(), before);
    assert_eq!(stage.server.requests().len(), 0);
    stage.run(&NGINX).good();
    let (before, requests) = (stage.everything(), stage.server.requests().len());
    let listed = stage.run(&["-t", "nginx", "-l"]).good();
    insta::assert_snapshot!("list-full", listed.text());
    let all = stage.run(&["-a", "setup,update,create", "-t", "nginx", "-l"]).good();
    insta::assert_snapshot!("list-all", all.text());
    assert_eq!(stage.everything(), before);
    assert_eq!(stage.server.requests().len(), requests);
}

#[test]
fn listed_numbers_are_those_that_select() {
    let stage = Stage::new();
    let numbers = |args: &[&str]| -> Vec<usize> {
        let args = [&["-t", "nginx", "-l", "--json"], args].concat();
        let listed = stage.run(&args).good();
        let line = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            usize::try_from(value["task"].as_u64().unwrap()).unwrap()
        };
        listed.stdout.lines().map(line).collect()
    };
    assert_eq!(numbers(&[]), [1, 2, 3, 4, 5]);
    assert_eq!(numbers(&["-b", "3"]), [3, 4, 5]);
    assert_eq!(numbers(&["-e", "2"]), [1, 2]);
    assert_eq!(numbers(&["-b", "2", "-e", "4"]), [2, 3, 4]);
    assert_eq!(numbers(&["-o", "5,3"]), [3, 5]);
    stage.run(&["-t", "nginx", "-o", "3"]).failed(1, &["hint: run task 1 first"]);
    stage.run(&["-t", "nginx", "-e", "2"]).good();
    assert!(!stage.path("work/out").exists());
    let requests = stage.server.requests().len();
    stage.run(&["-t", "nginx", "-o", "5"]).failed(1, &["hint: run task 3 first"]);
    stage.run(&["-t", "nginx", "-b", "3"]).good();
    let later = &stage.server.requests()[requests..];
    assert!(later.iter().all(|request| request.path.ends_with(".deb")), "{later:#?}");
}
