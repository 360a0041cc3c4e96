//! Which addresses a key fetch may call. A URL from a user, fetched by a process in the cluster's network, is the
//! classic way in (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// Cloud metadata services: never called, whatever is allowed.
const METADATA: [IpAddr; 8] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254)),
];

/// For NAT64 of a network's own (RFC 8215).
const LOCAL_NAT64: [u16; 3] = [0x64, 0xff9b, 1];

/// What may be called beside the defaults.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    /// `--allow-cidr`: called although refused by default.
    pub allow: Vec<IpNet>,
    /// `--deny-cidr`: refused, whatever is allowed.
    pub deny: Vec<IpNet>,
}

impl AddressPolicy {
    /// Whether this address may be called. The API server's addresses never may, whatever is allowed.
    #[must_use]
    pub fn permits(&self, address: SocketAddr, api_server: &[SocketAddr]) -> bool {
        let spellings = spellings(address.ip());
        let listed = |nets: &[IpNet], ip: IpAddr| nets.iter().any(|net| net.contains(&ip));
        let is_api_server = |ip: IpAddr| {
            api_server.iter().any(|server| server.port() == address.port() && server.ip().to_canonical() == ip)
        };
        let never = |ip: IpAddr| METADATA.contains(&ip) || is_api_server(ip) || listed(&self.deny, ip);
        if hidden(address.ip()).into_iter().any(never) {
            return false;
        }
        // Each spelling for itself: who allows NAT64 has not allowed the loopback address inside it.
        spellings.into_iter().all(|ip| !never(ip) && (listed(&self.allow, ip) || !refused_by_default(ip)))
    }
}

fn refused_by_default(ip: IpAddr) -> bool {
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || match ip {
            IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast() || ip.octets().first() == Some(&0),
            // A network's own NAT64 (RFC 8215) has its IPv4 address in a place that only that network knows.
            IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.segments().starts_with(&LOCAL_NAT64),
        }
}

/// The address, and the IPv4 address inside it where it has the form of one: IPv4-mapped and -compatible (RFC 4291,
/// section 2.5.5), IPv4-translated (RFC 2765, section 2.1), NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn spellings(ip: IpAddr) -> Vec<IpAddr> {
    let mut all = vec![ip];
    if let IpAddr::V6(v6) = ip {
        let embedded = match v6.segments() {
            _ if v6.is_loopback() || v6.is_unspecified() => None,
            [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
            | [0, 0, 0, 0, 0xffff, 0, high, low]
            | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
            | [0x2002, high, low, ..] => Some((high, low)),
            _ => None,
        };
        all.extend(embedded.map(|(high, low)| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))));
    }
    all
}

/// The IPv4 addresses that could be inside one of a network's own NAT64 (RFC 8215): at each place where RFC 6052, section
/// 2.2, puts them under a prefix of 48 bits or more.
fn hidden(ip: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(v6) = ip else { return Vec::new() };
    if !v6.segments().starts_with(&LOCAL_NAT64) {
        return Vec::new();
    }
    // Octet 8 is never a part of it.
    let octets: Vec<u8> =
        v6.octets().into_iter().enumerate().filter(|(place, _)| *place != 8).map(|(_, octet)| octet).collect();
    [6, 7, 8, 11]
        .into_iter()
        .filter_map(|start| octets.get(start..start + 4)?.first_chunk::<4>().copied())
        .map(|four| IpAddr::V4(four.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn at(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 443)
    }

    #[rstest]
    #[case("127.0.0.1")]
    #[case("127.8.8.8")]
    #[case("0.0.0.0")]
    #[case("0.1.2.3")]
    #[case("169.254.169.254")]
    #[case("169.254.1.1")]
    #[case("224.0.0.1")]
    #[case("255.255.255.255")]
    #[case("100.100.100.200")]
    #[case("168.63.129.16")]
    #[case("192.0.0.192")]
    #[case("::1")]
    #[case("::")]
    #[case("fe80::1")]
    #[case("ff02::1")]
    #[case("fd00:ec2::254")]
    #[case("fd20:ce::254")]
    #[case("fd00:ec2::23")]
    #[case("fd00:42::42")]
    #[case::translated("::ffff:0:127.0.0.1")]
    #[case::mapped("::ffff:127.0.0.1")]
    #[case::mapped_metadata("::ffff:169.254.169.254")]
    #[case::compatible("::127.0.0.1")]
    #[case::nat64("64:ff9b::127.0.0.1")]
    #[case::nat64_local("64:ff9b:1::169.254.169.254")]
    #[case::nat64_local_of_another_length("64:ff9b:1:7f00:0:100::")]
    #[case::six_to_four("2002:7f00:1::")]
    fn is_refused(#[case] ip: &str) {
        assert!(!AddressPolicy::default().permits(at(ip), &[]));
    }

    #[rstest]
    #[case("10.0.0.1")]
    #[case("172.16.0.1")]
    #[case("192.168.1.1")]
    #[case("100.64.0.1")]
    #[case("93.184.216.34")]
    #[case("fd12::1")]
    #[case("2606:4700::1")]
    #[case("2002:0a00:1::")]
    fn is_permitted(#[case] ip: &str) {
        assert!(AddressPolicy::default().permits(at(ip), &[]));
    }

    #[test]
    fn what_is_allowed_is_permitted_but_for_what_is_denied_and_metadata_and_the_api_server() {
        let policy = AddressPolicy {
            allow: ["127.0.0.0/8", "169.254.0.0/16", "64:ff9b::/96", "64:ff9b:1::/48"]
                .map(|net| net.parse().unwrap())
                .into(),
            deny: ["127.9.0.0/16", "10.0.0.0/8"].map(|net| net.parse().unwrap()).into(),
        };
        let server = ["127.0.0.1:6443".parse().unwrap()];
        let permits = |address: SocketAddr| policy.permits(address, &server);
        assert!(permits(at("127.0.0.1")));
        assert!(permits(at("64:ff9b::127.0.0.1")));
        assert!(permits(at("169.254.1.1")));
        // Mapped, it is written as another address than the one allowed, which is not refused either.
        assert!(permits(at("::ffff:127.0.0.1")));
        assert!(!permits(at("64:ff9b::224.0.0.1")));
        assert!(permits(at("64:ff9b:1::93.184.216.34")));
        for metadata in
            ["a9fe:00a9:fe00::", "00a9:00fe:a9fe:0000::", "0000:00a9:fea9:fe00::", "0000:0000:0000:a9fe:a9fe"]
        {
            assert!(!permits(at(&format!("64:ff9b:1:{metadata}"))), "{metadata}");
        }
        assert!(!permits(at("127.9.0.1")));
        assert!(!permits(at("::ffff:127.9.0.1")));
        assert!(!permits(at("10.1.1.1")));
        assert!(!permits(at("169.254.169.254")));
        assert!(!permits("127.0.0.1:6443".parse().unwrap()));
        assert!(!permits("[::ffff:127.0.0.1]:6443".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_the_same_inside_an_ipv6_one(
            bits in prop_oneof![any::<u32>(), 0x7f00_0000u32..0x8000_0000, 0xa9fe_0000u32..0xaa00_0000, 0u32..512],
            tail in any::<u64>(),
            port in any::<u16>(),
            server in any::<bool>(),
        ) {
            let v4 = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = v4.octets();
            let six_to_four = 0x2002 << 112 | u128::from(bits) << 80 | u128::from(tail);
            let forms = [
                v4.to_ipv6_mapped(),
                Ipv6Addr::from_bits(u128::from(bits)),
                format!("64:ff9b::{a}.{b}.{c}.{d}").parse().unwrap(),
                Ipv6Addr::from_bits(six_to_four),
            ];
            let policy = AddressPolicy { allow: Vec::new(), deny: vec!["100.64.0.0/10".parse().unwrap()] };
            let api_server = [SocketAddr::new(v4.into(), port)];
            let api_server = if server { &api_server[..] } else { &[] };
            let judged = policy.permits(SocketAddr::new(v4.into(), port), api_server);
            prop_assert!(!(server && judged));
            for form in forms {
                prop_assert_eq!(policy.permits(SocketAddr::new(form.into(), port), api_server), judged, "{}", form);
            }
        }
    }
}
