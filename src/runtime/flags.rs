//! Flags of `run`, each with a twin in the environment.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};
use ipnet::IpNet;

/// Flags of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunFlags {
    /// Watch this namespace only; may be given several times. Default: all namespaces
    #[arg(long, env = "IDP_OPERATOR_WATCH_NAMESPACE", value_name = "NAMESPACE", value_delimiter = ',', value_parser = namespace)]
    pub watch_namespace: Vec<String>,

    /// Run the controllers only while holding the lease `idp-operator`, so that several replicas can stand by
    #[arg(long, env = "IDP_OPERATOR_LEADER_ELECT")]
    pub leader_elect: bool,

    /// Namespace of the lease. Default: the one that the operator runs in
    #[arg(long, env = "IDP_OPERATOR_LEADER_ELECTION_NAMESPACE", value_name = "NAMESPACE", value_parser = namespace)]
    pub leader_election_namespace: Option<String>,

    /// Reconciles of one kind at the same time
    #[arg(long, env = "IDP_OPERATOR_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// Where /livez, /readyz and /metrics are served
    #[arg(long, env = "IDP_OPERATOR_ADMIN_ADDRESS", default_value = "127.0.0.1:8080", value_name = "IP:PORT")]
    pub admin_address: SocketAddr,

    /// How log lines are written
    #[arg(long, env = "IDP_OPERATOR_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Least level of log lines, or a filter such as `info,idp_operator=debug`
    #[arg(long, env = "IDP_OPERATOR_LOG_LEVEL", default_value = "info", value_name = "LEVEL")]
    pub log_level: String,

    /// Let key fetches call these addresses, although refused by default (loopback, link-local, ..); may be given
    /// several times. Metadata services and the API server stay refused
    #[arg(long, env = "IDP_OPERATOR_ALLOW_CIDR", value_name = "CIDR", value_delimiter = ',', value_parser = cidr)]
    pub allow_cidr: Vec<IpNet>,

    /// Never let key fetches call these addresses; may be given several times, and beats --allow-cidr
    #[arg(long, env = "IDP_OPERATOR_DENY_CIDR", value_name = "CIDR", value_delimiter = ',', value_parser = cidr)]
    pub deny_cidr: Vec<IpNet>,

    /// Which tenants a namespace may hold: any (`off`, for clusters of one trust), or only those that its annotation
    /// `idp-operator.dev/tenants` lists
    #[arg(long, env = "IDP_OPERATOR_TENANT_CLAIMS", default_value = "off")]
    pub tenant_claims: TenantClaims,

    /// YAML file with strategy types that are added to the built-in ones, or replace them; read again when it changes
    #[arg(long, env = "IDP_OPERATOR_STRATEGY_CATALOG", value_name = "FILE")]
    pub strategy_catalog: Option<PathBuf>,
}

/// Which tenants a namespace may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TenantClaims {
    /// Any.
    Off,
    /// Those that its annotation lists.
    Required,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// RFC 1123: what the API server takes for a namespace's name.
fn namespace(text: &str) -> Result<String, String> {
    let is_label = !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if is_label {
        Ok(text.to_owned())
    } else {
        Err("must be a namespace's name: lower-case letters, digits and '-', at most 63".to_owned())
    }
}

/// A network, or a single address.
fn cidr(text: &str) -> Result<IpNet, String> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    net.map_err(|_| "must be a network such as 10.0.0.0/8 or fd00::/8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_and_networks_are_checked() {
        assert_eq!(namespace("team-a"), Ok("team-a".to_owned()));
        for wrong in ["", "-a", "a-", "A", "a.b", &"a".repeat(64)] {
            assert!(namespace(wrong).is_err(), "{wrong}");
        }
        assert_eq!(cidr("127.0.0.1").unwrap().to_string(), "127.0.0.1/32");
        assert_eq!(cidr("fd00::/8").unwrap().to_string(), "fd00::/8");
        assert!(cidr("localhost").is_err());
    }
}
