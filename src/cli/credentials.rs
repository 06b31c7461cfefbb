//! The key pair of a gateway that was given none: random, made on the first start, kept beside the data.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

use super::config::User;
use super::data_dir::{self, DataDir};
use crate::base::random;
use crate::wire::sigv4::Secret;

const FILE_NAME: &str = "credentials";
/// The characters of a key id after its first two. 32 of them, so that no choice is likelier than another.
const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    access_key_id: String,
    secret_access_key: String,
}

/// Why the kept key pair cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {reason}; remove the file to have a new key pair made", path = .path.display())]
    Read { path: PathBuf, reason: String },
    #[error(transparent)]
    Write(#[from] data_dir::Error),
}

/// The user whose key pair is kept in the data directory, made now if there is none. Durable, and readable by its
/// owner only, when this returns. The file's path comes with it.
pub fn load_or_create(data_dir: &DataDir) -> Result<(User, PathBuf), Error> {
    let path = data_dir.path().join(FILE_NAME);
    let file = match std::fs::read_to_string(&path) {
        Ok(text) => read(&path, &text)?,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => create(data_dir.path())?,
        Err(err) => return Err(Error::Read { path, reason: err.to_string() }),
    };
    Ok((User::named("main", file.access_key_id, Secret::new(file.secret_access_key)), path))
}

fn read(path: &Path, text: &str) -> Result<File, Error> {
    // The parser's own message would show the line, and with it the secret.
    toml::from_str(text).map_err(|_| Error::Read {
        path: path.to_path_buf(),
        reason: "it is not TOML with access_key_id and secret_access_key".to_string(),
    })
}

fn create(data_dir: &Path) -> Result<File, Error> {
    let id = random::bytes::<18>().map(|byte| ID_ALPHABET[usize::from(byte % 32)]);
    let id = String::from_utf8(id.to_vec()).expect("the alphabet is ASCII");
    let file = File {
        access_key_id: format!("DT{id}"),
        secret_access_key: URL_SAFE_NO_PAD.encode(random::bytes::<30>()),
    };
    let text = toml::to_string(&file).expect("two texts can be written as TOML");
    data_dir::write_durably(data_dir, FILE_NAME, text.as_bytes(), 0o600)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn makes_a_pair_once_that_only_its_owner_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        let (made, path) = load_or_create(&data_dir).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((made.access_key_id.len(), made.secret_access_key.expose().len()), (20, 40));
        let (kept, _) = load_or_create(&data_dir).unwrap();
        assert_eq!(kept.access_key_id, made.access_key_id);
        assert_eq!(kept.secret_access_key.expose(), made.secret_access_key.expose());
    }

    #[test]
    fn a_broken_file_is_not_replaced_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        std::fs::write(folder.path().join(FILE_NAME), "secret_access_key = hunter2").unwrap();
        let error = load_or_create(&data_dir).unwrap_err().to_string();
        assert!(error.contains("credentials") && !error.contains("hunter2"), "{error}");
    }
}
