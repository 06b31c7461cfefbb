//! Texts with wildcards: `*` stands for any text, `?` for one character.
//!
//! What lies between stars is looked for from the left, each where it first fits: a later place would leave less for what follows. So
//! nothing is tried twice but where a `?` follows a text, and there no more often than the text and what lies between two stars are long.
//! Whoever has other rules, such as variables or no regard to case, brings them into the pieces.

/// One piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Itself.
    Text(&'t str),
    /// `*`
    Any,
    /// `?`
    One,
    /// Fits no text at all.
    Never,
}

/// Whether a text fits a pattern in which nothing but the wildcards is special.
pub fn matches(pattern: &str, text: &str) -> bool {
    fits(&parse(pattern), |piece| *piece, text)
}

/// Whether the whole text fits pieces, which `view` shows.
pub fn fits<P>(pieces: &[P], view: fn(&P) -> Piece<'_>, text: &str) -> bool {
    let mut between = pieces.split(|piece| view(piece) == Piece::Any);
    let first = between.next().unwrap_or_default();
    let Some(mut rest) = after(first, view, text) else { return false };
    let Some(last) = between.next_back() else { return rest.is_empty() };
    for pieces in between {
        match find(pieces, view, rest) {
            Some(left) => rest = left,
            None => return false,
        }
    }
    ends(last, view, rest)
}

fn parse(pattern: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['*', '?']) {
        if at > 0 {
            pieces.push(Piece::Text(&rest[..at]));
        }
        pieces.push(if rest[at..].starts_with('*') { Piece::Any } else { Piece::One });
        rest = &rest[at + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// What is left of a text that begins with these pieces, none of which is a star.
fn after<'t, P>(pieces: &[P], view: fn(&P) -> Piece<'_>, text: &'t str) -> Option<&'t str> {
    pieces.iter().try_fold(text, |rest, piece| match view(piece) {
        Piece::Text(text) => rest.strip_prefix(text),
        Piece::One => after_one(rest),
        Piece::Any | Piece::Never => None,
    })
}

/// What is left behind the first place in a text where these pieces fit, none of which is a star.
fn find<'t, P>(pieces: &[P], view: fn(&P) -> Piece<'_>, text: &'t str) -> Option<&'t str> {
    // Those at the front may be any characters: what matters is what comes behind them.
    let ones = pieces.iter().take_while(|piece| view(piece) == Piece::One).count();
    let mut rest = after(&pieces[..ones], view, text)?;
    let Some((first, more)) = pieces[ones..].split_first() else { return Some(rest) };
    let Piece::Text(wanted) = view(first) else { return None };
    loop {
        rest = &rest[rest.find(wanted)?..];
        if let Some(left) = after(more, view, &rest[wanted.len()..]) {
            return Some(left);
        }
        rest = after_one(rest)?;
    }
}

/// Whether a text ends with these pieces, none of which is a star.
fn ends<P>(pieces: &[P], view: fn(&P) -> Piece<'_>, text: &str) -> bool {
    let before = pieces.iter().rev().try_fold(text, |rest, piece| match view(piece) {
        Piece::Text(text) => rest.strip_suffix(text),
        Piece::One => rest.char_indices().next_back().map(|(at, _)| &rest[..at]),
        Piece::Any | Piece::Never => None,
    });
    before.is_some()
}

fn after_one(text: &str) -> Option<&str> {
    text.chars().next().map(|first| &text[first.len_utf8()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is meant: how much of the text each beginning of the pattern may stand for.
    fn meant(pattern: &[char], text: &[char]) -> bool {
        let mut ends = vec![false; text.len() + 1];
        ends[0] = true;
        for c in pattern {
            let taken = |at: usize| match c {
                '*' => ends[..=at].contains(&true),
                '?' => at > 0 && ends[at - 1],
                c => at > 0 && ends[at - 1] && text[at - 1] == *c,
            };
            ends = (0..=text.len()).map(taken).collect();
        }
        ends[text.len()]
    }

    /// Every text of up to `len` of these characters.
    fn texts(alphabet: &[char], len: usize) -> Vec<Vec<char>> {
        let mut found = vec![Vec::new()];
        let mut from = 0;
        for _ in 0..len {
            let end = found.len();
            for at in from..end {
                for c in alphabet {
                    let longer = [&found[at][..], &[*c]].concat();
                    found.push(longer);
                }
            }
            from = end;
        }
        found
    }

    #[test]
    fn every_short_pattern_fits_what_it_means() {
        let names = texts(&['a', '\u{1F98B}'], 6);
        for pattern in texts(&['a', '\u{1F98B}', '*', '?'], 5) {
            let written: String = pattern.iter().collect();
            for name in &names {
                let text: String = name.iter().collect();
                assert_eq!(matches(&written, &text), meant(&pattern, name), "{written} on {text}");
            }
        }
    }

    #[test]
    fn long_patterns_fit_what_they_mean() {
        let mut state = u64::from_le_bytes(crate::base::random::bytes()) | 1;
        println!("seed {state}");
        let mut below = |bound: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize % bound
        };
        for _ in 0..20_000 {
            let name: Vec<char> = (0..below(24)).map(|_| ['a', 'b', '/'][below(3)]).collect();
            // A pattern of the text itself fits more often than any other.
            let mut pattern = Vec::new();
            for c in &name {
                match below(8) {
                    0 => pattern.push('*'),
                    1 => pattern.push('?'),
                    2 => {}
                    3 => pattern.extend(['*', *c]),
                    _ => pattern.push(*c),
                }
            }
            let (written, text): (String, String) = (pattern.iter().collect(), name.iter().collect());
            assert_eq!(matches(&written, &text), meant(&pattern, &name), "{written} on {text}");
        }
    }

    #[test]
    fn hard_patterns_are_over_in_no_time() {
        let text = "a".repeat(100_000);
        assert!(!matches(&("a*".repeat(500) + "b"), &text));
        assert!(matches(&("*a".repeat(500) + "*"), &text));
        assert!(!matches(&("*".repeat(10_000) + "b"), &text));
        assert!(!matches("*a?b*", &text));
    }

    #[test]
    fn what_never_fits_fits_nowhere() {
        for pieces in [
            &[Piece::Never][..],
            &[Piece::Any, Piece::Never],
            &[Piece::Never, Piece::Any],
            &[Piece::Any, Piece::Never, Piece::Any],
            &[Piece::Any, Piece::Text("a"), Piece::Never, Piece::Any],
        ] {
            for text in ["", "a", "aa"] {
                assert!(!fits(pieces, |piece| *piece, text), "{pieces:?} {text}");
            }
        }
    }
}
