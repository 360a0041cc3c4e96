//! The file of `--strategy-catalog`: types that are added to the built-in ones, or replace them.
//!
//! ```yaml
//! types:
//!   gitlab:
//!     canLoginRegister: true
//!     canSync: true
//!     allowsImplicitSignup: false
//!     requiredConfig: [{key: root-url, format: url}]    # format: text (default) or url
//!     requiredSecretKeys: [clientId, clientSecret]
//! ```

use std::collections::BTreeMap;

use super::{
    Capabilities, Catalogue, ConfigKey, Format, StrategyType,
    yaml::{self, Node},
};

/// Most bytes of a file: what a ConfigMap can hold.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Most types in a file.
const MAX_TYPES: usize = 256;

/// Most keys of one kind that a type can require: `spec.config` holds no more.
const MAX_KEYS: usize = 32;

const FIELDS: [&str; 5] =
    ["canLoginRegister", "canSync", "allowsImplicitSignup", "requiredConfig", "requiredSecretKeys"];

/// Why a file is refused, as a whole. Says nothing of its values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// It is too large.
    #[error("it must have at most {MAX_BYTES} bytes")]
    TooLarge,
    /// It is no text.
    #[error("it must be text in UTF-8")]
    NotText,
    /// There is nothing in it.
    #[error("it must not be empty: 'types: {{}}' adds nothing")]
    Empty,
    /// It is no YAML, or more than that.
    #[error("{}{what}", at(*.place))]
    Yaml {
        /// Line and column, from 1, if known.
        place: Option<(u64, u64)>,
        /// What it must be.
        what: String,
    },
    /// It is no catalogue.
    #[error("{place} must {must}")]
    Rule {
        /// Where, e.g. `types.gitlab.canSync`.
        place: String,
        /// What it must be.
        must: String,
    },
}

fn at(place: Option<(u64, u64)>) -> String {
    place.map(|(line, column)| format!("line {line}, column {column}: ")).unwrap_or_default()
}

/// The built-in types with those of a file.
///
/// # Errors
/// The first thing that is wrong with the file.
pub fn parse(bytes: &[u8]) -> Result<Catalogue, CatalogueError> {
    if bytes.len() > MAX_BYTES {
        return Err(CatalogueError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| CatalogueError::NotText)?;
    let root = match yaml::read(text)? {
        Node::Null => return Err(CatalogueError::Empty),
        Node::Mapping(root) => root,
        _ => return Err(rule("the document", "be a mapping with the key types")),
    };
    if let Some((other, _)) = root.iter().find(|(key, _)| key != "types") {
        return Err(rule(&named("", other), "be left out: the only key is types"));
    }
    let Some((_, Node::Mapping(types))) = root.into_iter().next() else {
        return Err(rule("types", "be a mapping from names of types to what they are; '{}' adds none"));
    };
    if types.len() > MAX_TYPES {
        return Err(rule("types", &format!("have at most {MAX_TYPES} entries")));
    }
    let types = types.into_iter().map(|(name, node)| strategy_type(&name, &node).map(|of| (name, of)));
    types.collect::<Result<_, _>>().map(Catalogue::with)
}

fn rule(place: &str, must: &str) -> CatalogueError {
    CatalogueError::Rule { place: place.to_owned(), must: must.to_owned() }
}

/// The place of a key within another place. A key that is none of a catalogue's is shown so that it stays on its line.
fn named(within: &str, key: &str) -> String {
    let mut shown: String = key.chars().take(64).flat_map(char::escape_debug).collect();
    if key.chars().nth(64).is_some() {
        shown.push_str("..");
    }
    if within.is_empty() { shown } else { format!("{within}.{shown}") }
}

fn strategy_type(name: &str, node: &Node) -> Result<StrategyType, CatalogueError> {
    let place = named("types", name);
    if !is_type_name(name) {
        return Err(rule(&place, "have a name of 1 to 63 lower-case letters and digits, with '-' inside"));
    }
    let Node::Mapping(fields) = node else {
        return Err(rule(&place, &format!("be a mapping with the keys {}", FIELDS.join(", "))));
    };
    if let Some((other, _)) = fields.iter().find(|(field, _)| !FIELDS.contains(&field.as_str())) {
        return Err(rule(&named(&place, other), &format!("be left out: a type has the keys {}", FIELDS.join(", "))));
    }
    let fields = Fields { place: &place, fields };
    let of = StrategyType {
        can: Capabilities {
            can_login_register: fields.capability("canLoginRegister")?,
            can_sync: fields.capability("canSync")?,
            allows_implicit_signup: fields.capability("allowsImplicitSignup")?,
        },
        required_config: fields.list("requiredConfig", config_key)?,
        required_secret_keys: fields.list("requiredSecretKeys", secret_key)?,
    };
    no_key_twice(&place, &of)?;
    Ok(of)
}

/// The rule on `spec.type`.
fn is_type_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The members of a mapping, and where it stands.
#[derive(Clone, Copy)]
struct Fields<'a> {
    place: &'a str,
    fields: &'a [(String, Node)],
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&Node> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, node)| node)
    }

    fn capability(&self, name: &str) -> Result<bool, CatalogueError> {
        match self.get(name) {
            Some(Node::Bool(can)) => Ok(*can),
            Some(_) => Err(rule(&named(self.place, name), "be true or false")),
            // Not the built-in one's: nobody should have to look up what that was.
            None => Err(rule(&named(self.place, name), "be set, to true or false")),
        }
    }

    fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&str, &Node) -> Result<T, CatalogueError>,
    ) -> Result<Vec<T>, CatalogueError> {
        let place = named(self.place, name);
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Node::List(items)) if items.len() > MAX_KEYS => {
                Err(rule(&place, &format!("have at most {MAX_KEYS} entries")))
            }
            Some(Node::List(items)) => {
                items.iter().enumerate().map(|(index, item)| read(&format!("{place}[{index}]"), item)).collect()
            }
            Some(_) => Err(rule(&place, "be a list, '[]' for none")),
        }
    }
}

fn config_key(place: &str, node: &Node) -> Result<ConfigKey, CatalogueError> {
    const FIELDS: [&str; 2] = ["key", "format"];
    let Node::Mapping(fields) = node else {
        return Err(rule(place, "be a mapping with key and, if it is to be a URL, format"));
    };
    if let Some((other, _)) = fields.iter().find(|(field, _)| !FIELDS.contains(&field.as_str())) {
        return Err(rule(&named(place, other), "be left out: an entry has key and format"));
    }
    let fields = Fields { place, fields };
    let format = match fields.get("format") {
        None => Format::Text,
        Some(Node::Text(format)) if format == "text" => Format::Text,
        Some(Node::Text(format)) if format == "url" => Format::Url,
        Some(_) => return Err(rule(&named(place, "format"), "be text or url")),
    };
    Ok(ConfigKey { key: key(&named(place, "key"), fields.get("key").unwrap_or(&Node::Null))?, format })
}

fn key(place: &str, node: &Node) -> Result<String, CatalogueError> {
    let is_key = |key: &str| {
        (1..=63).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    };
    match node {
        Node::Text(key) if is_key(key) => Ok(key.clone()),
        // It could look like one all the same.
        Node::Other | Node::Bool(_) => Err(rule(place, "be a text: put it in quotes")),
        _ => Err(rule(place, "be a text of 1 to 63 letters, digits, '-', '_' and '.'")),
    }
}

/// A key that a Secret can have.
fn secret_key(place: &str, node: &Node) -> Result<String, CatalogueError> {
    let key = key(place, node)?;
    if key == "." || key.starts_with("..") {
        return Err(rule(place, "be a key that a Secret can have: neither '.' nor one that starts with '..'"));
    }
    Ok(key)
}

/// A key is either a secret or none.
fn no_key_twice(place: &str, of: &StrategyType) -> Result<(), CatalogueError> {
    let config = of.required_config.iter().map(|required| required.key.as_str());
    let keys = config.enumerate().map(|(index, key)| (key, format!("requiredConfig[{index}].key")));
    let secrets = of.required_secret_keys.iter().enumerate();
    let keys = keys.chain(secrets.map(|(index, key)| (key.as_str(), format!("requiredSecretKeys[{index}]"))));
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (key, here) in keys {
        if let Some(before) = seen.insert(key, here.clone()) {
            return Err(rule(&format!("{place}.{here}"), &format!("differ from {before}")));
        }
    }
    Ok(())
}
