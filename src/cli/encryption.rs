//! How objects are encrypted on the server, and the keys that it does not keep.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use http::{HeaderMap, HeaderValue};

use crate::client::endpoint::customer_key::CustomerKey;
use crate::client::error::Error;

/// A key and white space around it; whatever is longer is none.
const KEY_FILE_LEN_MAX: u64 = 1024;
/// That others may read a file.
const OTHERS_READ: u32 = 0o004;

/// For commands that read objects or write them.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Encryption")]
pub struct KeyFile {
    /// The object's key (SSE-C) is in this file: 32 bytes, or these in base64; nobody but you and your group may read it
    #[arg(long, value_name = "FILE")]
    pub sse_c_key_file: Option<PathBuf>,
}

/// For commands that write objects.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Encryption")]
pub struct Encryption {
    #[command(flatten)]
    pub key: KeyFile,
    /// Have the server encrypt the object with keys of its own
    #[arg(long, value_name = "KIND", conflicts_with = "sse_c_key_file",
          value_parser = PossibleValuesParser::new(["AES256", "aws:kms", "aws:kms:dsse"]))]
    sse: Option<String>,
    /// Which key of KMS that is
    #[arg(long, value_name = "ID", requires = "sse")]
    sse_kms_key_id: Option<String>,
}

/// Where the keys of a command are.
#[derive(Clone, Debug, Default)]
pub struct KeyFiles {
    pub own: Option<PathBuf>,
    pub copy_source: Option<PathBuf>,
}

impl Encryption {
    /// What a new object's headers say; the keys of clients go with each request.
    pub fn add_to(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        let named = [
            ("x-amz-server-side-encryption", &self.sse),
            ("x-amz-server-side-encryption-aws-kms-key-id", &self.sse_kms_key_id),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                let read = HeaderValue::try_from(value);
                let unfit = |_| Error::Usage(format!("{name}: {value:?} is nothing that HTTP can carry"));
                headers.insert(name, read.map_err(unfit)?);
            }
        }
        Ok(())
    }
}

/// Reads a key. What is no file, such as a pipe of a shell's, is nobody else's anyway.
pub fn read_key(path: &Path) -> Result<CustomerKey, Error> {
    let unreadable = |error| Error::file(format!("read the key {}", path.display()), error);
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_file() && metadata.permissions().mode() & OTHERS_READ != 0 {
        let path = path.display();
        return Err(Error::Usage(format!(
            "anybody on this machine can read the key {path}: chmod o-r {path}"
        )));
    }
    let mut content = Vec::new();
    file.take(KEY_FILE_LEN_MAX).read_to_end(&mut content).map_err(unreadable)?;
    CustomerKey::parse(&content).ok_or_else(|| {
        let expected = "32 bytes, or these in base64; make one with `head -c 32 /dev/urandom`";
        Error::Usage(format!("{} is no key: expected {expected}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};

    #[test]
    fn a_key_that_anybody_can_read_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, [7; 32]).unwrap();
        for (mode, expected) in [(0o600, true), (0o640, true), (0o644, false), (0o604, false)] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_key(&path).is_ok(), expected, "{mode:o}");
        }
        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for content in [&[7; 31][..], &[b'A'; 5000]] {
            std::fs::write(&path, content).unwrap();
            let error = read_key(&path).unwrap_err();
            assert!(matches!(&error, Error::Usage(text) if !text.contains("AAAA")), "{error}");
        }
        assert!(matches!(read_key(&folder.path().join("none")), Err(Error::File { .. })));
    }
}
