//! Wraps anew, by the newest master key, what is wrapped by an older one, so that the older one can be thrown away.
//!
//! Runs once after a start that finds another master key than the newest registered. Whatever is written meanwhile is wrapped by
//! the newest key, so the work only gets less. A record can move while the tables are gone through; therefore an older
//! key is forgotten only when one snapshot of all of them holds nothing more that needs it. No byte of an object is
//! read.

use crate::engine::encryption::{Encryption, Keyring, registry};
use crate::engine::{Engine, Error, uploads};
use crate::meta::keys::ContentId;
use crate::meta::records::{EncryptionMethod, EncryptionRecord, Record, UploadRecord, VersionRecord};
use crate::meta::{Read, Step, Table, Write};
use std::sync::Arc;

/// Records that are read in one snapshot, and written in one transaction.
const PAGE_LEN: usize = 512;
/// Times that everything is gone through before this is left to the next start.
const PASSES_MAX: usize = 8;

/// Where wrapped keys are. The order is that in which records mostly move.
const TABLES: [Table; 3] = [Table::Uploads, Table::Objects, Table::Versions];

/// Rewraps if there is anything to, and returns.
pub async fn run(engine: Engine) {
    match run_once(&engine).await {
        Ok(Rewrapped { forgotten, records }) if !forgotten.is_empty() => {
            tracing::info!(
                keys = ?forgotten,
                records,
                "nothing is wrapped by these master keys any more; they may be taken out of the key file"
            );
        }
        Ok(_) => {}
        Err(err) => tracing::warn!(error = %err, "cannot wrap keys anew; trying again at the next start"),
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Records that have been written anew.
    pub records: u64,
    /// Fingerprints of the keys that nothing needs any more.
    pub forgotten: Vec<String>,
}

/// Goes through everything until only the newest key is needed.
pub async fn run_once(engine: &Engine) -> Result<Rewrapped, Error> {
    let mut done = Rewrapped::default();
    let keyring = Arc::clone(&engine.settings.keyring);
    let Some(newest) = keyring.masters().next_back().map(str::to_owned) else { return Ok(done) };
    let mut old = registry::registered(&engine.meta).await?;
    old.retain(|fingerprint| *fingerprint != newest);
    if old.is_empty() {
        return Ok(done);
    }
    registry::before_use(engine, Some(&Encryption::S3)).await?;
    for _ in 0..PASSES_MAX {
        for table in TABLES {
            rewrap_table(engine, table, &newest, &mut done).await?;
        }
        if engine.tasks.is_stopping() {
            return Ok(done);
        }
        let asked = newest.clone();
        if !engine.meta.read(move |read| is_needed(read, &asked)).await? {
            done.forgotten = old.clone();
            engine
                .meta
                .transact(move |tx| {
                    old.iter().for_each(|fingerprint| tx.delete(Table::MasterKeys, fingerprint.as_bytes()));
                    Ok::<_, Error>(())
                })
                .await?;
            return Ok(done);
        }
    }
    Ok(done)
}

/// Whether anything is wrapped by another master key than the newest.
fn is_needed(read: &dyn Read, newest: &str) -> Result<bool, Error> {
    let mut found = false;
    for table in TABLES {
        read.scan(table, &[], &mut |_, value| {
            found = Wrapping::decode(table, value).is_some_and(|wrapping| wrapping.is_older(newest));
            if found { Step::Stop } else { Step::Next }
        })?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn rewrap_table(
    engine: &Engine,
    table: Table,
    newest: &str,
    done: &mut Rewrapped,
) -> Result<(), Error> {
    let mut from = Vec::new();
    while !engine.tasks.is_stopping() {
        let (start, asked) = (std::mem::take(&mut from), newest.to_owned());
        let (older, next) = engine.meta.read(move |read| page(read, table, &start, &asked)).await?;
        if !older.is_empty() {
            let (keyring, newest) = (Arc::clone(&engine.settings.keyring), newest.to_owned());
            let rewrap = move |tx: &mut dyn Write| rewrap(tx, table, &older, &keyring, &newest);
            done.records += engine.meta.transact(rewrap).await?;
        }
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    Ok(())
}

/// The keys of a table where something is wrapped by an older key, and where to go on.
type Page = (Vec<Vec<u8>>, Option<Vec<u8>>);

fn page(read: &dyn Read, table: Table, from: &[u8], newest: &str) -> Result<Page, Error> {
    let (mut older, mut seen, mut last) = (Vec::new(), 0, None);
    read.scan(table, from, &mut |key, value| {
        if Wrapping::decode(table, value).is_some_and(|wrapping| wrapping.is_older(newest)) {
            older.push(key.to_vec());
        }
        seen += 1;
        if seen < PAGE_LEN {
            return Step::Next;
        }
        last = Some([key, &[0]].concat());
        Step::Stop
    })?;
    Ok((older, last))
}

fn rewrap(
    tx: &mut dyn Write,
    table: Table,
    keys: &[Vec<u8>],
    keyring: &Keyring,
    newest: &str,
) -> Result<u64, Error> {
    let mut records = 0;
    for key in keys {
        // It may have moved or gone since.
        let Some(value) = tx.get(table, key)? else { continue };
        let Some(mut wrapping) = Wrapping::decode(table, &value).filter(|wrapping| wrapping.is_older(newest))
        else {
            continue;
        };
        let record = wrapping.record();
        let content = keyring.unwrap(record, None)?;
        record.key = keyring.wrap(&record.method, &content, None)?;
        tx.put(table, key, wrapping.encode());
        // A Complete that has read the upload before must read it again.
        if table == Table::Uploads
            && let Some((_, id)) = key.split_last_chunk()
        {
            uploads::touch(tx, ContentId(*id))?;
        }
        records += 1;
    }
    Ok(records)
}

/// A record with a wrapped key.
enum Wrapping {
    Version(Box<VersionRecord>, EncryptionRecord),
    Upload(Box<UploadRecord>, EncryptionRecord),
}

impl Wrapping {
    /// `None` also for what cannot be read: `fsck` tells of that.
    fn decode(table: Table, value: &[u8]) -> Option<Wrapping> {
        match table {
            Table::Uploads => {
                let mut record = UploadRecord::decode(value).ok()?;
                let encryption = record.encryption.take()?;
                Some(Wrapping::Upload(record.into(), encryption))
            }
            _ => {
                let mut record = VersionRecord::decode(value).ok()?;
                let encryption = record.encryption.take()?;
                Some(Wrapping::Version(record.into(), encryption))
            }
        }
    }

    fn encode(self) -> Vec<u8> {
        match self {
            Wrapping::Version(version, encryption) => {
                VersionRecord { encryption: Some(encryption), ..*version }.encode()
            }
            Wrapping::Upload(upload, encryption) => {
                UploadRecord { encryption: Some(encryption), ..*upload }.encode()
            }
        }
    }

    fn record(&mut self) -> &mut EncryptionRecord {
        match self {
            Wrapping::Version(_, record) | Wrapping::Upload(_, record) => record,
        }
    }

    fn is_older(&self, newest: &str) -> bool {
        let (Wrapping::Version(_, record) | Wrapping::Upload(_, record)) = self;
        record.method == EncryptionMethod::S3 && record.key.by != newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Settings;
    use crate::engine::testing::uploads::{KEY, body, listing};
    use crate::engine::testing::{BUCKET, Fixture, pattern};
    use crate::meta::records::{BucketEncryptionRecord, RuleMethod};

    fn settings(masters: &[u8]) -> Settings {
        let masters: Vec<_> = masters.iter().map(|byte| [*byte; 32]).collect();
        Settings { keyring: Arc::new(Keyring::new(&masters, &Default::default())), ..Settings::default() }
    }

    /// The same stores with other master keys.
    fn restarted(fixture: &Fixture, masters: &[u8]) -> Fixture {
        let engine = &fixture.engine;
        let engine = Engine::new(
            engine.meta.clone(),
            Arc::clone(&engine.blobs),
            engine.clock.clone(),
            engine.tasks.clone(),
            settings(masters),
        );
        Fixture { engine, blobs: fixture.blobs.clone() }
    }

    #[tokio::test]
    async fn everything_is_wrapped_anew_and_the_old_key_can_go() {
        let old = Fixture::with(settings(&[1])).await;
        let rule = BucketEncryptionRecord { method: Some(RuleMethod::S3), ..Default::default() };
        crate::engine::bucket_documents::put(&old.engine, BUCKET, rule).await.unwrap();
        let bytes = pattern(1, 300_000);
        for key in ["inline", "blob"] {
            let bytes = if key == "inline" { bytes[..1000].to_vec() } else { bytes.clone() };
            old.put(key, body(bytes), Default::default()).await.unwrap();
        }
        let id = old.create(None).await;
        let part = old.upload(id, 1, body(bytes.clone())).await.unwrap();

        let both = restarted(&old, &[1, 2]);
        both.put("newer", body(bytes.clone()), Default::default()).await.unwrap();
        let registered = registry::registered(&both.engine.meta).await.unwrap();
        assert_eq!(registered.len(), 2);
        let changes = uploads::progress;
        let before = both.engine.meta.read(move |read| changes(read, id)).await.unwrap().changes;
        let done = run_once(&both.engine).await.unwrap();
        assert_eq!((done.records, done.forgotten.len()), (3, 1));
        let after = both.engine.meta.read(move |read| changes(read, id)).await.unwrap().changes;
        assert!(after > before, "a Complete under way starts over");
        assert_eq!(
            run_once(&both.engine).await.unwrap(),
            Rewrapped::default(),
            "there is nothing left to do"
        );

        let newer = restarted(&old, &[2]);
        let registered = registry::registered(&newer.engine.meta).await.unwrap();
        assert!(registry::missing(&registered, &newer.engine.settings.keyring).is_empty());
        assert_eq!(newer.get("inline").await.unwrap(), bytes[..1000]);
        assert_eq!(newer.get("blob").await.unwrap(), bytes);
        newer.complete(listing(id, &[(1, part.md5)])).await.unwrap();
        assert_eq!(newer.get(KEY).await.unwrap(), bytes);
        assert!(restarted(&old, &[1]).get("blob").await.is_err(), "the old key opens nothing any more");
    }
}
