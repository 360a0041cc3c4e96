//! Texts that many objects have in common, kept once.
//!
//! Of ten thousand objects most have the same reasons and messages, and each object's name stands in many tables. A
//! `String` of a few bytes takes 56 bytes of memory each time.

use std::{
    collections::HashSet,
    fmt,
    ops::Deref,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text that is cheap to clone. What is [shared](Self::shared), as everything that is read from the API server, stands in
/// memory once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// This text, the same one in memory for all who ask for it.
    #[must_use]
    pub fn shared(text: &str) -> Self {
        static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
        // Each step leaves it whole, so a panic of another thread does no harm.
        Self(KNOWN.lock().unwrap_or_else(PoisonError::into_inner).shared(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// All texts that somebody has, and some that nobody has any more.
#[derive(Default)]
struct Known {
    texts: HashSet<Arc<str>>,
    /// When there are so many, those that nobody has are forgotten.
    most: usize,
}

/// Fewer are not looked through for those that nobody has.
const FEW: usize = 1024;

impl Known {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        if self.texts.len() >= self.most.max(FEW) {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            // Looking through all costs each new one a step or two.
            self.most = self.texts.len() * 2;
        }
        let new: Arc<str> = text.into();
        self.texts.insert(new.clone());
        new
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::shared("")
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Text;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::shared(text))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_stands_in_memory_once() {
        let read = || serde_json::from_str::<[Text; 2]>(r#"["Ready","True"]"#).unwrap();
        let ([ready, status], [again, _]) = (read(), read());
        assert!(Arc::ptr_eq(&ready.0, &again.0));
        assert_eq!((&ready, &*status), (&Text::from("Ready"), "True"));
        assert_eq!(serde_json::to_string(&ready).unwrap(), r#""Ready""#);
    }

    #[test]
    fn texts_that_nobody_has_are_forgotten_in_the_end_and_others_are_not() {
        let mut known = Known::default();
        let kept = known.shared("kept");
        for number in 0..FEW * 10 {
            known.shared(&number.to_string());
            assert!(known.texts.len() <= FEW, "{} texts", known.texts.len());
        }
        assert!(Arc::ptr_eq(&kept, &known.shared("kept")));
        // As long as somebody has them all, however many there are.
        let all: Vec<Arc<str>> = (0..FEW * 10).map(|number| known.shared(&number.to_string())).collect();
        for (number, text) in all.iter().enumerate() {
            assert!(Arc::ptr_eq(text, &known.shared(&number.to_string())));
        }
    }
}
