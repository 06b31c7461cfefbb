//! The rules of the house, checked: layers, leftovers.

use std::fs;
use std::path::{Path, PathBuf};

/// What each layer may use of the others. A new arrow is a change of design: ARCHITECTURE.md changes with it.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("telemetry", &["base"]),
    ("wire", &["base", "telemetry"]),
    ("meta", &["base", "telemetry", "blob"]),
    ("blob", &["base", "telemetry"]),
    ("engine", &["base", "telemetry", "meta", "blob"]),
    ("s3", &["base", "telemetry", "wire", "engine", "meta", "blob"]),
    ("http", &["base", "telemetry", "s3"]),
    ("client", &["base", "telemetry", "wire"]),
    ("cli", &["base", "telemetry", "wire", "engine", "meta", "blob", "s3", "http", "client"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Lines of code with their numbers, without comments.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a source file is text");
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.to_string()));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

#[test]
fn no_layer_knows_one_above_it() {
    let mut faults = Vec::new();
    for (layer, below) in LAYERS {
        for path in sources(&root().join("src").join(layer)) {
            for (number, line) in code(&path) {
                for piece in line.split("crate::").skip(1) {
                    let used: String =
                        piece.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let is_layer = LAYERS.iter().any(|(name, _)| *name == used);
                    if is_layer && used != *layer && !below.contains(&used.as_str()) {
                        faults.push(format!("{}:{number}: {layer} must not know {used}", path.display()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_folder_of_the_source_is_a_layer() {
    let mut folders: Vec<String> = fs::read_dir(root().join("src"))
        .expect("src is there")
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let mut layers: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    layers.sort();
    assert_eq!(folders, layers);
}

#[test]
fn nothing_is_left_over() {
    let mut faults = Vec::new();
    let mut all = sources(&root().join("src"));
    all.extend(sources(&root().join("crates")));
    for path in all {
        for (number, line) in code(&path) {
            for word in ["todo!(", "unimplemented!(", "dbg!("] {
                if line.contains(word) {
                    faults.push(format!("{}:{number}: {word}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_fail_point_is_reached_somewhere_and_every_one_is_listed() {
    let mut used = Vec::new();
    for path in sources(&root().join("src")) {
        if path.ends_with("base/fail_point.rs") {
            continue;
        }
        let text: String = code(&path).into_iter().map(|(_, line)| line + "\n").collect();
        for piece in text.split("fail_point::reach(\"").skip(1) {
            used.push(piece.split('"').next().expect("split gives one piece").to_string());
        }
    }
    used.sort();
    used.dedup();
    let mut listed: Vec<String> =
        dovetail::base::fail_point::ALL.iter().map(|point| point.to_string()).collect();
    listed.sort();
    assert_eq!(used, listed);
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut faults = Vec::new();
    for path in sources(&root().join("src")) {
        let text = fs::read_to_string(&path).expect("a source file is text");
        if !path.ends_with("tests.rs") && !text.starts_with("//!") {
            faults.push(path.display().to_string());
        }
    }
    assert!(faults.is_empty(), "without a first `//!` line:\n{}", faults.join("\n"));
}
