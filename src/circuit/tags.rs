//! What an operator wants to know of a circuit and no decision asks for: whose it is, how much it matters.

use std::{collections::BTreeMap, fmt};

use crate::{circuit::Circuit, sync::Arc};

/// Names and values that a circuit bears. Clones share them. See [`Builder::tag`](super::Builder::tag).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tags(Option<Arc<BTreeMap<String, String>>>);

impl Tags {
    /// Returns the value of a tag.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.as_ref()?.get(name).map(String::as_str)
    }

    /// Returns names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|tags| tags.iter()).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Reports whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Sets one; others that share the tags keep theirs.
    pub(crate) fn set(&mut self, name: String, value: String) {
        Arc::make_mut(self.0.get_or_insert_default()).insert(name, value);
    }
}

impl Circuit {
    /// Returns its tags, see [`Builder::tag`](super::Builder::tag).
    #[must_use]
    pub fn tags(&self) -> Tags {
        self.0.shared.tags()
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// `team=payments, tier=1`.
impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            let gap = if i == 0 { "" } else { ", " };
            write!(f, "{gap}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_sorted_replaced_and_each_ones_own() {
        let mut tags = Tags::default();
        assert!(tags.is_empty() && tags.get("team").is_none() && tags.to_string().is_empty());
        tags.set("tier".to_owned(), "1".to_owned());
        let before = tags.clone();
        tags.set("team".to_owned(), "search".to_owned());
        tags.set("team".to_owned(), "payments".to_owned());
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("team", "payments"), ("tier", "1")]);
        assert_eq!((tags.to_string().as_str(), tags.get("team")), ("team=payments, tier=1", Some("payments")));
        assert_eq!(format!("{tags:?}"), r#"{"team": "payments", "tier": "1"}"#);
        assert_eq!(before.to_string(), "tier=1");
        assert!(!tags.is_empty());
    }
}
