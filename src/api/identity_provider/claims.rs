//! Claims of any shape, of which only so many are kept as a token can hold.

use std::{cell::Cell, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// Most bytes of compact JSON that a token of 8 KiB can hold as claims: base64url makes four of three.
pub const MAX_CLAIMS: usize = 6 * 1024;

/// The claims of an example. The schema can't bound them, and in memory a number takes sixteen times its text: of what is
/// more than a token can hold nothing is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claims {
    /// As they are.
    Kept(Map<String, Value>),
    /// More than [`MAX_CLAIMS`].
    TooLarge,
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Kept(claims) => claims.serialize(serializer),
            Self::TooLarge => Map::new().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let left = Cell::new(Some(MAX_CLAIMS));
        let value = Bounded(&left).deserialize(deserializer)?;
        match (left.get(), value) {
            (None, _) => Ok(Self::TooLarge),
            (Some(_), Value::Object(claims)) => Ok(Self::Kept(claims)),
            _ => Err(D::Error::custom("claims must be an object")),
        }
    }
}

/// Reads a value while its bytes are left; after that everything is passed over.
#[derive(Clone, Copy)]
struct Bounded<'a>(&'a Cell<Option<usize>>);

impl Bounded<'_> {
    /// Takes so many bytes; whether there were any left.
    fn take(self, bytes: usize) -> bool {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(bytes)));
        self.0.get().is_some()
    }

    fn keep(self, bytes: usize, value: impl FnOnce() -> Value) -> Value {
        if self.take(bytes) { value() } else { Value::Null }
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(self.keep(1, || Value::Null))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(self.keep(1, || Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(self.keep(1, || Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(self.keep(1, || Value::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(self.keep(1, || Value::Number(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(self.keep(1, || Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(self.keep(value.len().saturating_add(2), || Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while self.take(1) {
            match elements.next_element_seed(self)? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while self.take(1) {
            let Some(name) = entries.next_key::<String>()? else { return Ok(Value::Object(members)) };
            self.take(name.len().saturating_add(2));
            let value = entries.next_value_seed(self)?;
            members.insert(name, value);
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Claims {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn claims_of_a_usual_token_are_kept_as_they_are() {
        let claims = json!({
            "iss": "https://login.example.com", "aud": ["a", "b"], "exp": 1_767_229_200, "iat": 1.5, "neg": -1,
            "nested": { "list": [{}, [], null, true, 18_446_744_073_709_551_615_u64] },
        });
        assert_eq!(read(&claims), Claims::Kept(claims.as_object().unwrap().clone()));
        assert_eq!(serde_json::from_str::<Claims>(&claims.to_string()).unwrap(), read(&claims));
        assert_eq!(serde_json::to_value(read(&claims)).unwrap(), claims);
    }

    #[rstest]
    #[case::numbers(json!({ "a": vec![0; 100_000] }))]
    #[case::text(json!({ "a": "x".repeat(MAX_CLAIMS) }))]
    #[case::a_name(json!({ "x".repeat(MAX_CLAIMS): 1 }))]
    #[case::names((0..3000).map(|name| (name.to_string(), json!(0))).collect::<Map<_, _>>().into())]
    #[case::lists(json!({ "a": vec![json!([]); 10_000], "b": 1 }))]
    #[case::objects(json!({ "a": vec![json!({ "b": {} }); 10_000], "b": 1 }))]
    fn what_no_token_can_hold_is_not_kept(#[case] claims: Value) {
        assert_eq!(read(&claims), Claims::TooLarge);
        // What comes after it is read as ever.
        let text = format!(r#"[{claims},{{"a":1}}]"#);
        let both: Vec<Claims> = serde_json::from_str(&text).unwrap();
        assert_eq!(both[1], read(&json!({ "a": 1 })));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(serde_json::from_str::<Claims>("[]").is_err());
        assert!(serde_json::from_str::<Claims>("1").is_err());
    }

    proptest! {
        /// Whatever fits into a token is kept: compact JSON is never shorter than what is counted.
        #[test]
        fn what_a_token_can_hold_is_kept(names in prop::collection::btree_map("[a-z]{0,9}", "[a-z]{0,40}", 0..200)) {
            let claims = json!(names);
            let is_kept = read(&claims) != Claims::TooLarge;
            prop_assert!(is_kept || claims.to_string().len() > MAX_CLAIMS);
            prop_assert!(!is_kept || claims.to_string().len() <= MAX_CLAIMS + 2 * names.len() + 2);
        }
    }
}
