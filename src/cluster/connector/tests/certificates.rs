//! By whose word a certificate is good.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::domain::ca_bundle::CaBundle;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap()
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn leaf(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "login.example".to_owned()]).unwrap();
    change(&mut params);
    params
}

/// A server's side, with a certificate that this authority issues.
fn issued(authority: &Authority, params: &CertificateParams, beside: &[CertificateDer<'static>]) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let chain = std::iter::once(certificate.der().clone()).chain(beside.iter().cloned()).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap()
}

fn trust(authorities: &[&Authority]) -> Trust {
    let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
    Trust::Bundle(Arc::new(CaBundle::parse(pem.as_bytes()).unwrap()))
}

/// A server's side and whom to trust for it.
pub fn valid() -> (ServerConfig, Trust) {
    let authority = authority("private");
    (issued(&authority, &leaf(|_| ()), &[]), trust(&[&authority]))
}

async fn get(config: ServerConfig, host: &str, trust: &Trust) -> Result<Vec<u8>, Failure> {
    let server = Server::https(good(), config);
    let connector = resolving("127.0.0.0/8", |_, port| Ok(vec![SocketAddr::new([127, 0, 0, 1].into(), port)]));
    connector.get(&format!("https://{host}:{}/keys", server.address.port()), trust).await
}

#[tokio::test]
async fn a_bundle_is_trusted_in_place_of_the_system_s_authorities() {
    let (private, other) = (authority("private"), authority("other"));
    let certificate = || issued(&private, &leaf(|_| ()), &[]);
    let tls = || failure(FetchError::Tls);
    assert_eq!(get(certificate(), "login.example", &trust(&[&private])).await, Ok(b"keys".to_vec()));
    assert_eq!(get(certificate(), "127.0.0.1", &trust(&[&other, &private])).await, Ok(b"keys".to_vec()));
    assert_eq!(get(certificate(), "login.example", &trust(&[&other])).await, tls());
    assert_eq!(get(certificate(), "login.example", &Trust::System).await, tls());
    assert_eq!(get(certificate(), "another.example", &trust(&[&private])).await, tls());
    let nameless = issued(&private, &CertificateParams::new(vec!["login.example".to_owned()]).unwrap(), &[]);
    assert_eq!(get(nameless, "127.0.0.1", &trust(&[&private])).await, tls());
}

#[tokio::test]
async fn an_authority_between_is_believed_on_the_word_of_one_that_is_trusted() {
    let root = authority("root");
    let middle = CertifiedIssuer::signed_by(authority_params("middle"), KeyPair::generate().unwrap(), &root).unwrap();
    let chain = [middle.der().clone()];
    let host = "login.example";
    assert_eq!(get(issued(&middle, &leaf(|_| ()), &chain), host, &trust(&[&root])).await, Ok(b"keys".to_vec()));
    assert_eq!(get(issued(&middle, &leaf(|_| ()), &[]), host, &trust(&[&root])).await, failure(FetchError::Tls));
}

#[tokio::test]
async fn what_is_no_good_certificate_now_is_refused() {
    let private = authority("private");
    let trust = trust(&[&private]);
    let table = [
        ("expired", leaf(|params| params.not_after = date_time_ymd(2020, 1, 1))),
        ("not yet valid", leaf(|params| params.not_before = date_time_ymd(4000, 1, 1))),
        ("of a client", leaf(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])),
    ];
    for (name, params) in table {
        assert_eq!(
            get(issued(&private, &params, &[]), "login.example", &trust).await,
            failure(FetchError::Tls),
            "{name}"
        );
    }
}

#[tokio::test]
async fn only_tls_1_2_and_1_3_with_http_1_1_are_spoken() {
    let (config, trust) = valid();
    let mut http2 = config.clone();
    http2.alpn_protocols = vec![b"h2".to_vec()];
    assert_eq!(get(http2, "login.example", &trust).await, failure(FetchError::Tls));
    let mut both = config;
    both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert_eq!(get(both, "login.example", &trust).await, Ok(b"keys".to_vec()));
    // What a server says that knows TLS 1.1 only: ServerHello of that version; or the alert of one that knows more.
    let hello = [&b"\x16\x03\x02\0\x2a\x02\0\0\x26\x03\x02"[..], &[7; 32], &b"\0\0\x2f\0"[..]].concat();
    let plain = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec();
    let answers = [
        (hello, FetchError::Tls),
        (b"\x15\x03\x02\0\x02\x02\x46".to_vec(), FetchError::Tls),
        (plain, FetchError::Tls),
        // Cut, it may be whole another time.
        (Vec::new(), FetchError::Unreachable),
    ];
    for (answer, error) in answers {
        let listener = listen("127.0.0.1:0");
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        });
        let url = format!("https://{address}/keys");
        assert_eq!(allowing("127.0.0.0/8").get(&url, &trust).await, failure(error));
    }
}
