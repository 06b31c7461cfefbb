//! Texts with wildcards and variables: `arn:aws:s3:::bucket/home/${aws:username}/*`.

use crate::base::wildcard;

use super::keys::{KeyIndex, KeyNames, Known};
use std::borrow::Cow;

/// A text in which `*` stands for any text and `?` for one character; a variable stands for its value, in which no
/// character is special. A variable that has no value and no default makes the pattern fit nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<[Piece]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Any,
    One,
    Variable { key: KeyIndex, default: Option<Box<str>> },
}

/// What is special in a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syntax {
    pub wildcards: bool,
    /// Policies of the version 2008-10-17 have none.
    pub variables: bool,
}

/// A variable that is no variable: `${aws:username`.
#[derive(Debug, PartialEq, Eq)]
pub struct BadVariable;

impl Pattern {
    /// Reads a pattern. The keys of its variables are added to `keys`.
    pub fn parse(text: &str, syntax: Syntax, keys: &mut KeyNames) -> Result<Pattern, BadVariable> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let special = match first {
                '*' if syntax.wildcards => Some((Piece::Any, 1)),
                '?' if syntax.wildcards => Some((Piece::One, 1)),
                '$' if syntax.variables && rest.starts_with("${") => {
                    let end = rest.find('}').ok_or(BadVariable)?;
                    Some((variable(&rest[2..end], keys)?, end + 1))
                }
                _ => None,
            };
            match special {
                None => {
                    plain.push(first);
                    rest = &rest[first.len_utf8()..];
                }
                // `${*}`, `${?}` and `${$}` are these characters themselves.
                Some((Piece::Text(text), len)) => {
                    plain.push_str(&text);
                    rest = &rest[len..];
                }
                Some((piece, len)) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
                    }
                    // Two stars in a row say no more than one.
                    if piece != Piece::Any || pieces.last() != Some(&Piece::Any) {
                        pieces.push(piece);
                    }
                    rest = &rest[len..];
                }
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into()));
        }
        Ok(Pattern(pieces.into()))
    }

    /// Whether the whole text fits.
    pub fn matches(&self, text: &str, known: &Known<'_>) -> bool {
        self.resolved(known).is_some_and(|pieces| fits(&pieces, text))
    }

    /// The text that the pattern stands for once its variables are known, if it has no wildcards.
    pub fn text<'p>(&'p self, known: &Known<'_>) -> Option<Cow<'p, str>> {
        match &*self.0 {
            [] => Some(Cow::Borrowed("")),
            [Piece::Text(text)] => Some(Cow::Borrowed(text)),
            _ => {
                let pieces = self.resolved(known)?;
                let texts: Option<Vec<&str>> = pieces.iter().map(Piece::as_text).collect();
                Some(Cow::Owned(texts?.concat()))
            }
        }
    }

    /// Whether the pattern stands for more than one text.
    pub fn is_open(&self) -> bool {
        self.0.iter().any(|piece| !matches!(piece, Piece::Text(_)))
    }

    /// Whether some text that begins with `prefix` fits, whatever the values of variables are.
    pub fn may_match_below(&self, prefix: &str) -> bool {
        let pieces = self.with_open_variables();
        // Where in the pieces one can stand when the prefix is used up; that is enough, as what is left of a pattern
        // always fits something.
        (0..=pieces.len()).any(|end| {
            fits(&pieces[..end], prefix)
                || pieces.get(end).and_then(Piece::as_text).is_some_and(|text| {
                    // The prefix may end inside a text.
                    (1..text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| {
                        prefix.strip_suffix(&text[..at]).is_some_and(|before| fits(&pieces[..end], before))
                    })
                })
        })
    }

    /// Whether exactly this text may fit, whatever the values of variables are.
    pub fn may_match(&self, text: &str) -> bool {
        fits(&self.with_open_variables(), text)
    }

    fn with_open_variables(&self) -> Vec<Piece> {
        let open = |piece: &Piece| match piece {
            Piece::Variable { .. } => Piece::Any,
            other => other.clone(),
        };
        self.0.iter().map(open).collect()
    }

    fn resolved(&self, known: &Known<'_>) -> Option<Cow<'_, [Piece]>> {
        if !self.0.iter().any(|piece| matches!(piece, Piece::Variable { .. })) {
            return Some(Cow::Borrowed(&self.0));
        }
        let resolve = |piece: &Piece| match piece {
            Piece::Variable { key, default } => match (known.values(*key), default) {
                (Some([value]), _) => Some(Piece::Text(value.as_str().into())),
                (_, default) => default.clone().map(Piece::Text),
            },
            other => Some(other.clone()),
        };
        self.0.iter().map(resolve).collect::<Option<Vec<Piece>>>().map(Cow::Owned)
    }
}

impl Piece {
    /// A variable fits nothing before its value is known.
    fn as_wildcard(&self) -> wildcard::Piece<'_> {
        match self {
            Piece::Text(text) => wildcard::Piece::Text(text),
            Piece::Any => wildcard::Piece::Any,
            Piece::One => wildcard::Piece::One,
            Piece::Variable { .. } => wildcard::Piece::Never,
        }
    }

    fn as_text(&self) -> Option<&str> {
        match self {
            Piece::Text(text) => Some(text),
            Piece::Any | Piece::One | Piece::Variable { .. } => None,
        }
    }
}

/// `aws:username`, `aws:username, 'nobody'`, or one of the characters that are special elsewhere.
fn variable(text: &str, keys: &mut KeyNames) -> Result<Piece, BadVariable> {
    if matches!(text, "*" | "?" | "$") {
        return Ok(Piece::Text(text.into()));
    }
    let (name, default) = match text.split_once(',') {
        None => (text, None),
        Some((name, default)) => {
            let default = default.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            (name, Some(default.ok_or(BadVariable)?.into()))
        }
    };
    let name = name.trim();
    if name.is_empty() || !name.contains(':') || name.contains(['$', '{']) {
        return Err(BadVariable);
    }
    Ok(Piece::Variable { key: keys.index(name), default })
}

/// Whether the whole text fits pieces without variables.
fn fits(pieces: &[Piece], text: &str) -> bool {
    wildcard::fits(pieces, Piece::as_wildcard, text)
}

#[cfg(test)]
mod tests {
    use super::super::keys::Facts;
    use super::*;

    const ALL: Syntax = Syntax { wildcards: true, variables: true };

    struct Alice;

    impl Facts for Alice {
        fn values(&self, key: &str) -> Option<Vec<String>> {
            match key {
                "aws:username" => Some(vec!["al*ce".into()]),
                "aws:two" => Some(vec!["a".into(), "b".into()]),
                _ => None,
            }
        }
    }

    fn matches(pattern: &str, text: &str) -> bool {
        let mut keys = KeyNames::default();
        let pattern = Pattern::parse(pattern, ALL, &mut keys).unwrap();
        pattern.matches(text, &Known::new(&keys, &Alice))
    }

    #[test]
    fn wildcards_and_variables() {
        let table = [
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a", "A", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("*b*", "abc", true),
            ("*b", "abc", false),
            ("a?c", "abc", true),
            ("a?c", "aéc", true),
            ("a?c", "ac", false),
            ("a*bc*d", "abcbcxd", true),
            ("a*bc*d", "abcbcx", false),
            ("**a", "bba", true),
            ("*aab", "aaab", true),
            ("${aws:username}/*", "al*ce/x", true),
            ("${aws:username}/*", "alice/x", false),
            ("${AWS:UserName}", "al*ce", true),
            ("${aws:missing}*", "x", false),
            ("${aws:two}*", "a", false),
            ("${aws:missing, 'any*'}", "any*", true),
            ("${aws:missing, 'any*'}", "anything", false),
            ("a${*}b${?}${$}", "a*b?$", true),
            ("a${*}b", "axb", false),
            ("$a", "$a", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_is_special_depends() {
        let mut keys = KeyNames::default();
        let none = Syntax { wildcards: false, variables: false };
        let pattern = Pattern::parse("*${aws:username}", none, &mut keys).unwrap();
        let known = Known::new(&keys, &Alice);
        assert_eq!(pattern.text(&known).as_deref(), Some("*${aws:username}"));
        assert!(!pattern.is_open());
        for bad in ["${", "${aws:username", "${username}", "${}", "${aws:a, b}", "${a:${b}}"] {
            assert_eq!(Pattern::parse(bad, ALL, &mut KeyNames::default()), Err(BadVariable), "{bad}");
        }
    }

    #[test]
    fn whether_something_below_a_prefix_fits() {
        let table = [
            ("bucket/*", "bucket/", true),
            ("bucket/key", "bucket/", true),
            ("bucket", "bucket/", false),
            ("bucket*", "bucket/", true),
            ("*", "bucket/", true),
            ("*/*", "bucket/", true),
            ("buck??/a", "bucket/", true),
            ("other/*", "bucket/", false),
            ("buckets/*", "bucket/", false),
            ("${aws:username}/*", "bucket/", true),
        ];
        for (text, prefix, expected) in table {
            let pattern = Pattern::parse(text, ALL, &mut KeyNames::default()).unwrap();
            assert_eq!(pattern.may_match_below(prefix), expected, "{text}");
        }
    }
}
