//! Entity tags. Inside Dovetail a tag is bare (`0cc175b9c0f1b6a831c399e269772661-3`); on the wire it wears quotes.

/// `"tag"`, as headers carry it.
pub fn quote(tag: &str) -> String {
    ["\"", tag, "\""].concat()
}

/// The bare tag of a quoted, weak or bare one.
pub fn unquote(text: &str) -> &str {
    let text = text.trim_ascii();
    let text = text.strip_prefix("W/").or_else(|| text.strip_prefix("w/")).unwrap_or(text);
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagList {
    /// `*`: any object at all.
    Any,
    /// Bare tags, in the order sent.
    Tags(Vec<String>),
}

impl TagList {
    /// Reads one or several tags, quoted, weak or bare. Never fails: a list of nothing matches nothing.
    pub fn parse(header: &str) -> TagList {
        if matches!(header.trim_ascii(), "*" | "\"*\"") {
            return TagList::Any;
        }
        let mut in_quotes = false;
        let items = header.split(|character| {
            in_quotes ^= character == '"';
            character == ',' && !in_quotes
        });
        TagList::Tags(items.map(unquote).filter(|tag| !tag.is_empty()).map(str::to_owned).collect())
    }

    /// Whether an object with this bare tag is meant.
    pub fn matches(&self, tag: &str) -> bool {
        match self {
            TagList::Any => true,
            TagList::Tags(tags) => tags.iter().any(|listed| listed == tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_quotes_and_weakness() {
        for text in ["abc-2", "\"abc-2\"", "W/\"abc-2\"", " \"abc-2\" ", "w/abc-2"] {
            assert_eq!(unquote(text), "abc-2", "{text}");
        }
        assert_eq!(unquote("\""), "\"");
        assert_eq!(unquote("\"a"), "\"a");
        assert_eq!(quote("abc"), "\"abc\"");
    }

    #[test]
    fn reads_lists() {
        assert_eq!(TagList::parse(" * "), TagList::Any);
        let list = TagList::parse("\"a\", W/\"b\" ,c,, \"d,e\"");
        assert_eq!(list, TagList::Tags(["a", "b", "c", "d,e"].map(str::to_owned).to_vec()));
        assert!(list.matches("b") && !list.matches("x") && TagList::Any.matches("x"));
        assert!(!TagList::parse("").matches(""));
    }
}
