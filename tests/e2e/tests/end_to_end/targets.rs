//! Architectures that this machine does not run.

use dmc_e2e::Workplace;

/// sid is one suite, so that no pocket of it can lag behind another on a mirror.
#[test]
fn architectures_of_every_kind_are_built_and_verified() {
    let archs = ["armhf", "i386", "ppc64el", "riscv64", "s390x"];
    let workplace = Workplace::new();
    let common = ["-D", "sid", "--accept-expired", "sid", "-t", "nginx", "-A"];
    let all = archs.join(",");
    let built = workplace.create(&[&common[..], &[&all]].concat());
    let made = built.layout.architectures(&built.digest);
    assert_eq!(made.len(), archs.len(), "{made:?}");
    let verify = [&["-a", "verify"], &common[..], &[&all]].concat();
    workplace.run(&verify).ok();
}

#[test]
fn an_architecture_that_the_mirror_lacks_is_told_with_those_that_it_has() {
    let workplace = Workplace::new();
    let refused = workplace.run(&["-D", "trixie", "-t", "nginx", "-A", "mips64el"]).code_is(1);
    for wanted in ["mips64el", "amd64", "-A"] {
        assert!(refused.stderr.contains(wanted), "no `{wanted}` in:\n{}", refused.stderr);
    }
}
