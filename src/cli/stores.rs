//! Opens what a data directory holds: the metadata, the blobs, and the engine over both.

use std::path::Path;
use std::sync::Arc;

use super::config::Settings;
use super::data_dir::{self, DataDir};
use super::failure::Failure;
use super::master_keys;
use crate::base::clock::Clock;
use crate::base::disk_space::{file_system_len, fitted};
use crate::base::disk_turns::DiskTurns;
use crate::base::tasks::Tasks;
use crate::blob;
use crate::blob::local::Local;
use crate::blob::metered::Metered;
use crate::blob::open::{OpenError, local_dir, open_url};
use crate::engine::Engine;
use crate::meta::rocksdb::RocksDb;
use crate::meta::{self, Meta, Step, Table};

/// On a small file system each reserve is one part in so many of it, since a fixed one would refuse everything. The first to
/// refuse is the blobs', while metadata can still grow.
const BLOBS_RESERVE_PART: u64 = 4;
/// Then whatever needs room for metadata: what makes room is still taken, so that deletes are possible on a full disk.
const METADATA_RESERVE_PART: u64 = 8;
/// Then everything, while what the metadata store writes by itself still fits.
const METADATA_FLOOR_PART: u64 = 16;

/// A data directory in use, and what works on it. Fields are dropped in their order: the directory is given back when
/// everything on it is closed.
pub struct Stores {
    pub engine: Engine,
    pub meta: Meta,
    pub blobs: Arc<dyn blob::Store>,
    pub data_dir: DataDir,
}

/// Whether the bytes of objects will be read or written, or only what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    Needed,
    NotNeeded,
}

impl Stores {
    /// Opens everything, and clears what an earlier process left unfinished. `tasks` are the engine's.
    pub async fn open(
        settings: &Settings,
        data_dir: DataDir,
        tasks: &Tasks,
        keys: Keys,
    ) -> Result<Stores, Failure> {
        let turns = DiskTurns::default();
        let meta = open_meta(settings, &data_dir, &turns, tasks).await?;
        check_blobs_are_there(settings, &data_dir, &meta).await?;
        let blobs = open_blobs(settings, data_dir.path(), &turns, tasks)?;
        let blobs: Arc<dyn blob::Store> = Arc::new(Metered::new(blobs));
        let mut engine_settings = settings.engine.clone();
        if keys == Keys::Needed {
            let keyring = master_keys::load(&settings.encryption, &data_dir, &meta).await?;
            engine_settings.keyring = Arc::new(keyring);
        }
        match blobs.sweep_unfinished().await {
            // What needs the backend is a 503 until it is back, and the rest is served. What was left unfinished waits
            // for the next start, and takes up space until then.
            Err(err) if err.is_transient() => {
                let error = &err as &dyn std::error::Error;
                tracing::warn!(error, "the backend does not answer; serving what can be served without it");
            }
            swept => swept.map_err(|err| Failure::running(&err))?,
        }
        let engine =
            Engine::new(meta.clone(), Arc::clone(&blobs), Clock::system(), tasks.clone(), engine_settings);
        Ok(Stores { engine, meta, blobs, data_dir })
    }
}

/// Checks the options of a backend that is somewhere else, before anything here is touched.
pub fn check_blobs(settings: &Settings, tasks: &Tasks) -> Result<(), Failure> {
    match &settings.blobs_url {
        Some(url) if !url.starts_with("file:") => {
            open_blobs(settings, &settings.data_dir, &DiskTurns::default(), tasks).map(drop)
        }
        _ => Ok(()),
    }
}

async fn open_meta(
    settings: &Settings,
    data_dir: &DataDir,
    turns: &DiskTurns,
    tasks: &Tasks,
) -> Result<Meta, Failure> {
    let dir = data_dir.meta();
    data_dir.check_metadata(RocksDb::is_made(&dir)).map_err(|err| Failure::running(&err))?;
    let (mut metadata, turns) = (settings.metadata.clone(), turns.clone());
    let len = file_system_len(&dir);
    metadata.free_min_len = fitted(metadata.free_min_len, METADATA_RESERVE_PART, len);
    metadata.free_floor_len = fitted(metadata.free_floor_len, METADATA_FLOOR_PART, len);
    let opened = tasks.spawn_blocking(move || RocksDb::open_beside(&dir, metadata, &turns)).await;
    let store = opened.expect("opening the store does not panic").map_err(|err| Failure::running(&err))?;
    Ok(Meta::new(store))
}

/// Refuses a folder in which no blob was ever kept while the metadata names some: a disk that is not mounted would
/// fill the one below it, and every read would fail.
async fn check_blobs_are_there(settings: &Settings, data_dir: &DataDir, meta: &Meta) -> Result<(), Failure> {
    let Some(dir) = local_dir(settings.blobs_url.as_deref(), data_dir.path()) else { return Ok(()) };
    if Local::is_made(&dir) {
        return Ok(());
    }
    let names_some = meta.read(|read| {
        let mut names_some = false;
        read.scan(Table::Blobs, b"", &mut |_, _| {
            names_some = true;
            Step::Stop
        })?;
        Ok::<_, meta::Error>(names_some)
    });
    match names_some.await.map_err(|err| Failure::running(&err))? {
        false => Ok(()),
        true => Err(Failure::running(&data_dir::Error::BlobsLost { path: dir.display().to_string() })),
    }
}

fn open_blobs(
    settings: &Settings,
    data_dir: &Path,
    turns: &DiskTurns,
    tasks: &Tasks,
) -> Result<Arc<dyn blob::Store>, Failure> {
    let url = settings.blobs_url.as_deref();
    let mut of_backends = blob::open::Settings::default();
    // Blobs of their own place are taken to be on a disk of their own.
    if url.is_none() {
        of_backends.local.turns = turns.clone();
    }
    if let Some(dir) = local_dir(url, data_dir) {
        let reserve = &mut of_backends.local.free_len_min;
        *reserve = fitted(*reserve, BLOBS_RESERVE_PART, file_system_len(&dir));
    }
    let opened = open_url(url, &settings.blob_options.0, data_dir, &of_backends, tasks);
    opened.map_err(|error| match error {
        OpenError::Store(error) => Failure::running(&error),
        error => Failure::Configuration(error.to_string()),
    })
}
