//! The chart's strategy types, from its values to the program.

use std::sync::Arc;

use idp_operator::domain::catalogue::{self, Capabilities, Catalogue, ConfigKey, Format, StrategyType};
use rstest::rstest;
use serde_json::json;

use super::Release;
use crate::support::{Plane, plane::chart};

/// A type with all that one can have.
pub const GITLAB: [&str; 7] = [
    "strategyCatalog.gitlab.canLoginRegister=true",
    "strategyCatalog.gitlab.canSync=false",
    "strategyCatalog.gitlab.allowsImplicitSignup=true",
    "strategyCatalog.gitlab.requiredConfig[0].key=root-url",
    "strategyCatalog.gitlab.requiredConfig[0].format=url",
    "strategyCatalog.gitlab.requiredConfig[1].key=group",
    "strategyCatalog.gitlab.requiredSecretKeys={clientId,clientSecret}",
];

#[test]
fn the_program_reads_what_the_values_say_from_where_it_is_mounted() {
    let release = Release::render(Plane::shared(), "c", "x", &GITLAB);
    let configmap = release.object("ConfigMap");
    assert_eq!(configmap["metadata"]["name"], "c-idp-operator-strategy-catalog");
    assert_eq!(configmap["metadata"]["namespace"], "x");
    let file = configmap["data"]["catalog.yaml"].as_str().unwrap();
    let catalogue = catalogue::parse(file.as_bytes()).unwrap();
    let key = |key: &str, format| ConfigKey { key: key.to_owned(), format };
    let gitlab = StrategyType {
        can: Capabilities { can_login_register: true, can_sync: false, allows_implicit_signup: true },
        required_config: vec![key("root-url", Format::Url), key("group", Format::Text)],
        required_secret_keys: vec!["clientId".to_owned(), "clientSecret".to_owned()],
    };
    assert_eq!(catalogue.get("gitlab"), Some(&Arc::new(gitlab)));
    assert_eq!(catalogue.names().count(), Catalogue::default().names().count() + 1);

    let pod = &release.object("Deployment")["spec"]["template"]["spec"];
    let folder = "/etc/idp-operator/strategy-catalog";
    assert!(release.args().contains(&format!("--strategy-catalog={folder}/catalog.yaml")), "{:?}", release.args());
    let mounts = &pod["containers"][0]["volumeMounts"];
    assert_eq!(*mounts, json!([{ "name": "strategy-catalog", "mountPath": folder, "readOnly": true }]));
    let volumes = json!([{ "name": "strategy-catalog", "configMap": { "name": "c-idp-operator-strategy-catalog" } }]);
    assert_eq!(pod["volumes"], volumes);
}

#[test]
fn without_types_there_is_neither_file_nor_volume_nor_flag() {
    let release = Release::render(Plane::shared(), "c", "x", &[]);
    assert!(release.objects.iter().all(|object| object["kind"] != "ConfigMap"));
    assert!(release.args().iter().all(|arg| !arg.contains("strategy")));
    assert!(release.object("Deployment")["spec"]["template"]["spec"]["volumes"].is_null());
}

/// What the program would refuse, Helm does before.
#[rstest]
#[case::quoted("strategyCatalog.a.canSync=yes")]
#[case::key_empty("strategyCatalog.a.requiredSecretKeys={}")]
#[case::key_slash("strategyCatalog.a.requiredSecretKeys={a/b}")]
#[case::key_twice("strategyCatalog.a.requiredSecretKeys={a,a}")]
#[case::key_of_no_secret("strategyCatalog.a.requiredSecretKeys={..a}")]
#[case::key_dot("strategyCatalog.a.requiredSecretKeys={.}")]
#[case::key_both("strategyCatalog.a.requiredConfig[0].key=a,strategyCatalog.a.requiredSecretKeys={a}")]
#[case::key_twice_in_two_formats(
    "strategyCatalog.a.requiredConfig[0].key=a,strategyCatalog.a.requiredConfig[0].format=url,strategyCatalog.a.requiredConfig[1].key=a"
)]
#[case::config_text("strategyCatalog.a.requiredConfig={root-url}")]
#[case::config_without_key("strategyCatalog.a.requiredConfig[0].format=url")]
#[case::format("strategyCatalog.a.requiredConfig[0].key=a,strategyCatalog.a.requiredConfig[0].format=uri")]
#[case::unknown("strategyCatalog.a.requiredConfig[0].key=a,strategyCatalog.a.requiredConfig[0].type=url")]
#[case::null("strategyCatalog.a.requiredConfig[0]=null")]
fn a_wrong_type_is_refused(#[case] change: &str) {
    let good = "strategyCatalog.a.canLoginRegister=true,strategyCatalog.a.canSync=true,strategyCatalog.a.allowsImplicitSignup=true";
    let render = |values: &[&str]| {
        let mut helm = Plane::shared().control_plane.helm();
        helm.args(["template", "x"]).arg(chart()).args(["--kube-version", "1.36.0"]);
        for value in values {
            helm.args(["--set", value]);
        }
        helm.output().unwrap()
    };
    assert!(render(&[good]).status.success());
    let output = render(&[good, change]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains("strategyCatalog"), "{message}");
}
