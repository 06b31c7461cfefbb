//! The key that seals the secrets of users who are made at run time: random, made on the first start, kept beside the
//! metadata and not in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::PathBuf;

use super::data_dir::{self, DataDir};
use crate::base::random;
use crate::engine::users::{KEY_LEN, SealingKey};

const FILE_NAME: &str = data_dir::MADE_LAST;

/// Why the kept key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {reason}; put it back from a backup, or remove it and make the users' keys anew", path = .path.display())]
    Read { path: PathBuf, reason: String },
    #[error(transparent)]
    Write(#[from] data_dir::Error),
}

/// The data directory's sealing key, made now if there is none. Durable, and readable by its owner only, when this
/// returns.
pub fn load_or_create(data_dir: &DataDir) -> Result<SealingKey, Error> {
    let path = data_dir.path().join(FILE_NAME);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let key =
                STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; KEY_LEN]>::try_from(bytes).ok());
            let key = key.ok_or_else(|| Error::Read {
                path,
                reason: format!("it is not base64 of {KEY_LEN} bytes"),
            })?;
            Ok(SealingKey::new(&key))
        }
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            let key = random::bytes::<KEY_LEN>();
            let text = format!("{}\n", STANDARD.encode(key));
            data_dir::write_durably(data_dir.path(), FILE_NAME, text.as_bytes(), 0o600)?;
            Ok(SealingKey::new(&key))
        }
        Err(err) => Err(Error::Read { path, reason: err.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_made_once_and_a_broken_one_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        let sealed = load_or_create(&data_dir).unwrap().seal("secret", "key");
        assert_eq!(load_or_create(&data_dir).unwrap().open(&sealed, "key").as_deref(), Some("secret"));
        let path = folder.path().join(FILE_NAME);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "c2hvcnQ=").unwrap();
        assert!(load_or_create(&data_dir).unwrap_err().to_string().contains("user-secrets.key"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "c2hvcnQ=");
    }
}
