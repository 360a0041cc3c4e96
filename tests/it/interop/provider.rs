//! Identity providers of npm: `oidc-provider`, `oauth2-mock-server`.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ENVIRONMENT, dir};

/// One that runs, on loopback, over HTTPS. Dropped, it ends.
pub struct Provider {
    pub issuer: String,
    /// The authority of its certificate, in PEM; nobody else knows it.
    pub authority: String,
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    _dir: TempDir,
}

impl Provider {
    /// `kind` is the name of the package; it signs with these algorithms.
    pub fn start(kind: &str, algorithms: &[&str]) -> Self {
        let dir_of_files = tempfile::tempdir().unwrap();
        let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| dir_of_files.path().join(name));
        let (chain, private, authority) = certificate_and_authority();
        std::fs::write(&certificate, chain).unwrap();
        std::fs::write(&key, private).unwrap();
        // As text, so that what it imports is looked for in the working directory.
        let script = std::fs::read_to_string(dir().join("provider.mjs")).unwrap();
        let mut process = Command::new("node")
            .args(["--input-type=module", "--eval", &script, "--", kind, &algorithms.join(",")])
            .args([&certificate, &key])
            .current_dir(&*ENVIRONMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut provider = Self { issuer: String::new(), authority, process, input, output, _dir: dir_of_files };
        provider.issuer = serde_json::from_value(provider.answer()).unwrap();
        provider
    }

    /// The spec of an `IdentityProvider` for it.
    pub fn spec(&self, audience: &str) -> Value {
        let url = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "jwtEndpoint": url("/token"),
            "issuer": self.issuer,
            "keysEndpoint": url("/jwks"),
            "audiences": [audience],
            "tls": { "caBundle": self.authority },
        })
    }

    /// A token for this audience.
    pub fn token(&mut self, audience: &str) -> String {
        self.command(&format!("token {audience}")).as_str().unwrap().to_owned()
    }

    /// A new key stands in the set, and does not sign yet. Returns the ids of all.
    pub fn publish(&mut self) -> Vec<String> {
        self.change("publish")
    }

    /// The new key signs; the old one stands in the set still.
    pub fn sign(&mut self) -> Vec<String> {
        self.change("sign")
    }

    /// The old key goes.
    pub fn retire(&mut self) -> Vec<String> {
        self.change("retire")
    }

    fn change(&mut self, command: &str) -> Vec<String> {
        let mut ids: Vec<String> = serde_json::from_value(self.command(command)).unwrap();
        ids.sort();
        ids
    }

    fn command(&mut self, line: &str) -> Value {
        writeln!(self.input.as_ref().unwrap(), "{line}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Value {
        let line = self.output.next().expect("the identity provider ended").unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

/// A certificate for loopback with its authority behind it, its key, and the authority alone; all in PEM.
fn certificate_and_authority() -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap().pem();
    (format!("{certificate}{authority}"), key.serialize_pem(), authority)
}
