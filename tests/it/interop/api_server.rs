//! kube-apiserver with `authentication-configuration.yaml` as it stands in the output.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use control_plane::{ControlPlane, client_config, report};
use idp_operator::desired::authentication_configuration::render;
use jsonwebtoken::get_current_timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, Client, api::PostParams};
use serde_json::{Value, json};

use super::published::Publisher;
use crate::support::KeyServer;
use crate::support::tokens::{Key, but, claims, jwks};

/// It finds the keys of an issuer in seconds, and sees another file within a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// Who somebody is to kube-apiserver: name and groups; or the HTTP status of its refusal.
type Who = Result<(String, Vec<String>), u16>;

async fn who_am_i(control_plane: &ControlPlane, token: &str) -> Who {
    let mut config = client_config(control_plane.admin_kubeconfig()).await.unwrap();
    config.auth_info.token = Some(token.to_owned().into());
    let reviews: Api<SelfSubjectReview> = Api::all(Client::try_from(config).unwrap());
    match reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await {
        Ok(review) => {
            let user = review.status.unwrap().user_info.unwrap();
            Ok((user.username.unwrap(), user.groups.unwrap_or_default()))
        }
        Err(kube::Error::Api(status)) => Err(status.code),
        Err(error) => panic!("{error}"),
    }
}

/// Waits until it authenticates this token.
async fn until_known(control_plane: &ControlPlane, token: &str) -> Who {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let who = who_am_i(control_plane, token).await;
        if who.is_ok() || Instant::now() > deadline {
            return who;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until it logs this.
async fn until_logged(control_plane: &ControlPlane, wanted: &str) {
    let log = |attempt: &str| {
        let log = control_plane.dir().join(attempt).join("kube-apiserver.log");
        std::fs::read_to_string(log).unwrap_or_default()
    };
    let deadline = Instant::now() + PATIENCE;
    while !["attempt-1", "attempt-2", "attempt-3"].iter().any(|attempt| log(attempt).contains(wanted)) {
        assert!(Instant::now() < deadline, "kube-apiserver does not log {wanted}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Puts a file in another's place at once, as it happens to what is mounted.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// What an OpenID provider says of itself (OpenID Connect Discovery 1.0, section 3), and its keys, in one document.
fn discovery(server: &KeyServer, keys: &[&Key]) -> String {
    let mut document = jwks(keys);
    document["issuer"] = json!(server.url(""));
    document["jwks_uri"] = json!(server.url("/keys"));
    document["authorization_endpoint"] = json!(server.url("/authorize"));
    document["response_types_supported"] = json!(["code"]);
    document["subject_types_supported"] = json!(["public"]);
    document["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    document.to_string()
}

// kube-apiserver asks for the keys while a thread of the test waits for its start.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn kube_apiserver_authenticates_an_issuer_s_users_and_nobody_else() {
    let (rsa, p256, ed25519, stranger) = (Key::rsa("rsa"), Key::p256("p256"), Key::ed25519("ed"), Key::rsa("rsa"));
    let (server, authority) = KeyServer::https("").await;
    let (_, other_authority) = KeyServer::https("").await;
    server.answer("200 OK", "", &discovery(&server, &[&rsa, &p256, &ed25519]));
    let issuer = server.url("");
    // What YAML 1.1 would take for something else.
    let audiences = ["api", "no", "1e3", "1:20", "a: b # c", "\"'\\", "{{ .Values.a }}", "ä🔑\u{2028}z"];
    let publisher = Publisher::new().await;
    let output = publisher
        .publish(
            "login",
            json!({
                "jwtEndpoint": server.url("/jwt"),
                "issuer": issuer,
                "keysEndpoint": server.url("/keys"),
                "audiences": audiences,
                "tls": { "caBundle": authority },
            }),
        )
        .await;
    let good = claims(&issuer, "api");
    let token = rsa.token("RS256", &good);

    // It trusts an authority that the issuer is not known to: it never gets the keys.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("authentication.yaml");
    let listed = audiences.map(str::to_owned);
    std::fs::write(&file, render(&issuer, &listed, Some(&other_authority)).unwrap()).unwrap();
    let start = ControlPlane::builder().api_server_arg(format!("--authentication-config={}", file.display())).start();
    let control_plane = start.unwrap_or_else(|error| panic!("{}", report(&error)));
    until_logged(&control_plane, "certificate signed by unknown authority").await;
    assert_eq!(who_am_i(&control_plane, &token).await, Err(401));

    // What the operator publishes is taken up without a restart.
    replace(&file, &output["authentication-configuration.yaml"]);
    let mini = Ok((format!("{issuer}#mini"), vec!["system:authenticated".to_owned()]));
    assert_eq!(until_known(&control_plane, &token).await, mini);
    for audience in audiences {
        let token = p256.token("ES256", &claims(&issuer, audience));
        assert_eq!(who_am_i(&control_plane, &token).await, mini, "{audience}");
    }
    for algorithm in ["RS384", "RS512", "PS256", "PS384", "PS512"] {
        assert_eq!(who_am_i(&control_plane, &rsa.token(algorithm, &good)).await, mini, "{algorithm}");
    }
    // Groups are nobody's to claim.
    let boasting = but(&good, "groups", json!(["system:masters"]));
    assert_eq!(who_am_i(&control_plane, &rsa.token("RS256", &boasting)).await, mini);

    let sign = |claims: &Value| rsa.token("RS256", claims);
    let now = get_current_timestamp();
    for (token, why) in [
        (sign(&but(&good, "sub", json!("system:admin"))), "a name of the cluster's own"),
        (sign(&but(&good, "sub", json!("system:"))), "its prefix"),
        (sign(&but(&good, "sub", Value::Null)), "no name"),
        (sign(&but(&good, "sub", json!(1))), "a name that is no text"),
        (sign(&but(&good, "aud", json!("other"))), "another audience"),
        (sign(&but(&good, "aud", Value::Null)), "no audience"),
        (sign(&but(&good, "exp", json!(now - 10))), "expired"),
        (sign(&but(&good, "exp", Value::Null)), "no end"),
        (sign(&but(&good, "iss", json!(server.url("/")))), "another issuer"),
        (stranger.token("RS256", &good), "another key"),
        (rsa.unsigned(&good), "no signature"),
        (rsa.confused(&good), "a public key for a secret"),
        (rsa.critical("RS256", &good), "an extension that nobody understands"),
        (ed25519.token("EdDSA", &good), "an algorithm that kube-apiserver does not know"),
    ] {
        assert_eq!(who_am_i(&control_plane, &token).await, Err(401), "{why}");
    }
    // What it leaves to the service: docs/consumers.md says so.
    for accepted in
        [but(&good, "iat", Value::Null), but(&good, "iat", json!(now - 7200)), but(&good, "nbf", json!(now + 30))]
    {
        assert_eq!(who_am_i(&control_plane, &sign(&accepted)).await, mini, "{accepted}");
    }

    // What it refuses leaves the file before in force.
    replace(&file, &render(&issuer, &listed, None).unwrap().replace("claim: sub", "claim: \"\""));
    until_logged(&control_plane, "failed to validate authentication config").await;
    assert_eq!(who_am_i(&control_plane, &token).await, mini);

    // Only its version is another for those before 1.34.
    let older = render(&issuer, &["older".to_owned()], Some(&authority)).unwrap().replace("io/v1\n", "io/v1beta1\n");
    replace(&file, &older);
    assert_eq!(until_known(&control_plane, &sign(&claims(&issuer, "older"))).await, mini);
    assert_eq!(who_am_i(&control_plane, &token).await, Err(401));
}
