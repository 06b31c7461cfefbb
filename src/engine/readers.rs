//! Who is reading what, so that the collector leaves it alone (invariant 4).
//!
//! A reader pins the content whose parts it reads; the collector claims a content before it takes its parts away, and
//! gets no claim while there is a pin. Pins are kept in memory: a reader does not outlive its process. Blobs need no
//! pins of their own, because one is queued only after the last part that names it is gone.
//!
//! Order of a reader: take a [`Mark`], read the version, pin its content. A content can be claimed only after the
//! commit that dropped its last version, so one that was named in a snapshot taken after the mark was not claimed
//! before the mark; if nothing was claimed since either, the pin came in time. Otherwise the reader starts over.

use crate::meta::keys::ContentId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The pins and claims of one engine. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Readers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when the last pin goes of a content that the collector wanted.
    collector: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    uses: HashMap<ContentId, Use>,
    claims: u64,
}

#[derive(Debug)]
enum Use {
    Pinned {
        readers: usize,
        /// The collector came by and will come again when it is woken.
        awaited: bool,
    },
    Claimed,
}

/// A moment in the history of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

/// Keeps the parts of a content where they are until it is dropped.
#[derive(Debug)]
pub struct Pin {
    id: ContentId,
    shared: Arc<Shared>,
}

/// The collector's right to take a content apart; ends when it is dropped.
#[derive(Debug)]
pub struct Claim {
    id: ContentId,
    shared: Arc<Shared>,
}

impl Readers {
    /// `collector` is notified when a content that it had to leave alone is free.
    pub fn new(collector: Arc<Notify>) -> Readers {
        Readers { shared: Arc::new(Shared { state: Mutex::default(), collector }) }
    }

    /// To be taken before the snapshot in which a version names the content that is to be pinned.
    pub fn mark(&self) -> Mark {
        Mark(self.shared.state().claims)
    }

    /// Pins a content that a version named in a snapshot taken after `since`. `None` when the collector may have
    /// been faster: the version has to be looked up again.
    pub fn pin(&self, id: ContentId, since: Mark) -> Option<Pin> {
        let mut state = self.shared.state();
        if state.claims != since.0 {
            return None;
        }
        match state.uses.entry(id).or_insert(Use::Pinned { readers: 0, awaited: false }) {
            Use::Pinned { readers, .. } => *readers += 1,
            Use::Claimed => return None,
        }
        Some(Pin { id, shared: Arc::clone(&self.shared) })
    }

    /// Claims a content that no version names any more; `None` while it is read, or claimed already.
    pub fn claim(&self, id: ContentId) -> Option<Claim> {
        let mut state = self.shared.state();
        match state.uses.entry(id) {
            Entry::Occupied(mut entry) => {
                if let Use::Pinned { awaited, .. } = entry.get_mut() {
                    *awaited = true;
                }
                None
            }
            Entry::Vacant(entry) => {
                entry.insert(Use::Claimed);
                state.claims += 1;
                Some(Claim { id, shared: Arc::clone(&self.shared) })
            }
        }
    }
}

impl Claim {
    pub fn id(&self) -> ContentId {
        self.id
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; should one, the counts are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let Some(Use::Pinned { readers, awaited }) = state.uses.get_mut(&self.id) else { return };
        *readers -= 1;
        if *readers == 0 {
            let wake = *awaited;
            state.uses.remove(&self.id);
            drop(state);
            if wake {
                self.shared.collector.notify_one();
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.state().uses.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const ID: ContentId = ContentId([1; 16]);
    const OTHER: ContentId = ContentId([2; 16]);

    fn readers() -> (Readers, Arc<Notify>) {
        let collector = Arc::new(Notify::new());
        (Readers::new(Arc::clone(&collector)), collector)
    }

    #[test]
    fn a_content_is_claimed_only_when_its_last_reader_is_done() {
        let (readers, collector) = readers();
        let first = readers.pin(ID, readers.mark()).unwrap();
        let second = readers.pin(ID, readers.mark()).unwrap();
        assert!(readers.claim(ID).is_none());
        drop(first);
        assert!(readers.claim(ID).is_none());
        assert!(collector.notified().now_or_never().is_none());
        drop(second);
        assert!(collector.notified().now_or_never().is_some(), "the collector is told");
        assert!(readers.claim(ID).is_some());
    }

    #[test]
    fn a_reader_that_nobody_waits_for_wakes_nobody() {
        let (readers, collector) = readers();
        drop(readers.pin(ID, readers.mark()).unwrap());
        assert!(collector.notified().now_or_never().is_none());
    }

    #[test]
    fn a_claim_since_the_mark_makes_the_reader_start_over() {
        let (readers, _) = readers();
        let mark = readers.mark();
        let claim = readers.claim(OTHER).unwrap();
        assert!(readers.pin(ID, mark).is_none());
        assert!(readers.pin(OTHER, readers.mark()).is_none(), "claimed");
        let pin = readers.pin(ID, readers.mark()).unwrap();
        drop(claim);
        assert!(readers.claim(OTHER).is_some());
        drop(pin);
    }
}
