//! The master keys of server-side encryption: where they are read, and the one that is made when there is none.
//!
//! A key that something is encrypted with and that is not there is a mistake that is told before anything is served. It
//! is never made up for by a new key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::path::Path;

use super::config::{Encryption, MasterKey, keys_in};
use super::data_dir::{self, DataDir};
use super::failure::Failure;
use crate::base::random;
use crate::engine::encryption::content_key::KEY_LEN;
use crate::engine::encryption::{Keyring, registry};
use crate::meta::Meta;

const FILE_NAME: &str = "master.key";

/// The keyring that the configuration describes. When this returns, every key that something is wrapped by is in it, and
/// one that was made is durable, and readable by its owner only.
pub async fn load(settings: &Encryption, data_dir: &DataDir, meta: &Meta) -> Result<Keyring, Failure> {
    let registered = registry::registered(meta).await.map_err(|err| Failure::running(&err))?;
    let (masters, place) = match &settings.master {
        MasterKey::Given(keys) => (keys.clone(), "encryption.master_key".to_owned()),
        MasterKey::File(path) => (read(path)?, path.display().to_string()),
        MasterKey::InDataDir => {
            let path = data_dir.path().join(FILE_NAME);
            if !path.exists() && registered.is_empty() {
                create(data_dir.path())?;
            }
            // A file that is gone has none of the keys that are missed below.
            let keys = if path.exists() { read(&path)? } else { Vec::new() };
            (keys, path.display().to_string())
        }
    };
    let keyring = Keyring::new(&masters, &settings.kms_keys);
    match registry::missing(&registered, &keyring)[..] {
        [] => Ok(keyring),
        ref missing => Err(Failure::Configuration(format!(
            "encryption: objects are encrypted with the master key {}, which is not in {place}: put it back from a \
             backup; a newer key is added after it, not in its place",
            missing.join(" and ")
        ))),
    }
}

fn read(path: &Path) -> Result<Vec<[u8; KEY_LEN]>, Failure> {
    let failed = |why: String| {
        Failure::Configuration(format!("encryption.master_key_file: cannot use {}: {why}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|err| failed(err.to_string()))?;
    match keys_in(&text).map_err(|why| failed(format!("a line {why}")))? {
        keys if keys.is_empty() => Err(failed("it holds no key".to_owned())),
        keys => Ok(keys),
    }
}

fn create(data_dir: &Path) -> Result<(), Failure> {
    let text = format!(
        "# The master key of encrypted objects. Back it up: without it they cannot be read.\n\
         # To change it, add a line and restart; the last line encrypts, the others still decrypt.\n{}\n",
        BASE64.encode(random::bytes::<KEY_LEN>())
    );
    data_dir::write_durably(data_dir, FILE_NAME, text.as_bytes(), 0o600).map_err(|err| Failure::running(&err))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::base::tasks::Tasks;
    use crate::engine::encryption::{Encryption as Asked, wanted};
    use crate::engine::ops::create_bucket::{CreateBucket, create_bucket};
    use crate::engine::{self, Engine};
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    fn settings(master: MasterKey) -> Encryption {
        Encryption { master, kms_keys: BTreeMap::new(), require_tls: true }
    }

    /// Encrypts something with the newest key.
    async fn encrypt(meta: &Meta, keyring: Keyring) {
        let settings = engine::Settings { keyring: Arc::new(keyring), ..engine::Settings::default() };
        let blobs = Arc::new(crate::blob::memory::Memory::new());
        let engine = Engine::new(meta.clone(), blobs, Clock::manual(0), Tasks::new(), settings);
        let bucket = CreateBucket { name: "bucket".into(), owner: "owner".into(), ..CreateBucket::default() };
        let _ = create_bucket(&engine, bucket).await;
        wanted(&engine, &"bucket".into(), Some(&Asked::S3)).await.unwrap();
    }

    #[tokio::test]
    async fn makes_a_key_once_that_only_its_owner_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        let meta = Meta::new(crate::meta::memory::Memory::new());
        let made = load(&settings(MasterKey::InDataDir), &data_dir, &meta).await.unwrap();
        let path = folder.path().join(FILE_NAME);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let kept = load(&settings(MasterKey::InDataDir), &data_dir, &meta).await.unwrap();
        assert!(made.masters().eq(kept.masters()));
        // Nothing is encrypted yet, so another one does as well.
        std::fs::remove_file(&path).unwrap();
        let other = load(&settings(MasterKey::InDataDir), &data_dir, &meta).await.unwrap();
        assert!(!other.masters().eq(kept.masters()));
    }

    #[tokio::test]
    async fn a_key_that_is_needed_is_missed_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        let meta = Meta::new(crate::meta::memory::Memory::new());
        let made = load(&settings(MasterKey::InDataDir), &data_dir, &meta).await.unwrap();
        let fingerprint = made.masters().next().unwrap().to_owned();
        encrypt(&meta, made).await;
        let path = folder.path().join(FILE_NAME);
        let old = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{old}{}\n", BASE64.encode([7; KEY_LEN]))).unwrap();
        let both = load(&settings(MasterKey::InDataDir), &data_dir, &meta).await.unwrap();
        assert_eq!(both.masters().count(), 2);
        std::fs::write(&path, BASE64.encode([7; KEY_LEN])).unwrap();
        for master in
            [MasterKey::InDataDir, MasterKey::Given(vec![[8; KEY_LEN]]), MasterKey::File(path.clone())]
        {
            let error = format!("{:?}", load(&settings(master), &data_dir, &meta).await.unwrap_err());
            assert!(error.contains(&fingerprint) && error.contains("backup"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(load(&settings(MasterKey::InDataDir), &data_dir, &meta).await.is_err());
        assert!(!path.exists(), "no new key beside data that needs the old one");
    }

    #[tokio::test]
    async fn a_file_without_a_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        let meta = Meta::new(crate::meta::memory::Memory::new());
        let path = folder.path().join("keys");
        for text in ["", "# only this\n", "hunter2\n"] {
            std::fs::write(&path, text).unwrap();
            let error = load(&settings(MasterKey::File(path.clone())), &data_dir, &meta).await.unwrap_err();
            let error = format!("{error:?}");
            assert!(error.contains("Configuration") && !error.contains("hunter2"), "{error}");
        }
    }
}
