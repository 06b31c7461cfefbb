//! Blobs of which an earlier process did not live to learn whether they were committed.
//!
//! A blob is finished before a record names it (invariant 1), so a process that dies in between leaves one that nobody
//! was told of. The backend knows which these can be; the records tell which of them are named, and the others go. This
//! must be over before anything is written: then no commit can be on its way that will name one.
//!
//! Nothing else is looked at. A backend with blobs of other metadata, because an older backup was put back, loses none
//! but those that were being committed when it stopped.

use crate::blob::BlobId;
use crate::engine::{Engine, Error};
use crate::meta::{Table, keys};

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Committed after all.
    pub named: u64,
    /// Deleted.
    pub unnamed: u64,
}

/// Asks the records about each. What fails stays as it is, for the next start or for `fsck`.
pub async fn settle(engine: &Engine) -> Result<Settled, Error> {
    let mut settled = Settled::default();
    for blob in engine.blobs.unsettled().await? {
        if is_named(engine, blob).await? {
            engine.blobs.settle(blob);
            settled.named += 1;
        } else {
            engine.blobs.delete(blob).await?;
            settled.unnamed += 1;
        }
    }
    Ok(settled)
}

/// The record of a blob is written by the commit that names it, and goes with the last that does.
async fn is_named(engine: &Engine, blob: BlobId) -> Result<bool, Error> {
    let found = engine.meta.read(move |read| read.get(Table::Blobs, &keys::blob(blob)));
    Ok(found.await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::base::tasks::Tasks;
    use crate::blob::local::{self, Local};
    use crate::blob::{ErrorKind, Store};
    use crate::engine::{Settings, references};
    use crate::meta::Meta;
    use crate::meta::memory::Memory;
    use crate::meta::records::BlobRecord;
    use bytes::Bytes;
    use std::path::Path;
    use std::sync::Arc;

    fn local(folder: &Path) -> Arc<Local> {
        let settings = local::Settings { free_len_min: 0, ..local::Settings::default() };
        Arc::new(Local::open(&folder.join("blobs"), &folder.join("tmp"), settings).unwrap())
    }

    fn engine(meta: &Meta, blobs: Arc<Local>) -> Engine {
        Engine::new(meta.clone(), blobs, Clock::manual(0), Tasks::new(), Settings::default())
    }

    async fn finished(store: &Local) -> BlobId {
        let id = BlobId::random();
        let mut writer = store.create(id, Some(5)).await.unwrap();
        writer.write(Bytes::from_static(b"bytes")).await.unwrap();
        writer.finish().await.unwrap();
        id
    }

    async fn is_there(store: &Local, id: BlobId) -> bool {
        match store.open(id).await {
            Ok(_) => true,
            Err(err) => {
                assert_eq!(err.kind, ErrorKind::Missing);
                false
            }
        }
    }

    #[tokio::test]
    async fn what_was_committed_stays_and_what_was_not_goes() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::new(Memory::new());
        let first = engine(&meta, local(folder.path()));
        let earlier = local(folder.path());
        // Named, and the process died before it said so; never named; named, settled, and without a record since: what
        // was not in doubt is never asked about.
        let [named, unnamed, settled] =
            [finished(&earlier).await, finished(&earlier).await, finished(&earlier).await];
        let record = BlobRecord { len: 5, block_checksums: vec![0; 4], block_tags: Vec::new() };
        let written = first.meta.transact(move |tx| {
            references::add_blob(tx, named, &record);
            Ok::<_, Error>(())
        });
        written.await.unwrap();
        earlier.settle(settled);
        // Its own are no earlier process's.
        assert_eq!(super::settle(&engine(&meta, Arc::clone(&earlier))).await.unwrap(), Settled::default());
        drop(earlier);

        let later = local(folder.path());
        let engine = engine(&meta, Arc::clone(&later));
        later.sweep_unfinished().await.unwrap();
        assert_eq!(super::settle(&engine).await.unwrap(), Settled { named: 1, unnamed: 1 });
        for (id, stays) in [(named, true), (unnamed, false), (settled, true)] {
            assert_eq!(is_there(&later, id).await, stays);
        }
        drop((engine, later, first));
        assert_eq!(std::fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
        assert_eq!(local(folder.path()).unsettled().await.unwrap(), []);
    }
}
