//! `TenantJwtSecret`s that are accepted and answered in status, with the seed's codes and messages.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE},
};
use idp_operator::api::{TenantJwtSecret, TenantJwtSecretStatus, tenant_jwt_secret::LastError};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::{Answer, expect_answers};
use crate::support::{Scene, scene::version};

const TOO_SHORT_256: &str = "the value must be at least 32 bytes for HS256, decoded, but is 31";
const TOO_SHORT_384: &str = "the value must be at least 48 bytes for HS384, decoded, but is 47";
const TOO_SHORT_512: &str = "the value must be at least 64 bytes for HS512, decoded, but is 63";
const TOO_LONG: &str = "the value must be at most 4096 bytes, decoded";
const NO_CAPITAL: &str = "the value must hold at least one capital letter (A-Z), decoded";
const NO_SPECIAL: &str = "the value must hold at least one special character (ASCII punctuation), decoded";
const TOO_UNIFORM: &str = "the value must hold at least 12 different bytes, decoded";
const EXAMPLE: &str = "the value must be none that stands as an example in public documentation";
const TRAILING_NEWLINE: &str = "the value must be Base64 without a line break at its end \
                                (`kubectl create secret --from-file` keeps the file's: write it with `printf %s`)";
const URL_SAFE_ALPHABET: &str =
    "the value must be in standard Base64, with '+' and '/' where the URL-safe alphabet has '-' and '_'";
const NOT_BASE64: &str = "the value must be encoded in Base64, in the standard alphabet, with or without padding";

/// The seed's examples: of a request, of a request in Base64, of a response.
const SEED_TEXT: &str = r#"2deC;p<V:3#p85?S3T#,4S][qpJ6&7R-7KT(C"rET(:<HPr3"#;
const SEED_BASE64: &str = "13gb5Zi3sDzs8oNAUiHlvd2SjBRZnnoAlQ3l1eIbEFlbsciNCglGuFw8sNNLyAEZb";
const SEED_RESPONSE: &str = "asdfasdfasfLXZlcnktbG9uZy1zZWNyZXQta2V5LWZvci1zaWduaW5nLWp3dC10b2tlbnM=";

/// Key and value of Secret `<name>-source`, the spec's algorithm, and what is told.
struct Row {
    name: &'static str,
    source: Option<(&'static str, Vec<u8>)>,
    spec: Value,
    answer: Answer,
    last_error: Option<LastError>,
}

impl Row {
    fn new(name: &'static str, algorithm: &str, source: Option<(&'static str, Vec<u8>)>) -> Self {
        Self {
            name,
            source,
            spec: json!({ "tenantId": name, "signingAlgorithm": algorithm, "secretRef": { "name": format!("{name}-source") } }),
            answer: Answer::new("True Ready", &format!("the secret is in Secret '{name}-jwt'"), &[]),
            last_error: None,
        }
    }

    fn told(
        mut self,
        verdict: &str,
        message: &str,
        errors: &[&str],
        (code, title): (i64, &str),
        details: &[&str],
    ) -> Self {
        self.answer = Answer::new(verdict, message, errors);
        let errors = details.iter().map(|detail| (*detail).to_owned()).collect();
        self.last_error = Some(LastError { code, message: title.to_owned(), errors });
        self
    }
}

fn good(name: &'static str, algorithm: &str, value: Vec<u8>) -> Row {
    Row::new(name, algorithm, Some(("secret", value)))
}

fn broken(name: &'static str, algorithm: &str, value: impl AsRef<[u8]>, details: &[&str]) -> Row {
    let message =
        format!("Invalid request: key 'secret' of Secret '{name}-source' (secretRef): {}", details.join("; "));
    let errors = vec!["400 101017 /spec/secretRef"; details.len()];
    good(name, algorithm, value.as_ref().to_vec()).told(
        "False InvalidRequest Stalled",
        &message,
        &errors,
        (101_017, "Invalid request"),
        details,
    )
}

fn missing(name: &'static str, source: Option<(&'static str, Vec<u8>)>) -> Row {
    let message = format!(
        "Authentication Secret not configured: secretRef must name a Secret with a value, but Secret '{name}-source' or its \
         key 'secret' is missing or empty"
    );
    Row::new(name, "HS256", source).told(
        "False AuthenticationSecretNotConfigured Reconciling",
        &message,
        &["404 101019 /spec/secretRef"],
        (101_019, "Authentication Secret not configured"),
        &[&message],
    )
}

fn no_algorithm(name: &'static str, spec: Value) -> Row {
    let message = "Signing Algorithm not configured: set signingAlgorithm to HS256, HS384 or HS512";
    let row = Row { spec, ..Row::new(name, "", None) };
    row.told(
        "False SigningAlgorithmNotConfigured Stalled",
        message,
        &["404 101018 /spec/signingAlgorithm"],
        (101_018, "Signing Algorithm not configured"),
        &[message],
    )
}

/// So many bytes that obey every rule but perhaps on length.
fn bytes(count: usize) -> Vec<u8> {
    (b'@'..=b'~').cycle().take(count).collect()
}

fn base64(value: impl AsRef<[u8]>) -> Vec<u8> {
    STANDARD.encode(value).into_bytes()
}

fn rows() -> Vec<Row> {
    let with_line_break = |end: &str| [base64(bytes(40)), end.as_bytes().to_vec()].concat();
    vec![
        no_algorithm("no-algorithm", json!({ "tenantId": "no-algorithm" })),
        no_algorithm(
            "no-algorithm-for-source",
            json!({ "tenantId": "no-algorithm-2", "secretRef": { "name": "source" } }),
        ),
        missing("no-secret", None),
        missing("no-key", Some(("other", base64(bytes(40))))),
        missing("empty-value", Some(("secret", Vec::new()))),
        broken("short-256", "HS256", base64(bytes(31)), &[TOO_SHORT_256]),
        broken("short-384", "HS384", base64(bytes(47)), &[TOO_SHORT_384]),
        broken("short-512", "HS512", base64(bytes(63)), &[TOO_SHORT_512]),
        broken("no-capital", "HS256", base64("an honest passphrase, in lower case, 1234"), &[NO_CAPITAL]),
        broken("no-ascii-capital", "HS256", base64("ÄÖÜ and an honest passphrase, lower case"), &[NO_CAPITAL]),
        broken("no-special", "HS256", base64("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh012345"), &[NO_SPECIAL]),
        broken("space-is-not-special", "HS256", base64("Correct horse battery staple and so on 1"), &[NO_SPECIAL]),
        broken("uniform", "HS256", base64("!ABCDEFGHIJ".repeat(4)), &[TOO_UNIFORM]),
        broken(
            "all-at-once",
            "HS256",
            base64("password"),
            &["the value must be at least 32 bytes for HS256, decoded, but is 8", NO_CAPITAL, NO_SPECIAL, TOO_UNIFORM],
        ),
        broken("seed-text", "HS384", SEED_TEXT, &[EXAMPLE]),
        broken("seed-text-encoded", "HS384", base64(SEED_TEXT), &[EXAMPLE]),
        broken("seed-base64", "HS384", SEED_BASE64, &[EXAMPLE]),
        broken("seed-response", "HS384", SEED_RESPONSE, &[EXAMPLE]),
        broken("line-break", "HS256", with_line_break("\n"), &[TRAILING_NEWLINE]),
        broken("windows-line-break", "HS256", with_line_break("\r\n"), &[TRAILING_NEWLINE]),
        broken(
            "url-safe",
            "HS256",
            URL_SAFE.encode([&[0xfb, 0xff, 0xbf], bytes(40).as_slice()].concat()),
            &[URL_SAFE_ALPHABET],
        ),
        broken("not-base64", "HS256", "A passphrase that nobody has encoded!", &[NOT_BASE64]),
        broken("binary", "HS256", [0xff, 0x00, 0xfe, 0x01].repeat(10), &[NOT_BASE64]),
        broken("wrong-length", "HS256", &base64(bytes(45))[..57], &[NOT_BASE64]),
        broken("too-much-padding", "HS256", [base64(bytes(45)), b"=".to_vec()].concat(), &[NOT_BASE64]),
        broken("space-inside", "HS256", [base64(bytes(30)), b" ".to_vec(), base64(bytes(30))].concat(), &[NOT_BASE64]),
        broken("4097-bytes", "HS512", base64(bytes(4097)), &[TOO_LONG]),
        broken("100-kilobytes", "HS256", base64(bytes(100_000)), &[TOO_LONG]),
        // As large as a Secret can be.
        broken("1-mebibyte", "HS256", base64(bytes(3 << 18)), &[TOO_LONG]),
        good("least-256", "HS256", base64(bytes(32))),
        good("least-384", "HS384", base64(bytes(48))),
        good("least-512", "HS512", base64(bytes(64))),
        good("most", "HS512", base64(bytes(4096))),
        good("twelve-different", "HS256", base64("!ABCDEFGHIJK".repeat(3))),
        good("without-padding", "HS256", STANDARD_NO_PAD.encode(bytes(40)).into_bytes()),
    ]
}

#[tokio::test]
async fn every_bad_value_is_told_by_the_seed_s_words() {
    let scene = Scene::new("secrets").await;
    let _operator = scene.operator().await;
    let rows = rows();
    for row in &rows {
        if let Some((key, value)) = &row.source {
            scene.secret(&format!("{}-source", row.name), key, value).await;
        }
        scene.apply::<TenantJwtSecret>(row.name, row.spec.clone()).await;
    }
    let mut expected = std::collections::BTreeMap::new();
    let mut errors = Vec::new();
    for Row { name, source, answer, last_error, .. } in rows {
        expected.insert(name.to_owned(), answer);
        errors.push((name, source, last_error));
    }
    expect_answers::<TenantJwtSecret>(&scene, expected).await;
    for (name, source, last_error) in errors {
        let object = scene.api::<TenantJwtSecret>().get(name).await.unwrap();
        assert_eq!(object.status.as_ref().unwrap().last_error, last_error, "{name}");
        // Nothing of a value is told.
        let text = serde_json::to_string(&object.status).unwrap();
        let value = source.map(|(_, value)| value).filter(|value| !value.is_empty());
        let value = value.and_then(|value| String::from_utf8(value).ok());
        assert!(value.is_none_or(|value| !text.contains(&value[..value.len().min(16)])), "{name}: {text}");
    }
}

#[tokio::test]
async fn whatever_a_good_value_s_source_becomes_the_value_is_kept_and_served() {
    let scene = Scene::new("secrets").await;
    let _operator = scene.operator().await;
    let is_of_a_source =
        |row: &Row| row.answer.verdict.starts_with("False") && row.spec["secretRef"]["name"] != "source";
    let rows: Vec<Row> =
        rows().into_iter().filter(is_of_a_source).filter(|row| row.spec["secretRef"].is_object()).collect();
    for row in &rows {
        scene.secret(&format!("{}-source", row.name), "secret", &base64(bytes(80))).await;
        scene.apply::<TenantJwtSecret>(row.name, row.spec.clone()).await;
    }
    let mut good = Vec::new();
    for row in &rows {
        let object: TenantJwtSecret = scene.verdict(row.name, "True", "Ready").await;
        let output = scene.api::<Secret>().get(&format!("{}-jwt", row.name)).await.unwrap();
        good.push((row.name, version(&output), object.status.unwrap()));
    }
    for row in &rows {
        let source = format!("{}-source", row.name);
        match &row.source {
            Some((key, value)) => drop(scene.secret(&source, key, value).await),
            None => scene.delete::<Secret>(&source).await,
        }
    }
    expect_answers::<TenantJwtSecret>(&scene, rows.into_iter().map(|row| (row.name.to_owned(), row.answer)).collect())
        .await;
    let mut wrong = Vec::new();
    for (name, before, served) in good {
        let told = scene.api::<TenantJwtSecret>().get(name).await.unwrap().status.unwrap();
        let is_told =
            |status: &TenantJwtSecretStatus| [&status.secret_name, &status.key_id, &status.algorithm].map(Clone::clone);
        let after = version(&scene.api::<Secret>().get(&format!("{name}-jwt")).await.unwrap());
        if after != before || is_told(&told) != is_told(&served) {
            wrong.push(name);
        }
    }
    assert_eq!(wrong, Vec::<&str>::new());
}
