//! `--include` and `--exclude`: which files of a folder are meant.

use clap::Args;

use crate::base::wildcard;

/// Names are those below the folder, with `/` between their parts, on this side and on the server.
#[derive(Args, Clone, Debug, Default)]
pub struct Filter {
    /// With -r, only what is named like this below the folder, such as '*.jpg'; `*` stands for anything, `/` too
    #[arg(long, value_name = "PATTERN", requires = "recursive")]
    include: Vec<String>,
    /// With -r, nothing that is named like this below the folder
    #[arg(long, value_name = "PATTERN", requires = "recursive")]
    exclude: Vec<String>,
}

impl Filter {
    pub fn takes(&self, name: &str) -> bool {
        let is_like = |pattern: &String| wildcard::matches(pattern, name);
        (self.include.is_empty() || self.include.iter().any(is_like)) && !self.exclude.iter().any(is_like)
    }
}

#[cfg(test)]
pub fn excluding(pattern: &str) -> Filter {
    Filter { include: Vec::new(), exclude: vec![pattern.to_owned()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_what_they_should() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b", true),
            ("*.jpg", "a/b.jpg", true),
            ("*.jpg", "a.jpg.bak", false),
            ("cache/*", "cache/a/b", true),
            ("cache/*", "x/cache/a", false),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbxc", false),
            ("?", "ü", true),
            ("?", "ab", false),
            ("a?c", "a/c", true),
            ("***", "abc", true),
            ("[a]", "[a]", true),
        ] {
            assert_eq!(!excluding(pattern).takes(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_excluded_is_not_taken_even_if_it_is_included() {
        let filter = Filter { include: vec!["*.rs".into(), "*.md".into()], exclude: vec!["target/*".into()] };
        for (name, expected) in [("a.rs", true), ("d/b.md", true), ("c.o", false), ("target/a.rs", false)] {
            assert_eq!(filter.takes(name), expected, "{name}");
        }
        assert!(Filter::default().takes("anything"));
    }
}
