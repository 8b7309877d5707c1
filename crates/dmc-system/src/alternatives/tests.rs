use super::*;
use crate::fixture::package;

fn shown(script: &str) -> Vec<String> {
    let found = alternatives(&package("x-y", &[("postinst", script)], &[]));
    let slave =
        |(link, name, path): &(ImagePath, String, ImagePath)| format!(" + {link} {name} {path}");
    let shown = |it: &Alternative| {
        let slaves: String = it.slaves.iter().map(slave).collect();
        format!("{} {} {} {}{slaves}", it.link, it.name, it.path, it.priority)
    };
    found.iter().map(shown).collect()
}

#[test]
fn calls_are_found_as_debians_scripts_write_them() {
    for (why, script, wanted) in [
        (
            "php8.4-cli: a loop over names, a continued line, a slave",
            "#!/bin/sh\nset -e\nif [ \"$1\" = \"configure\" ]; then\n\
             \tfor binary in php phar phar.phar; do\n\tupdate-alternatives \\\n\
             \t--install /usr/bin/${binary} ${binary} /usr/bin/${binary}8.4 84 \\\n\
             \t--slave /m/${binary}.1.gz ${binary}.1.gz /m/${binary}8.4.1.gz\n\tdone\nfi\n",
            vec![
                "/usr/bin/php php /usr/bin/php8.4 84 + /m/php.1.gz php.1.gz /m/php8.4.1.gz",
                "/usr/bin/phar phar /usr/bin/phar8.4 84 + /m/phar.1.gz phar.1.gz /m/phar8.4.1.gz",
                "/usr/bin/phar.phar phar.phar /usr/bin/phar.phar8.4 84 + /m/phar.phar.1.gz \
                 phar.phar.1.gz /m/phar.phar8.4.1.gz",
            ],
        ),
        (
            "mariadb-common: behind a question and with `|| true`",
            "case \"$1\" in\nconfigure)\n  if ! update-alternatives --query my.cnf | grep -q x\n\
             then\n    update-alternatives --install /etc/mysql/my.cnf my.cnf \
             \"/etc/mysql/mariadb.cnf\" 500 || true\n  fi\n;;\nesac\n",
            vec!["/etc/mysql/my.cnf my.cnf /etc/mysql/mariadb.cnf 500"],
        ),
        (
            "libblas3: a variable, a name with a dot",
            "t=x86_64-linux-gnu\nupdate-alternatives --quiet --install \
             /lib/$t/libblas.so.3 libblas.so.3-$t /usr/lib/$t/blas/libblas.so.3 10\n",
            vec![
                "/usr/lib/x86_64-linux-gnu/libblas.so.3 libblas.so.3-x86_64-linux-gnu \
                 /usr/lib/x86_64-linux-gnu/blas/libblas.so.3 10",
            ],
        ),
        ("removal", "update-alternatives --remove x /usr/bin/x\n", vec![]),
        (
            "an upgrade",
            "if [ -n \"$2\" ]; then update-alternatives --install /a b /c 1; fi\n",
            vec![],
        ),
        ("an unknown word", "update-alternatives --install /a b $(which c) 1\n", vec![]),
        ("a name that climbs", "update-alternatives --install /a ../b /c 1\n", vec![]),
        ("a slave that is cut", "update-alternatives --install /a b /c 1 --slave /d\n", vec![]),
        ("no number", "update-alternatives --install /a b /c one\n", vec![]),
    ] {
        assert_eq!(shown(script), wanted, "{why}");
    }
}
