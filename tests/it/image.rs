//! What the container image holds, and that the operator works with no more than that. `just image-test` builds it.

mod materials;
mod run;
mod sandbox;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::json;

use crate::{
    chart::Release,
    support::{
        Plane,
        plane::{SYSTEM, succeed},
    },
};

/// The folder that `image/build` made.
static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = env::var_os("IDP_OPERATOR_IMAGE").map(PathBuf::from);
    folder
        .filter(|folder| folder.is_dir())
        .expect("IDP_OPERATOR_IMAGE has to name what image/build made: just image-test")
});

/// Mode, owner, date and path, as `tar --list` has them.
fn files() -> Vec<String> {
    let mut tar = Command::new("tar");
    tar.args(["--list", "--verbose", "--numeric-owner", "--utc", "--file"]).arg(IMAGE.join("root.tar"));
    let listed = String::from_utf8(succeed(&mut tar).stdout).unwrap();
    let without_size = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{} {} {}", words[..2].join(" "), words[3..5].join(" "), words[5..].join(" "))
    };
    listed.lines().map(without_size).collect()
}

#[test]
#[ignore = "needs what image/build makes: just image-test"]
fn it_holds_the_program_and_certificates_alone() {
    let expected = [
        "drwxr-xr-x 0/0 1970-01-01 00:00 ./",
        "drwxr-xr-x 0/0 1970-01-01 00:00 ./etc/",
        "drwxr-xr-x 0/0 1970-01-01 00:00 ./etc/ssl/",
        "drwxr-xr-x 0/0 1970-01-01 00:00 ./etc/ssl/certs/",
        "-rw-r--r-- 0/0 1970-01-01 00:00 ./etc/ssl/certs/ca-certificates.crt",
        "-rwxr-xr-x 0/0 1970-01-01 00:00 ./idp-operator",
    ];
    assert_eq!(files(), expected);
    let pem = std::fs::read_to_string(IMAGE.join("root/etc/ssl/certs/ca-certificates.crt")).unwrap();
    assert!(pem.matches("BEGIN CERTIFICATE").count() > 100);
}

#[test]
#[ignore = "needs what image/build makes: just image-test"]
fn the_containerfile_takes_these_files_alone_and_the_user_and_port_that_the_chart_names() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Containerfile")).unwrap();
    let last = text.rsplit_once("\nFROM ").unwrap().1;
    let lines: Vec<&str> = last.lines().collect();
    let expected = [
        "scratch",
        "COPY --from=build /out/root/ /",
        "USER 65532:65532",
        "EXPOSE 8080",
        r#"ENTRYPOINT ["/idp-operator"]"#,
    ];
    assert_eq!(lines, expected);
    let release = Release::render(Plane::shared(), "idp-operator", SYSTEM, &[]);
    let pod = &release.object("Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let user = &pod["securityContext"];
    assert_eq!(
        (&user["runAsUser"], &user["runAsGroup"], &user["runAsNonRoot"]),
        (&json!(65532), &json!(65532), &json!(true))
    );
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], json!(true));
    assert_eq!(container["ports"][0]["containerPort"], json!(8080));
    // The entry point stands; the chart gives arguments.
    assert!(container["command"].is_null());
    assert_eq!(container["args"][0], json!("run"));
}
