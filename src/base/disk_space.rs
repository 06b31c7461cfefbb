//! How large the file system under a folder is, for reserves that have to fit it.

use std::path::Path;

/// Bytes of the file system that holds `path`, or will hold it once it is made. `None` when nobody can tell.
pub fn file_system_len(path: &Path) -> Option<u64> {
    let here = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(here).ok()?;
    Some(stat.f_blocks.saturating_mul(stat.f_frsize))
}

/// A reserve of `wanted` bytes, or of one part in `of` of a file system that is too small for so much: it would refuse
/// everything otherwise.
pub fn fitted(wanted: u64, of: u64, file_system_len: Option<u64>) -> u64 {
    file_system_len.map_or(wanted, |len| wanted.min(len / of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_leaves_most_of_a_small_file_system() {
        assert_eq!(fitted(256, 4, Some(10_000)), 256);
        assert_eq!(fitted(256, 4, Some(1024)), 256);
        assert_eq!(fitted(256, 4, Some(400)), 100);
        assert_eq!(fitted(256, 4, None), 256);
    }

    #[test]
    fn a_folder_that_is_not_made_yet_is_on_the_file_system_of_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let len = file_system_len(folder.path()).unwrap();
        assert!(len > 0);
        assert_eq!(file_system_len(&folder.path().join("not/made/yet")), Some(len));
        assert!(file_system_len(Path::new("not/made/yet")).is_some());
    }
}
