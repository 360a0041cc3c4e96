//! The types that are known without a file.

use super::{Capabilities, ConfigKey, Format, StrategyType};

type Row = (&'static str, [bool; 3], &'static [&'static str], &'static [&'static str]);

/// Name; can log in and register, can sync, allows implicit sign-up; URLs in `config`; keys of the Secret.
const TABLE: [Row; 6] = [
    ("userpass", [true, false, false], &[], &[]),
    ("github", [true, true, true], &[], &["clientId", "clientSecret"]),
    ("jira", [true, true, true], &["root-url"], &["clientId", "clientSecret"]),
    ("github-token", [false, true, false], &[], &[]),
    ("jira-token-cloud", [false, true, false], &["root-url"], &[]),
    ("jira-token-datacenter", [false, true, false], &["root-url"], &[]),
];

/// Each with its name.
pub fn types() -> impl Iterator<Item = (&'static str, StrategyType)> {
    TABLE.iter().map(|(name, [can_login_register, can_sync, allows_implicit_signup], urls, secrets)| {
        let of = StrategyType {
            can: Capabilities {
                can_login_register: *can_login_register,
                can_sync: *can_sync,
                allows_implicit_signup: *allows_implicit_signup,
            },
            required_config: urls.iter().map(|key| ConfigKey { key: (*key).to_owned(), format: Format::Url }).collect(),
            required_secret_keys: secrets.iter().map(|key| (*key).to_owned()).collect(),
        };
        (*name, of)
    })
}
