//! YAML as a catalogue may use it: one document of mappings, lists and scalars.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{
    Error, budget,
    budget::BudgetBreach,
    from_str_with_options, options,
    options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy, Options},
};

use super::CatalogueError;

/// Mappings and lists within each other: a catalogue has 5.
const MAX_DEPTH: usize = 8;

/// Keys and values: no catalogue within its own bounds has more.
const MAX_NODES: usize = 100_000;

/// A value. Of what no catalogue has a use for only that it is there is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Nothing: an empty document, or a key without a value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order in which it is written; no key stands twice.
    Mapping(Vec<(String, Node)>),
    /// A number, or binary data.
    Other,
}

/// Reads a document.
///
/// # Errors
/// When it is none, or uses what parsers differ about or what makes a small file large: keys that stand twice, anchors,
/// tags but YAML's own, merge keys, a second document.
pub fn read(text: &str) -> Result<Node, CatalogueError> {
    from_str_with_options(text, strict()).map_err(|error| told(&error))
}

fn strict() -> Options {
    options! {
        budget: budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        // YAML 1.1 had `yes` and `off`, too.
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        // The file could be another one than was meant, and hold anything.
        with_snippet: false,
    }
}

/// In our own words where these are plainer.
fn told(error: &Error) -> CatalogueError {
    let what = match error {
        Error::Eof { .. } => return CatalogueError::Empty,
        Error::MultipleDocuments { .. } => "a second document must be left out".to_owned(),
        Error::DuplicateMappingKey { .. } => "a key must not stand twice".to_owned(),
        Error::MergeKeyNotAllowed { .. } => "merge keys ('<<') must be written out".to_owned(),
        Error::UnsupportedTag { .. } => "tags but YAML's own must be left out".to_owned(),
        Error::UnknownAnchor { .. }
        | Error::Budget { breach: BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. }, .. } => {
            "anchors and aliases must be written out".to_owned()
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            format!("mappings and lists must be nested at most {MAX_DEPTH} deep")
        }
        Error::Budget { .. } => format!("there must be at most {MAX_NODES} keys and values"),
        Error::ExternalMessage { msg, .. } => format!("it must be YAML: {}", msg.replace(char::is_control, " ")),
        _ => "it must be YAML of mappings, lists and texts".to_owned(),
    };
    let place = error.location().map(|place| (place.line(), place.column()));
    CatalogueError::Yaml { place, what }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a mapping, a list or a text")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element()? {
            values.push(value);
        }
        Ok(Node::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut members: Vec<(String, Node)> = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            members.push(entry);
        }
        Ok(Node::Mapping(members))
    }
}
