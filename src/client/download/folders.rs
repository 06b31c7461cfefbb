//! Turns for those who make files in a folder.
//!
//! A kernel lets no two threads change one folder at once, and Linux has the second one spin as long as the first one runs. Whoever
//! waits here sleeps instead, and what receives goes on.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many folders can be changed at once. Some share a turn by chance.
const TURNS: usize = 16;

/// Cloning shares the turns.
#[derive(Clone, Debug, Default)]
pub struct Folders {
    turns: Arc<[Mutex<()>; TURNS]>,
}

impl Folders {
    /// Waits until nobody else makes a file next to `path`. Blocks.
    pub fn turn(&self, path: &Path) -> MutexGuard<'_, ()> {
        self.turns[index(path)].lock().unwrap_or_else(PoisonError::into_inner)
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
}
