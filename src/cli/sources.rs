//! Which local files an upload is about, and where each goes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use super::filter::Filter;
use crate::client::address::Address;
use crate::client::error::Error;

/// A file and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub path: PathBuf,
    pub address: Address,
    pub len: u64,
}

/// What there is to upload.
#[derive(Default)]
pub struct Found {
    /// Every file with its place, in order.
    pub jobs: Vec<Job>,
    /// What is passed over on purpose.
    pub skipped: Vec<String>,
    /// What should have been uploaded and cannot be read.
    pub failed: Vec<(String, Error)>,
}

/// Looks at every source. What was named and is not there is an error, as are two files for one key; what turns out on the way is in
/// `failed`.
pub fn find_jobs(
    sources: &[String],
    target: &Address,
    recursive: bool,
    filter: &Filter,
) -> Result<Found, Error> {
    let mut found = Found::default();
    for source in sources {
        if Address::is_address(source) {
            return Err(Error::Usage(format!(
                "{source} is no local file; `dovetail cp` copies on the server"
            )));
        }
        let path = Path::new(source);
        let metadata =
            std::fs::metadata(path).map_err(|error| Error::file(format!("read {source}"), error))?;
        if metadata.is_dir() {
            if !recursive {
                return Err(Error::Usage(format!("{source} is a folder; upload it with -r")));
            }
            found.walk(path, "", target, filter);
            continue;
        }
        if !metadata.is_file() {
            // Opening a pipe would wait for whoever writes into it.
            let reason = format!(
                "{source} is no regular file; for what comes out of it, use `put -` and `< {source}`"
            );
            return Err(Error::Usage(reason));
        }
        let address = if target.is_prefix() || sources.len() > 1 {
            let name = path.file_name().and_then(|name| name.to_str());
            target.join(name.ok_or_else(|| Error::Usage(format!("the name of {source:?} is no text")))?)
        } else {
            target.clone()
        };
        found.jobs.push(Job { path: path.to_owned(), address, len: metadata.len() });
    }
    if sources.len() > 1 {
        found.jobs = one_for_each_key(found.jobs)?;
    }
    Ok(found)
}

/// Of two files under one key only the one that ends last would stay. A file that is named twice is meant once.
fn one_for_each_key(jobs: Vec<Job>) -> Result<Vec<Job>, Error> {
    let mut places: HashMap<String, PathBuf> = HashMap::new();
    let mut single = Vec::with_capacity(jobs.len());
    for job in jobs {
        match places.entry(job.address.key.clone()) {
            Entry::Vacant(place) => {
                place.insert(job.path.clone());
                single.push(job);
            }
            Entry::Occupied(place) if is_same_file(place.get(), &job.path) => {}
            Entry::Occupied(place) => {
                return Err(Error::Usage(format!(
                    "{} and {} would both become {}: upload them to two places",
                    place.get().display(),
                    job.path.display(),
                    job.address
                )));
            }
        }
    }
    Ok(single)
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    one == other || real(one).is_some_and(|path| Some(path) == real(other))
}

impl Found {
    /// Links to files are followed, links to folders are not: they may lead in circles.
    fn walk(&mut self, folder: &Path, prefix: &str, target: &Address, filter: &Filter) {
        let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.fail(folder, error),
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let file_name = entry.file_name();
            let name = format!("{prefix}{}", file_name.to_string_lossy());
            // A folder that is not meant may have something in it that is.
            if !filter.takes(&name) && !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if file_name.to_str().is_none() {
                self.fail(&path, std::io::Error::other("a key is UTF-8, and its name is not"));
                continue;
            }
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() && is_link => {
                    self.skipped.push(format!("{}: a link to a folder", path.display()));
                }
                Ok(metadata) if metadata.is_dir() => self.walk(&path, &format!("{name}/"), target, filter),
                Ok(metadata) if metadata.is_file() => {
                    self.jobs.push(Job { path, address: target.join(&name), len: metadata.len() });
                }
                Ok(_) => self.skipped.push(format!("{}: no regular file", path.display())),
                Err(error) => self.fail(&path, error),
            }
        }
    }

    fn fail(&mut self, path: &Path, error: std::io::Error) {
        let what = path.display().to_string();
        let error = Error::file(format!("read {what}"), error);
        self.failed.push((what, error));
    }
}

/// What browsers need to know to show a file, by its ending.
pub fn content_type(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match ending.as_str() {
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" | "mjs" => "text/javascript",
        "txt" | "log" | "md" => "text/plain",
        "csv" => "text/csv",
        "xml" => "application/xml",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "tar" => "application/x-tar",
        "zst" => "application/zstd",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::filter::excluding;

    fn keys(sources: &[&str], target: &str, recursive: bool) -> Result<Vec<String>, Error> {
        let sources: Vec<String> = sources.iter().map(|source| source.to_string()).collect();
        let found = find_jobs(&sources, &Address::parse(target).unwrap(), recursive, &Filter::default())?;
        Ok(found.jobs.into_iter().map(|job| job.address.key).collect())
    }

    #[test]
    fn files_and_folders_get_the_keys_one_expects() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        std::fs::create_dir_all(folder.path().join("d/e")).unwrap();
        for name in ["a.txt", "d/b", "d/e/c"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("..", folder.path().join("d/circle")).unwrap();
        let file = format!("{root}/a.txt");
        assert_eq!(keys(&[&file], "s3://bucket/key", false).unwrap(), ["key"]);
        assert_eq!(keys(&[&file], "s3://bucket/p/", false).unwrap(), ["p/a.txt"]);
        assert_eq!(keys(&[&file], "s3://bucket", false).unwrap(), ["a.txt"]);
        assert_eq!(
            keys(&[&file, &format!("{root}/d/b")], "s3://bucket/p", false).unwrap(),
            ["p/a.txt", "p/b"]
        );
        assert_eq!(keys(&[root], "s3://bucket/p", true).unwrap(), ["p/a.txt", "p/d/b", "p/d/e/c"]);
        assert!(matches!(keys(&[root], "s3://bucket/p", false), Err(Error::Usage(_))));
        let target = Address::parse("s3://bucket").unwrap();
        let found = find_jobs(&[root.to_owned()], &target, true, &excluding("d/?")).unwrap();
        assert_eq!(
            found.jobs.iter().map(|job| job.address.key.as_str()).collect::<Vec<_>>(),
            ["a.txt", "d/e/c"]
        );
        assert!(matches!(keys(&["/no/such/file"], "s3://bucket/p", false), Err(Error::File { .. })));
    }

    #[test]
    fn two_files_never_become_one_object() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("same"), name).unwrap();
        }
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name).display().to_string());
        let [file_a, file_b] = [&a, &b].map(|folder| format!("{folder}/same"));
        for (sources, recursive) in [([&file_a, &file_b], false), ([&a, &b], true), ([&a, &file_b], true)] {
            let met = keys(&sources.map(String::as_str), "s3://bucket/p/", recursive);
            assert!(matches!(met, Err(Error::Usage(_))), "{sources:?} {met:?}");
        }
        let otherwise = format!("{a}/../a/same");
        assert_eq!(keys(&[&file_a, &file_a, &otherwise], "s3://bucket/p/", false).unwrap(), ["p/same"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_and_the_rest_goes_up() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fine"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"no\xfftext");
        std::fs::write(folder.path().join(name), "").unwrap();
        let source = folder.path().display().to_string();
        let found = find_jobs(&[source], &Address::parse("s3://bucket/p").unwrap(), true, &Filter::default())
            .unwrap();
        assert_eq!(found.jobs.iter().map(|job| job.address.key.as_str()).collect::<Vec<_>>(), ["p/fine"]);
        assert_eq!((found.failed.len(), found.skipped.len()), (2, 0));
        let filter = excluding("no?text");
        let source = folder.path().display().to_string();
        let found = find_jobs(&[source], &Address::parse("s3://bucket/p").unwrap(), true, &filter).unwrap();
        assert_eq!(found.failed.len(), 1, "what is not meant cannot fail");
    }
}
