//! An identity provider's endpoints, with real keys made at its start.

use std::{io, net::SocketAddr};

use aws_lc_rs::{
    error::Unspecified,
    rsa::{self, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use axum::{
    Router,
    http::header::CONTENT_TYPE,
    response::{Html, Redirect},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::AbortHandle};

use crate::Error;

/// Where the manifests in examples/ expect it.
pub const ADDRESS: &str = "127.0.0.1:8180";

const JWKS: &str = "application/jwk-set+json";

/// `RSAPublicKey` (RFC 8017, appendix A.1.1) in DER, of a 2048-bit modulus and the exponent 65537, but for the modulus.
const RSA_2048_PREFIX: [u8; 9] = [0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
const RSA_65537_SUFFIX: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// A running provider; stops when dropped.
pub struct Provider {
    /// Where it listens.
    pub address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provider {
    /// Starts it at [`ADDRESS`], or at any free port where that one is taken.
    pub async fn start() -> Result<Self, Error> {
        let listener = match TcpListener::bind(ADDRESS).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => TcpListener::bind("127.0.0.1:0").await?,
            bound => bound?,
        };
        let address = listener.local_addr()?;
        let login = jwks(&[rsa("login-rsa")?, p256("login-p256")?, ed25519("login-ed25519")?]);
        let mobypay = jwks(&[p256("mobypay-p256")?]);
        let router = Router::new()
            .route("/", get(async || Html("<!doctype html><title>Login</title><p>Welcome.\n")))
            .route("/keys", get(async || ([(CONTENT_TYPE, JWKS)], login)))
            .route("/mobypay/keys", get(async || ([(CONTENT_TYPE, JWKS)], mobypay)))
            .fallback(async || Redirect::to("/"));
        let task = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { address, task })
    }
}

fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn rsa(kid: &str) -> Result<Value, Error> {
    let pair = rsa::KeyPair::generate(KeySize::Rsa2048)?;
    let modulus = pair
        .public_key()
        .as_ref()
        .strip_prefix(&RSA_2048_PREFIX)
        .and_then(|rest| rest.strip_suffix(&RSA_65537_SUFFIX))
        .ok_or("the RSA key is not in the form expected")?;
    Ok(json!({ "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": base64(modulus), "e": "AQAB" }))
}

fn p256(kid: &str) -> Result<Value, Error> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    // 4, then both coordinates (SEC 1, section 2.3.3).
    let coordinates =
        pair.public_key().as_ref().strip_prefix(&[4]).ok_or("the P-256 key is not in the form expected")?;
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    Ok(json!({ "kty": "EC", "kid": kid, "use": "sig", "crv": "P-256", "x": base64(x), "y": base64(y) }))
}

fn ed25519(kid: &str) -> Result<Value, Unspecified> {
    let pair = Ed25519KeyPair::generate()?;
    let x = base64(pair.public_key().as_ref());
    Ok(json!({ "kty": "OKP", "kid": kid, "use": "sig", "crv": "Ed25519", "x": x }))
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
