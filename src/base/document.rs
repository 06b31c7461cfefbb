//! Holds generated documents to what they are generated from. For tests only.

/// Fails when `path`, from the top of the checkout, is not `expected`. With `DOVETAIL_TEST_WRITE_DOCS` set it writes
/// the file instead.
///
/// # Panics
/// With the command that brings the document up to date.
pub fn assert_current(path: &str, expected: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("DOVETAIL_TEST_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a document is in a folder")).expect("docs can be made");
        std::fs::write(&file, expected).expect("the document can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == expected,
        "{path} is not what the program would print; run DOVETAIL_TEST_WRITE_DOCS=1 cargo test docs_"
    );
}
