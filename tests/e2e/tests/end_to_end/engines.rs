//! The image serves: in podman, in docker, and for arm64 under qemu.

use dmc_e2e::{
    Arm64, Container, Engine, Workplace, free_port, host, libraries, need_root, nginx, run, tool,
    unpack,
};
use std::path::Path;

const ENTRYPOINT: [&str; 3] = ["/usr/sbin/nginx", "-g", "daemon off;"];

/// Loads the shared image by `dmc load` and returns the reference that the engine reported.
fn load(engine: &Engine) -> String {
    let (workplace, built) = nginx();
    let args = ["load", "-t", "nginx", "--engine", engine.name()];
    let loaded = run(&mut engine.aim(workplace.dmc(&args))).ok().stdout;
    let wanted = format!("localhost/{}", built.reference);
    assert!(loaded.lines().any(|line| line == wanted), "no `{wanted}` in:\n{loaded}");
    wanted
}

fn serves_and_quits(container: &Container<'_>) {
    let page = container.get("/");
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("Welcome to nginx!"), "{}", page.text);
    assert_eq!(container.get("/missing").status, 404);
    assert_eq!(container.quit(), 0, "{:?}", container.logs());
}

#[test]
fn podman_runs_the_loaded_image_read_only_and_without_privileges() {
    let engine = Engine::podman();
    let image = load(&engine);
    let container = Container::published(&engine, &[&image]);
    serves_and_quits(&container);
    let logs = container.logs();
    assert!(logs.stdout.contains("\"GET / HTTP/1.0\" 200"), "{}", logs.stdout);
    assert!(logs.stderr.contains("start worker processes"), "{}", logs.stderr);
}

#[test]
fn docker_runs_the_loaded_image_read_only_and_without_privileges() {
    let engine = Engine::docker();
    let image = load(&engine);
    let container = Container::with_site(&engine, "", &[&image]);
    serves_and_quits(&container);
    let logs = container.logs();
    assert!(logs.stdout.contains("\"GET / HTTP/1.0\" 200"), "{}", logs.stdout);
    assert!(logs.stderr.contains("start worker processes"), "{}", logs.stderr);
}

#[test]
fn workers_with_threads_end_in_order_when_told_to_quit() {
    let engine = Engine::podman();
    let image = load(&engine);
    let container = Container::with_site(&engine, "aio threads;", &[&image]);
    serves_and_quits(&container);
    let said = container.logs().stderr;
    assert!(said.contains("exited with code 0") && !said.contains("signal 6"), "{said}");
}

#[test]
fn workers_with_threads_die_where_libgcc_is_missing() {
    let engine = Engine::podman();
    let (_, built) = nginx();
    let root = unpack(built, host(), engine.folder());
    std::fs::remove_file(root.join(&libraries(host())[1..]).join("libgcc_s.so.1")).unwrap();
    let root = root.to_str().unwrap();
    let [program, flag, value] = ENTRYPOINT;
    let image = ["--rootfs", root, program, flag, value];
    let container = Container::with_site(&engine, "aio threads;", &image);
    assert_eq!(container.get("/").status, 200);
    container.quit();
    let said = container.logs().stderr;
    assert!(said.contains("libgcc_s.so.1 must be installed"), "{said}");
    assert!(said.contains("exited on signal 6"), "{said}");
}

#[test]
fn the_arm64_image_serves_under_qemu() {
    need_root("it starts containers");
    let _arm64 = Arm64::runnable();
    let engine = Engine::podman();
    let (_, built) = nginx();
    let file = engine.folder().join("arm64.tar");
    let image = "localhost/nginx:arm64";
    let mut skopeo = tool("skopeo", "skopeo");
    skopeo.args(["copy", "-q", "--override-arch", "arm64", &built.transport()]);
    run(skopeo.arg(format!("docker-archive:{}:{image}", file.display()))).ok();
    run(engine.command().args(["load", "-i"]).arg(&file)).ok();
    let container = Container::with_site(&engine, "", &["--arch", "arm64", image]);
    serves_and_quits(&container);
}

#[test]
fn a_private_configuration_wins_over_the_templates_own_and_needs_no_mount() {
    let engine = Engine::podman();
    let workplace = Workplace::new();
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
    run(tool("cp", "coreutils").arg("-r").arg(templates).arg(workplace.root())).ok();
    let private = workplace.root().join("templates/nginx/private.d/etc/nginx/conf.d");
    std::fs::create_dir_all(&private).unwrap();
    let port = free_port();
    let place = "location / { return 200 \"a private page\\n\"; }";
    let site = format!("server {{ listen 127.0.0.1:{port}; {place} }}\n");
    std::fs::write(private.join("default.conf"), site).unwrap();

    let args = ["-a", "create,load", "-t", "nginx", "--engine", engine.name(), "-A", host()];
    let printed = run(&mut engine.aim(workplace.dmc(&args))).ok().stdout;
    let image = printed.lines().find(|line| line.starts_with("localhost/nginx:"));
    let container = Container::on_host(&engine, port, &[image.expect("a loaded image")]);
    let page = container.get("/");
    assert!(page.text.ends_with("a private page\n"), "{}", page.text);
    assert_eq!(container.quit(), 0);
}
