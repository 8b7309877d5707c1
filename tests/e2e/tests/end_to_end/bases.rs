//! Core images as bases: by `FROM` in a Containerfile, and by `extends` in a template.

use dmc_e2e::{Engine, Workplace, confined, host, image, run, tool};
use std::fs;
use std::path::Path;

/// What a program can see of users, certificates and time zones.
const LOOKS: &str = r#"
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    char line[4096], word[64] = "";
    FILE *bundle = fopen("/etc/ssl/certs/ca-certificates.crt", "r");
    int roots = 0;
    while (bundle && fgets(line, sizeof line, bundle)) roots += !strncmp(line, "-----BEGIN C", 12);
    FILE *users = fopen("/etc/passwd", "r");
    while (users && fgets(line, sizeof line, users))
        if (strstr(line, ":65532:")) sscanf(line, "%63[^:]", word);
    time_t noon = 1719835200;
    printf("%d %s, %s, %s, %d\n", (int)getuid(), word, roots > 100 ? "trusts" : "does not trust",
           access("/usr/share/zoneinfo/Europe/Vienna", R_OK) ? "no zones" : "zones",
           localtime(&noon)->tm_hour);
    return 0;
}
"#;

/// What glibc does by its own files.
const ASKS_LIBC: &str = r#"
#include <iconv.h>
#include <locale.h>
#include <math.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>
#include <wctype.h>

int main(int count, char **words) {
    struct addrinfo *found;
    struct passwd *user = getpwuid(getuid());
    char *locale = setlocale(LC_ALL, "");
    printf("%s %s %d %.0f %d %d\n", user ? user->pw_name : "nobody", locale ? locale : "none",
           (int)towupper(0xe9), sqrt(count * 16.0), getaddrinfo("127.0.0.1", "80", NULL, &found),
           iconv_open("UCS-4", "UTF-8") != (iconv_t)-1);
    return words[0] == NULL;
}
"#;

const THROWS: &str = r#"
#include <iostream>
#include <pthread.h>
#include <stdexcept>
#include <thread>

static void *ends(void *) { pthread_exit(nullptr); }

int main() {
    std::thread([] { try { throw std::runtime_error("thrown"); }
                     catch (const std::exception &error) { std::cout << error.what() << '\n'; } }).join();
    pthread_t thread;
    pthread_create(&thread, nullptr, ends, nullptr);
    pthread_join(thread, nullptr);
    std::cout << "ended" << std::endl;
}
"#;

fn compile(compiler: &str, package: &str, options: &[&str], source: &str, into: &Path) {
    let name = if compiler == "g++" { "source.cc" } else { "source.c" };
    fs::create_dir_all(into).unwrap();
    let file = into.join(name);
    fs::write(&file, source).unwrap();
    let mut command = tool(compiler, package);
    run(command.args(options).arg("-o").arg(into.join("program")).arg(file).arg("-lm")).ok();
}

/// Builds an image of one program on a base of ours, as anybody would, and returns what it says.
fn from(engine: &Engine, base: &str, folder: &Path, options: &[&str]) -> String {
    let base = engine.take(&image(base).1, host());
    let text = format!(
        "FROM {base}\nCOPY program /usr/local/bin/program\nENTRYPOINT [\"/usr/local/bin/program\"]\n"
    );
    fs::write(folder.join("Containerfile"), text).unwrap();
    let mut build = engine.command();
    run(build.args(["build", "-q", "--pull=never", "-t", "localhost/derived"]).arg(folder)).ok();
    confined(engine, options, &["localhost/derived"]).ok().stdout
}

#[test]
fn a_static_program_finds_what_its_base_has() {
    let engine = Engine::podman();
    let folder = engine.folder().join("looks");
    compile("gcc", "gcc libc6-dev", &["-static"], LOOKS, &folder);
    let vienna = ["-e", "TZ=Europe/Vienna"];
    for (base, says) in [
        ("nonroot", "65532 nonroot, does not trust, no zones, 12\n"),
        ("tls-roots", "65532 nonroot, trusts, no zones, 12\n"),
        ("tzdata", "65532 nonroot, does not trust, zones, 14\n"),
        ("static", "65532 nonroot, trusts, zones, 14\n"),
        ("libc", "65532 nonroot, trusts, zones, 14\n"),
    ] {
        assert_eq!(from(&engine, base, &folder, &vienna), says, "{base}");
    }
}

#[test]
fn a_c_program_runs_on_libc() {
    let engine = Engine::podman();
    let folder = engine.folder().join("asks");
    compile("gcc", "gcc libc6-dev", &[], ASKS_LIBC, &folder);
    assert_eq!(from(&engine, "libc", &folder, &[]), "nonroot C.UTF-8 201 4 0 1\n");
}

#[test]
fn a_cxx_program_throws_and_ends_threads_on_cc() {
    let engine = Engine::podman();
    let folder = engine.folder().join("throws");
    compile("g++", "g++", &["-pthread"], THROWS, &folder);
    assert_eq!(from(&engine, "cc", &folder, &[]), "thrown\nended\n");
}

#[test]
fn templates_extend_core_images() {
    let engine = Engine::podman();
    for (base, compiler, source, says) in [
        ("static", "gcc", LOOKS, "65532 nonroot, trusts, zones, 14\n"),
        ("cc", "g++", THROWS, "thrown\nended\n"),
    ] {
        let workplace = Workplace::new();
        let template = workplace.root().join("templates/own");
        let options: &[&str] = if base == "static" { &["-static"] } else { &["-pthread"] };
        compile(compiler, compiler, options, source, workplace.root());
        fs::create_dir_all(template.join("files/usr/local/bin")).unwrap();
        fs::copy(workplace.root().join("program"), template.join("files/usr/local/bin/program"))
            .unwrap();
        let text = format!(
            "group = \"app\"\nsummary = \"A program\"\nextends = [\"{base}\"]\n\
             executable = [\"/usr/local/bin/*\"]\nentrypoint = [\"/usr/local/bin/program\"]\n"
        );
        fs::write(template.join("template.toml"), text).unwrap();
        let built = workplace.create(&["-t", "own", "-A", host()]);
        let name = engine.take(&built, host());
        let done = confined(&engine, &["-e", "TZ=Europe/Vienna"], &[&name]).ok();
        assert_eq!(done.stdout, says, "{base}");
    }
}
