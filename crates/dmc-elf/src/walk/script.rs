//! The edges that leave a script: its interpreter, what `env` starts for it, its words.
//!
//! The interpreter may be a script itself (Debian's `/usr/bin/execlineb` is): it is kept like any
//! other file, so the chain is followed to its end, as the kernel does it (execve(2)).

use super::Walk;
use crate::closure::EdgeKind;
use dmc_types::{ImagePath, PackageName, Shebang};

/// Options of env(1) that take the next word with them.
const ENV_TAKES_A_WORD: [&[u8]; 4] = [b"-u", b"--unset", b"-C", b"--chdir"];

impl Walk {
    /// Queues what a script needs. `by` is its package; none for the template's own.
    pub(super) fn expand_script(
        &mut self,
        path: &ImagePath,
        by: Option<&PackageName>,
        shebang: &Shebang,
    ) {
        let Ok(interpreter) = ImagePath::parse(&shebang.interpreter) else {
            return;
        };
        if interpreter.file_name() == b"env"
            && let Some(program) = shebang.argument.as_deref().and_then(env_program)
        {
            self.need_path(path, by, &program, EdgeKind::Shebang);
        }
        self.need_path(path, by, &interpreter, EdgeKind::Shebang);
        self.note_words(path, shebang);
    }
}

/// The program that `env` starts, from the one argument of a script's first line: `NAME`,
/// `-S NAME ARGUMENTS`, `-S VAR=value NAME`. A plain name is sought in `/usr/bin`.
fn env_program(argument: &[u8]) -> Option<ImagePath> {
    let argument = argument.strip_prefix(b"--split-string=").unwrap_or(argument);
    let argument = match argument.strip_prefix(b"-S") {
        Some(rest) if !rest.is_empty() => rest,
        _ => argument,
    };
    let mut words = argument.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if ENV_TAKES_A_WORD.contains(&word) {
            words.next();
        } else if !word.starts_with(b"-") && !word.contains(&b'=') {
            let absolute = word.starts_with(b"/");
            let folder: &[u8] = if absolute { b"" } else { b"/usr/bin/" };
            return ImagePath::parse([folder, word].concat()).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_says_what_it_starts() {
        for (argument, wanted) in [
            ("python3", Some("/usr/bin/python3")),
            ("-S python3 -u", Some("/usr/bin/python3")),
            ("-Spython3 -u", Some("/usr/bin/python3")),
            ("-S -i VAR=x B=y perl -w", Some("/usr/bin/perl")),
            ("VAR=x prog", Some("/usr/bin/prog")),
            ("--split-string=node --x", Some("/usr/bin/node")),
            ("-S -u HOME -C /tmp php", Some("/usr/bin/php")),
            ("-S /usr/lib/x/prog -a", Some("/usr/lib/x/prog")),
            ("-S", None),
            ("-S A=b", None),
            ("", None),
        ] {
            let found = env_program(argument.as_bytes()).map(|path| path.to_string());
            assert_eq!(found.as_deref(), wanted, "{argument:?}");
        }
    }
}
