//! The program under test.

use crate::layout::Layout;
use crate::process::{Done, run};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// The folder that cargo builds into.
pub fn target() -> PathBuf {
    // target/PROFILE/deps/TEST
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// The release build, which must be there: figures of other builds mean nothing.
#[track_caller]
pub fn program() -> PathBuf {
    let built = std::env::var_os("DMC").map_or_else(|| target().join("release/dmc"), PathBuf::from);
    assert!(
        built.is_file(),
        "these tests need {}: build it with `cargo build --release`, or run scripts/test",
        built.display()
    );
    built
}

/// A folder with a store, an image layout and a home of its own, all empty at first.
#[derive(Debug)]
pub struct Workplace {
    root: PathBuf,
    _temporary: Option<TempDir>,
}

impl Workplace {
    /// In the system's folder for temporary files.
    pub fn new() -> Self {
        Self::in_temporary(TempDir::with_prefix("dmc-e2e-").unwrap())
    }

    /// Below another folder.
    pub fn below(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        Self::in_temporary(TempDir::with_prefix_in("dmc e2e é-", folder).unwrap())
    }

    fn in_temporary(temporary: TempDir) -> Self {
        let root = temporary.path().to_owned();
        // Others, such as an ordinary user that a test becomes, may look into it.
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(root.join("home")).unwrap();
        Self { root, _temporary: Some(temporary) }
    }

    /// The folder in which the program runs.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The layout that it writes.
    pub fn out(&self) -> PathBuf {
        self.root.join("out")
    }

    /// The packages that it has fetched.
    pub fn debs(&self) -> Vec<PathBuf> {
        let debs = fs::read_dir(self.root.join("store/v1/debs")).unwrap();
        debs.map(|entry| entry.unwrap().path()).collect()
    }

    /// The program's arguments and surroundings; nothing of the caller's configuration applies.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("HOME", self.root.join("home"));
        for name in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "SOURCE_DATE_EPOCH"] {
            command.env_remove(name);
        }
        for name in ["REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "KUBECONFIG"] {
            command.env_remove(name);
        }
        for name in ["DMC_OUT", "LOG_level", "LOG_dir", "OUT_level"] {
            command.env_remove(name);
        }
        command
    }

    /// `dmc` with these arguments, on this workplace's store and layout.
    pub fn dmc(&self, args: &[&str]) -> Command {
        let mut command = self.command(program());
        command.args(["--store", "store", "--out", "out"]).args(args);
        command
    }

    /// Runs `dmc` to its end.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Done {
        run(&mut self.dmc(args))
    }

    /// Builds a template, and reads the line that says what came out.
    #[track_caller]
    pub fn create(&self, args: &[&str]) -> Built {
        Built::of(self, &self.run(args).ok().stdout)
    }
}

impl Default for Workplace {
    fn default() -> Self {
        Self::new()
    }
}

/// An image that was built.
#[derive(Debug)]
pub struct Built {
    /// The most precise upstream reference, such as `nginx:1.26.3`.
    pub reference: String,
    /// The index's digest, with `sha256:` before it.
    pub digest: String,
    /// The layout that holds it.
    pub layout: Layout,
}

impl Built {
    /// From what `dmc` printed.
    #[track_caller]
    pub fn of(workplace: &Workplace, printed: &str) -> Self {
        let line = printed.lines().next().unwrap_or_default();
        let (reference, digest) = line.split_once(' ').expect("a line with reference and digest");
        Self {
            reference: reference.to_owned(),
            digest: digest.to_owned(),
            layout: Layout::open(&workplace.out()),
        }
    }

    /// The tag of the reference.
    pub fn tag(&self) -> &str {
        self.reference.split_once(':').expect("a tag").1
    }

    /// The reference as skopeo and podman take it.
    pub fn transport(&self) -> String {
        format!("oci:{}:{}", self.layout.folder().display(), self.reference)
    }
}

/// The image that tests share, and where it was built.
pub fn nginx() -> &'static (Workplace, Built) {
    static SHARED: OnceLock<((Workplace, Built), File)> = OnceLock::new();
    let (shared, _lock) = SHARED.get_or_init(|| {
        let (workplace, printed, lock) = of_this_run("nginx", &["-t", "nginx"]);
        let built = Built::of(&workplace, &printed);
        ((workplace, built), lock)
    });
    shared
}

/// The image of a shipped template, for both architectures, and where it was built: a workplace
/// that tests share. What one test has built is at hand for the next.
#[track_caller]
pub fn image(template: &str) -> (&'static Workplace, Built) {
    static SHARED: OnceLock<(Workplace, File)> = OnceLock::new();
    let (workplace, _lock) = SHARED.get_or_init(|| {
        let (workplace, _, lock) = of_this_run("images", &["-t", "nonroot"]);
        (workplace, lock)
    });
    let built = workplace.create(&["-t", template]);
    (workplace, built)
}

/// A workplace of this run's tests, what `dmc` printed when it was made, and its lock.
///
/// It lies at a fixed place and is made anew by each run of the tests: statics are never dropped,
/// so that a temporary folder would stay. A run may be one process or, with nextest, many.
fn of_this_run(name: &str, args: &[&str]) -> (Workplace, String, File) {
    let folder = target().join("e2e");
    fs::create_dir_all(&folder).unwrap();
    let (root, note) = (folder.join(name), folder.join(format!("{name}.run")));
    let lock = File::create(folder.join(format!("{name}.lock"))).unwrap();
    let workplace = Workplace { root, _temporary: None };
    let head = format!("{}\n", this_run());
    let made = || {
        let text = fs::read_to_string(&note).unwrap_or_default();
        text.strip_prefix(&head).map(ToOwned::to_owned)
    };
    loop {
        // Held to the end of the process: another run waits before it clears the place.
        lock.lock_shared().unwrap();
        if let Some(printed) = made() {
            return (workplace, printed, lock);
        }
        lock.unlock().unwrap();
        lock.lock().unwrap();
        if made().is_none() {
            let _ = fs::remove_dir_all(workplace.root());
            fs::create_dir_all(workplace.root().join("home")).unwrap();
            let printed = workplace.run(args).ok().stdout;
            fs::write(&note, format!("{head}{printed}")).unwrap();
        }
        lock.unlock().unwrap();
    }
}

/// What tells this run from those before it, which may have had the same process number.
fn this_run() -> String {
    let named = std::env::var("NEXTEST_RUN_ID").ok().filter(|id| !id.is_empty());
    let run = named.unwrap_or_else(|| std::process::id().to_string());
    let built = program().metadata().unwrap().modified().unwrap();
    format!("{run} {built:?}")
}
