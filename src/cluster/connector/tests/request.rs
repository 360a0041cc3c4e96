//! What is sent, to whom, and what of the answer is told.

use std::process::Command;

use super::*;

#[tokio::test]
async fn nothing_is_sent_but_this() {
    let server = Server::start(good());
    let port = server.address.port();
    let connector = resolving("127.0.0.0/8", |_, port| Ok(vec![SocketAddr::new([127, 0, 0, 1].into(), port)]));
    let cases = [
        (format!("http://127.0.0.1:{port}"), "/", format!("127.0.0.1:{port}")),
        (
            format!("http://LOGIN.example:{port}/a/../keys?x=1&y=%20#z"),
            "/keys?x=1&y=%20",
            format!("login.example:{port}"),
        ),
        (format!("http://user:secret@login.example:{port}/keys?"), "/keys?", format!("login.example:{port}")),
        (
            format!("http://b\u{fc}cher.example:{port}/\u{fc} |<>\"^`{{}}"),
            "/%C3%BC%20|%3C%3E%22^%60%7B%7D",
            format!("xn--bcher-kva.example:{port}"),
        ),
    ];
    for (url, target, host) in cases {
        assert_eq!(connector.get(&url, &Trust::System).await, Ok(b"keys".to_vec()), "{url}");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            server.requests.lock().unwrap().pop().unwrap(),
            format!(
                "GET {target} HTTP/1.1\r\nhost: {host}\r\naccept: application/jwk-set+json, application/json\r\n\
                 accept-encoding: identity\r\nuser-agent: idp-operator/{version}\r\nconnection: close\r\n\r\n"
            )
        );
    }
}

#[tokio::test]
async fn a_cookie_is_not_sent_back_and_a_redirect_not_followed() {
    let other = Server::start(good());
    for location in [other.url("http"), "//169.254.169.254/".to_owned(), "/keys".to_owned()] {
        let answer =
            format!("HTTP/1.1 302 Found\r\nset-cookie: a=b\r\nlocation: {location}\r\ncontent-length: 4\r\n\r\nkeys");
        let server = Server::start(Answer::Whole(answer.into_bytes()));
        let connector = allowing("127.0.0.0/8");
        for _ in 0..2 {
            assert_eq!(connector.get(&server.url("http"), &Trust::System).await, failure(FetchError::Redirect(302)));
        }
        let requests = server.requests.lock().unwrap().clone();
        assert_eq!((requests.len(), requests[0] == requests[1]), (2, true));
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn retry_after_is_told_of_answers_other_than_200() {
    let retry_after = |status: &str, headers: &str| {
        let answer = format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n");
        async move {
            let server = Server::start(Answer::Whole(answer.into_bytes()));
            allowing("127.0.0.0/8").get(&server.url("http"), &Trust::System).await
        }
    };
    let told = |error, seconds: Option<u64>| Err(Failure { error, retry_after: seconds.map(Duration::from_secs) });
    let too_many = FetchError::UnexpectedStatus(429);
    assert_eq!(retry_after("429 Slow down", "Retry-After: 120\r\n").await, told(too_many, Some(120)));
    assert_eq!(retry_after("429 Slow down", "").await, told(too_many, None));
    assert_eq!(retry_after("429 Slow down", "retry-after: soon\r\n").await, told(too_many, None));
    assert_eq!(
        retry_after("503 Down", "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n").await,
        told(FetchError::UnexpectedStatus(503), Some(0))
    );
    assert_eq!(retry_after("301 Gone there", "retry-after: 7\r\n").await, told(FetchError::Redirect(301), Some(7)));
    assert_eq!(retry_after("200 OK", "retry-after: 7\r\n").await, Ok(Vec::new()));
    assert_eq!(
        retry_after("200 OK", "content-encoding: br\r\nretry-after: 7\r\n").await,
        told(FetchError::Encoded, None)
    );
}

/// Run by the next test in a process with other variables.
#[tokio::test]
#[ignore = "plays a part in another test"]
async fn with_a_proxy_in_the_environment() {
    let sink = std::env::var("HTTP_PROXY").unwrap();
    let server = Server::start(good());
    assert_eq!(allowing("127.0.0.0/8").get(&server.url("http"), &Trust::System).await, Ok(b"keys".to_vec()));
    assert!(!sink.contains(&server.address.to_string()));
    let (config, bundle) = certificates::valid();
    let server = Server::https(good(), config);
    assert_eq!(allowing("127.0.0.0/8").get(&server.url("https"), &bundle).await, Ok(b"keys".to_vec()));
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used() {
    let sink = Server::start(good());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "cluster::connector::tests::request::with_a_proxy_in_the_environment"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command
            .env(name, format!("http://{}", sink.address))
            .env(name.to_lowercase(), format!("http://{}", sink.address));
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(sink.connections(), 0);
}
