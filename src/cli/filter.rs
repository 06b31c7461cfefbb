//! `--include` and `--exclude`: which files of a folder are meant.

use clap::Args;

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
        let is_like = |pattern: &String| matches(pattern, name);
        (self.include.is_empty() || self.include.iter().any(is_like)) && !self.exclude.iter().any(is_like)
    }
}

/// `*` is any text, `?` any character. Takes at most the product of both lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut next) = (0, 0);
    // Where the last `*` is, and how much of the name it stands for so far.
    let mut star: Option<(usize, usize)> = None;
    while next < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[next] => {
                at += 1;
                next += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    next = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
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
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        let hard = "a*".repeat(30) + "b";
        assert!(!matches(&hard, &"a".repeat(2000)), "and that in no time");
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
