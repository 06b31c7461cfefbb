//! Who is reading what, so that the collector leaves it alone (invariant 4).
//!
//! A reader pins the content whose parts it reads; the collector claims a content before it takes its parts away, and
//! gets no claim while there is a pin. Pins are kept in memory: a reader does not outlive its process. Blobs need no
//! pins of their own, because one is queued only after the last part that names it is gone.
//!
//! Order of a reader: take a [`Mark`], read the version, pin its content. A content can be claimed only after the
//! commit that dropped its last version, so one that was named in a snapshot taken after the mark was not claimed
//! before the mark; if it was not claimed since either, the pin came in time. Otherwise the reader starts over, and
//! finds another version. Claims that have ended are remembered for as long as there is a mark from before them, so
//! that a collector that is busy with other contents keeps no reader.

use crate::meta::keys::ContentId;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
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
    /// Claims so far: the time that marks and claims are ordered by.
    claims: u64,
    /// Live marks by their time, and how many there are of each.
    marks: BTreeMap<u64, usize>,
    /// Contents whose claim has ended, with the time of the claim, as long as a live mark is not after it.
    collected: HashMap<ContentId, u64>,
}

#[derive(Debug)]
enum Use {
    Pinned {
        readers: usize,
        /// The collector came by and will come again when it is woken.
        awaited: bool,
    },
    Claimed {
        at: u64,
    },
}

/// A moment in the history of claims, which is remembered from then on until this is dropped.
#[derive(Debug)]
pub struct Mark {
    at: u64,
    shared: Arc<Shared>,
}

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
        let mut state = self.shared.state();
        let at = state.claims;
        *state.marks.entry(at).or_default() += 1;
        Mark { at, shared: Arc::clone(&self.shared) }
    }

    /// Pins a content that a version named in a snapshot taken after `since`. `None` when the collector may have
    /// been faster: the version has to be looked up again.
    pub fn pin(&self, id: ContentId, since: Mark) -> Option<Pin> {
        let mut state = self.shared.state();
        if state.collected.get(&id).is_some_and(|claimed| *claimed >= since.at) {
            return None;
        }
        match state.uses.entry(id).or_insert(Use::Pinned { readers: 0, awaited: false }) {
            Use::Pinned { readers, .. } => *readers += 1,
            Use::Claimed { .. } => return None,
        }
        Some(Pin { id, shared: Arc::clone(&self.shared) })
    }

    /// Claims a content that no version names any more; `None` while it is read, or claimed already.
    pub fn claim(&self, id: ContentId) -> Option<Claim> {
        let mut state = self.shared.state();
        let at = state.claims;
        match state.uses.entry(id) {
            Entry::Occupied(mut entry) => {
                if let Use::Pinned { awaited, .. } = entry.get_mut() {
                    *awaited = true;
                }
                None
            }
            Entry::Vacant(entry) => {
                entry.insert(Use::Claimed { at });
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

impl Drop for Mark {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let State { marks, collected, .. } = &mut *state;
        let Some(count) = marks.get_mut(&self.at) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        marks.remove(&self.at);
        match marks.first_key_value() {
            None => collected.clear(),
            Some((oldest, _)) if *oldest > self.at => collected.retain(|_, claimed| *claimed >= *oldest),
            Some(_) => {}
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let Some(Use::Claimed { at }) = state.uses.remove(&self.id) else { return };
        if state.marks.first_key_value().is_some_and(|(oldest, _)| *oldest <= at) {
            state.collected.insert(self.id, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const ID: ContentId = ContentId([1; 16]);

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
    fn a_reader_starts_over_when_its_own_content_was_claimed_since_its_mark() {
        let (readers, _) = readers();
        let (first, second) = (readers.mark(), readers.mark());
        let claim = readers.claim(ID).unwrap();
        assert!(readers.pin(ID, first).is_none(), "claimed");
        drop(claim);
        assert!(readers.pin(ID, second).is_none(), "taken apart");
        let mark = readers.mark();
        drop(readers.pin(ID, mark).unwrap());
    }

    #[test]
    fn a_collector_that_is_busy_elsewhere_keeps_no_reader() {
        let (readers, _) = readers();
        let mark = readers.mark();
        for id in 10..200 {
            drop(readers.claim(ContentId([id; 16])).unwrap());
        }
        let pin = readers.pin(ID, mark).expect("nobody touched this content");
        assert!(readers.claim(ID).is_none());
        drop(pin);
        drop(readers.claim(ID).unwrap());
    }
}
