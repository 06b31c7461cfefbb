#![no_main]

// What a pattern means is compared in src/base/wildcard.rs, in every test; here none may take long, or end anywhere but at a character.
libfuzzer_sys::fuzz_target!(|texts: (&str, &str)| {
    let (pattern, text) = texts;
    let fits = dovetail::base::wildcard::matches(pattern, text);
    assert!(fits || !pattern.chars().all(|c| c == '*') || pattern.is_empty());
    assert!(dovetail::base::wildcard::matches(text, text));
});
