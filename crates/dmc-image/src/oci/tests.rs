use super::*;
use crate::layer::{Section, Table};
use dmc_types::{Arch, Compression};

fn layer(compression: &str) -> Layer {
    let compression: Compression = compression.parse().unwrap();
    let section = |offset| Section { offset, size: 2, plain_size: 3 };
    let table = Table { digest: sha256(b"toc"), contents: section(8), tar_split: section(18) };
    Layer {
        diff_id: sha256(b"tar"),
        digest: sha256(b"gz"),
        size: 2,
        uncompressed_size: 3,
        compression,
        table: matches!(compression, Compression::ZstdChunked(_)).then_some(table),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_configuration_has_a_fixed_order_and_leaves_out_what_is_empty() {
    let config = RunConfig {
        user: "65532:65532".into(),
        exposed_ports: ["8080/tcp".to_owned(), "443/tcp".to_owned()].into(),
        env: vec!["PATH=/usr/bin".into(), "A=b".into()],
        entrypoint: vec!["/usr/sbin/nginx".into()],
        volumes: ["/data".to_owned()].into(),
        labels: [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into(),
        stop_signal: "SIGQUIT".into(),
        healthcheck: Some(Healthcheck {
            test: vec!["CMD".into(), "/usr/sbin/nginx".into(), "-t".into()],
            interval: 30_000_000_000,
            ..Healthcheck::default()
        }),
        ..RunConfig::default()
    };
    let config = ImageConfig::new(Arch::Arm64.oci(), 0, config, &layer("gzip"), "dmc create");
    let wanted = format!(
        concat!(
            r#"{{"created":"1970-01-01T00:00:00Z","architecture":"arm64","os":"linux","#,
            r#""variant":"v8","config":{{"User":"65532:65532","#,
            r#""ExposedPorts":{{"443/tcp":{{}},"8080/tcp":{{}}}},"#,
            r#""Env":["PATH=/usr/bin","A=b"],"Entrypoint":["/usr/sbin/nginx"],"#,
            r#""Volumes":{{"/data":{{}}}},"Labels":{{"a":"1","b":"2"}},"#,
            r#""StopSignal":"SIGQUIT","Healthcheck":{{"Test":["CMD","/usr/sbin/nginx","-t"],"#,
            r#""Interval":30000000000}}}},"#,
            r#""rootfs":{{"type":"layers","diff_ids":["sha256:{}"]}},"#,
            r#""history":[{{"created":"1970-01-01T00:00:00Z","created_by":"dmc create"}}]}}"#
        ),
        sha256(b"tar")
    );
    assert_eq!(text(config.to_json()), wanted);
    assert_eq!(serde_json::from_str::<ImageConfig>(&wanted).unwrap(), config);
}

#[test]
fn a_manifest_has_oci_types_only_and_marks_zstd_layers() {
    for (compression, media_type, annotations) in [
        ("gzip", "application/vnd.oci.image.layer.v1.tar+gzip", ""),
        (
            "zstd:3",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            r#","annotations":{"io.github.containers.compression.zstd":"true"}"#,
        ),
        (
            "zstd:chunked:3",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            &[
                r#","annotations":{"io.github.containers.compression.zstd":"true","#,
                r#""io.github.containers.zstd-chunked.manifest-checksum":"sha256:"#,
                &sha256(b"toc").to_string(),
                r#"","io.github.containers.zstd-chunked.manifest-position":"8:2:3:1","#,
                r#""io.github.containers.zstd-chunked.tarsplit-position":"18:2:3"}"#,
            ]
            .concat(),
        ),
    ] {
        let config = Descriptor::of(media_type::CONFIG, b"{}");
        let manifest = Manifest::new(config, &layer(compression), Annotations::new());
        let wanted = format!(
            concat!(
                r#"{{"schemaVersion":2,"#,
                r#""mediaType":"application/vnd.oci.image.manifest.v1+json","#,
                r#""config":{{"mediaType":"application/vnd.oci.image.config.v1+json","#,
                r#""digest":"sha256:{}","size":2}},"#,
                r#""layers":[{{"mediaType":"{}","digest":"sha256:{}","size":2{}}}]}}"#
            ),
            sha256(b"{}"),
            media_type,
            sha256(b"gz"),
            annotations
        );
        assert_eq!(text(manifest.to_json()), wanted);
        assert_eq!(serde_json::from_str::<Manifest>(&wanted).unwrap(), manifest);
    }
}

#[test]
fn platforms_of_an_index_are_those_of_the_configuration() {
    for arch in Arch::ALL {
        let platform = Platform::from(arch.oci());
        let config = ImageConfig::new(arch.oci(), 0, RunConfig::default(), &layer("gzip"), "dmc");
        assert_eq!(
            (platform.architecture, platform.os, platform.variant),
            (config.architecture, config.os, config.variant),
        );
    }
}

#[test]
fn fields_of_others_survive_in_an_index() {
    let json = format!(
        concat!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","#,
            r#""manifests":[{{"mediaType":"x/y","digest":"sha256:{}","size":1,"#,
            r#""platform":{{"architecture":"amd64","os":"windows","os.version":"10"}},"#,
            r#""artifactType":"a/b"}}],"extra":[1]}}"#
        ),
        sha256(b"")
    );
    let index: Index = serde_json::from_str(&json).unwrap();
    assert_eq!(text(index.to_json()), json);
}

#[test]
fn digests_of_other_kinds_are_refused() {
    for digest in ["", "sha512:00", "sha256:00", &"0".repeat(64)] {
        let json = format!(r#"{{"mediaType":"x/y","digest":"{digest}","size":1}}"#);
        assert!(serde_json::from_str::<Descriptor>(&json).is_err(), "{digest:?} was accepted");
    }
}
