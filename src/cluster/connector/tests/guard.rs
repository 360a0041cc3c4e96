//! Only addresses that are permitted are ever connected to.

use super::*;

/// Servers on these addresses, all with one port, as a URL has but one.
fn on_one_port<const N: usize>(ips: [&str; N]) -> [Server; N] {
    loop {
        let first = listen(&format!("{}:0", ips[0]));
        let port = first.local_addr().unwrap().port();
        let others: Vec<_> = ips[1..]
            .iter()
            .map(|ip| {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind(format!("{ip}:{port}").parse().unwrap()).and_then(|()| socket.listen(64))
            })
            .collect();
        if others.iter().all(Result::is_ok) {
            let all = std::iter::once(first).chain(others.into_iter().flatten());
            let servers: Vec<Server> = all.map(|listener| Server::on(listener, good(), None)).collect();
            return servers.try_into().ok().unwrap();
        }
    }
}

fn addresses(ips: &[&str], port: u16) -> Vec<SocketAddr> {
    ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect()
}

/// 127.0.0.2 may be called, 127.0.0.1 may not.
const ALLOWED: &str = "127.0.0.2/32";

#[tokio::test]
async fn a_name_that_turns_to_a_forbidden_address_is_followed_no_further() {
    let [good, sink] = on_one_port(["127.0.0.2", "127.0.0.1"]);
    let count = AtomicUsize::new(0);
    let connector = resolving(ALLOWED, move |_, port| {
        let ip = if count.fetch_add(1, Ordering::SeqCst) == 0 { "127.0.0.2" } else { "127.0.0.1" };
        Ok(addresses(&[ip], port))
    });
    let url = format!("http://rebinds.example:{}/keys", good.address.port());
    assert_eq!(connector.get(&url, &Trust::System).await, Ok(b"keys".to_vec()));
    for _ in 0..3 {
        assert_eq!(connector.get(&url, &Trust::System).await, failure(FetchError::AddressForbidden));
    }
    assert_eq!((good.connections(), sink.connections()), (1, 0));
}

#[tokio::test]
async fn of_several_addresses_only_permitted_ones_are_called() {
    let [good, sink] = on_one_port(["127.0.0.2", "127.0.0.1"]);
    // Nothing listens on 127.0.0.3.
    let cases = [
        (&["127.0.0.1", "127.0.0.2"][..], Ok(b"keys".to_vec())),
        (&["127.0.0.2", "127.0.0.1"], Ok(b"keys".to_vec())),
        (&["::ffff:127.0.0.1", "::1", "127.0.0.3", "127.0.0.2"], Ok(b"keys".to_vec())),
        // A permitted one may answer later: that is worth waiting for.
        (&["127.0.0.1", "127.0.0.3"], failure(FetchError::Unreachable)),
        (&["127.0.0.3"], failure(FetchError::Unreachable)),
        (&[], failure(FetchError::Unreachable)),
        (&["127.0.0.1"], failure(FetchError::AddressForbidden)),
        (&["::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "0.0.0.0", "::"], failure(FetchError::AddressForbidden)),
        (&["169.254.169.254"], failure(FetchError::AddressForbidden)),
    ];
    for (ips, expected) in cases {
        let policy = AddressPolicy {
            allow: ["127.0.0.2/32", "127.0.0.3/32"].map(|net| net.parse().unwrap()).into(),
            deny: Vec::new(),
        };
        let answer: Vec<String> = ips.iter().map(|ip| (*ip).to_owned()).collect();
        let lookup: Lookup = Arc::new(move |_, port| {
            let ips: Vec<&str> = answer.iter().map(String::as_str).collect();
            std::future::ready(Ok(addresses(&ips, port))).boxed()
        });
        let connector = Connector::with_lookup(policy, Vec::new(), lookup);
        let url = format!("http://several.example:{}/keys", good.address.port());
        assert_eq!(connector.get(&url, &Trust::System).await, expected, "{ips:?}");
    }
    assert_eq!((good.connections(), sink.connections()), (3, 0));
}

#[tokio::test]
async fn a_name_without_addresses_and_a_url_without_host_are_unreachable() {
    let connector = allowing(ALLOWED);
    for url in ["http://unknown.example/keys", "http://127.0.0.256/keys", "http://[1:2]/keys", "ftp://127.0.0.2/", ""] {
        assert_eq!(connector.get(url, &Trust::System).await, failure(FetchError::Unreachable), "{url}");
    }
}

#[tokio::test]
async fn the_api_server_is_not_called_at_any_address_of_its_names() {
    let [named, literal, other] = on_one_port(["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
    let port = named.address.port();
    let lookup = |is_known: bool| -> Lookup {
        Arc::new(move |host: String, port| {
            let answer = match host.as_str() {
                "api.example" if is_known => Ok(addresses(&["127.0.0.9", "127.0.0.2"], port)),
                _ => Err(io::Error::other("nobody knows")),
            };
            std::future::ready(answer).boxed()
        })
    };
    let policy = || AddressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], deny: Vec::new() };
    let api_server = vec![("api.example".to_owned(), port), ("127.0.0.3".to_owned(), port)];
    let connector = Connector::with_lookup(policy(), api_server.clone(), lookup(true));
    for server in [&named, &literal] {
        assert_eq!(connector.get(&server.url("http"), &Trust::System).await, failure(FetchError::AddressForbidden));
    }
    assert_eq!(connector.get(&other.url("http"), &Trust::System).await, Ok(b"keys".to_vec()));
    // Who it is can't be said: then it could be anybody.
    let connector = Connector::with_lookup(policy(), api_server, lookup(false));
    for server in [&named, &literal, &other] {
        assert_eq!(connector.get(&server.url("http"), &Trust::System).await, failure(FetchError::Unreachable));
    }
    assert_eq!((named.connections(), literal.connections(), other.connections()), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_never_ends_takes_no_more_than_the_time_of_a_fetch() {
    let lookup: Lookup = Arc::new(|_, _| std::future::pending().boxed());
    let connector = Connector::with_lookup(AddressPolicy::default(), Vec::new(), lookup);
    let start = tokio::time::Instant::now();
    assert_eq!(connector.get("http://silent.example/", &Trust::System).await, failure(FetchError::Unreachable));
    assert_eq!(start.elapsed().as_secs(), TIMEOUT.as_secs());
}

#[tokio::test]
async fn however_a_url_spells_a_forbidden_address_it_is_the_same_one() {
    let [_, sink] = on_one_port(["127.0.0.2", "127.0.0.1"]);
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
        "127\u{3002}0\u{3002}0\u{3002}1",
        "\u{2460}\u{2461}\u{2466}.0.0.1",
        "127.\t0.0.1",
        "user@127.0.0.1",
        "127.0.0.2@127.0.0.1",
        "0",
        "[::1]",
        "[::FFFF:127.0.0.1]",
    ];
    for host in hosts {
        let url = format!("http://{host}:{}/keys", sink.address.port());
        let result = allowing(ALLOWED).get(&url, &Trust::System).await;
        assert_eq!(result, failure(FetchError::AddressForbidden), "{host}");
    }
    assert_eq!(sink.connections(), 0);
}
