//! Turns for those who make files in a folder, and the files that one run has made.
//!
//! A kernel lets no two threads change one folder at once, and Linux has the second one spin as long as the first one runs. Whoever
//! waits here sleeps instead, and what receives goes on.
//!
//! Two names may be one: where a file system knows no case, or writes letters in its own way, or where a link leads to a folder. Of two
//! objects under one name only the second would be left. So each file of this run is remembered by its inode.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many folders can be changed at once. Some share a turn by chance.
const TURNS: usize = 16;

/// Cloning shares the turns.
#[derive(Clone, Debug, Default)]
pub struct Folders {
    turns: Arc<[Mutex<()>; TURNS]>,
    /// Device and inode of what is an object's file since this run.
    taken: Arc<Mutex<HashSet<(u64, u64)>>>,
}

impl Folders {
    /// Waits until nobody else makes a file next to `path`. Blocks.
    pub fn turn(&self, path: &Path) -> MutexGuard<'_, ()> {
        self.turns[index(path)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that was there is this object's, and no other's; false if it is not there any more. Blocks.
    pub fn keep(&self, path: &Path, file: &Metadata) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (file.dev(), file.ino()));
        if is_there {
            taken.insert((file.dev(), file.ino()));
        }
        is_there
    }

    /// Gives the file `from` its name. Blocks.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if another object of this run has that file. It stays then, as does `from`.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let file = fs::symlink_metadata(from)?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // A file of several names is several objects' by right.
        let is_taken = |there: Metadata| there.nlink() == 1 && taken.contains(&(there.dev(), there.ino()));
        if fs::symlink_metadata(to).is_ok_and(is_taken) {
            let reason =
                "another object has that file, as both names are one here; get it alone, under another name";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
        }
        fs::rename(from, to)?;
        taken.insert((file.dev(), file.ino()));
        Ok(())
    }
}

fn index(path: &Path) -> usize {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(path.parent()) as usize % TURNS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_makes_a_file_in_a_folder_and_others_go_on() {
        let folders = Folders::default();
        let shared = folders.clone();
        let _turn = folders.turn(Path::new("/a/one"));
        let is_free = |path: &str| shared.turns[index(Path::new(path))].try_lock().is_ok();
        assert!(!is_free("/a/two"));
        assert!((0..100).any(|other| is_free(&format!("/b{other}/one"))));
    }

    #[test]
    fn two_objects_of_one_run_do_not_get_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("one")).unwrap();
        // As good as a file system that takes two spellings for one.
        std::os::unix::fs::symlink("one", path("ONE")).unwrap();
        let folders = Folders::default();
        let name = |folders: &Folders, text: &str, to: &str| {
            fs::write(path("part"), text).unwrap();
            folders.rename(&path("part"), &path(to))
        };
        name(&folders, "first", "one/file").unwrap();
        let refused = name(&folders, "second", "ONE/file").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(path("one/file")).unwrap(), b"first");
        // In another run it was there, and is that of the object that has these bytes.
        let folders = Folders::default();
        let metadata = fs::metadata(path("one/file")).unwrap();
        assert!(!folders.keep(&path("part"), &metadata));
        assert!(folders.keep(&path("one/file"), &metadata));
        name(&folders, "second", "ONE/file").unwrap_err();
        fs::hard_link(path("one/file"), path("two")).unwrap();
        name(&folders, "second", "two").unwrap();
        assert_eq!(fs::read(path("one/file")).unwrap(), b"first");
        assert_eq!(fs::read(path("two")).unwrap(), b"second");
    }
}
