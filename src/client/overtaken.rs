//! Whether something else has come to be where a transfer goes since it began.
//!
//! Whoever types a command again means that command. `dovetail resume` means everything that was left unfinished, perhaps long ago:
//! then what has taken its place since is newer, and stays.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::client::endpoint::Endpoint;
use crate::client::error::Error;
use crate::client::journal::{Direction, Header};
use crate::client::operations::requests::ObjectHead;
use crate::client::same::has_bytes_of;
use crate::client::source::Source;

/// # Errors
/// [`Error::Overtaken`] if the object, or the local file, is younger than the transfer and has other bytes than it would bring.
pub async fn check_not_overtaken(endpoint: &Arc<Endpoint>, header: &Header) -> Result<(), Error> {
    let address = header.address();
    let (target, head) = match header.direction {
        Direction::Upload => (address.to_string(), newer_object(endpoint, header).await?),
        Direction::Download if !is_newer_file(header) => return Ok(()),
        Direction::Download => (header.path.display().to_string(), Some(endpoint.look_at(&address).await?)),
    };
    let Some(head) = head else { return Ok(()) };
    // What cannot be read fails by itself, later and with its reason.
    let Some(source) = whole_file(&header.path) else { return Ok(()) };
    let doing = format!("read {}", header.path.display());
    match has_bytes_of(endpoint, &address, &head, &source, &doing).await? {
        true => Ok(()),
        false => Err(Error::Overtaken { target, address: address.to_string() }),
    }
}

/// Whether two transfers go to the same place: only one of them could stay.
pub fn have_one_target(one: &Header, other: &Header) -> bool {
    one.direction == other.direction
        && match one.direction {
            Direction::Upload => {
                (&one.endpoint, &one.bucket, &one.key) == (&other.endpoint, &other.bucket, &other.key)
            }
            Direction::Download => one.path == other.path,
        }
}

/// Whoever may write but not read cannot know, and neither can who has not the key that the object there is encrypted with.
async fn newer_object(endpoint: &Arc<Endpoint>, header: &Header) -> Result<Option<ObjectHead>, Error> {
    match endpoint.head_object(&header.address()).await {
        Err(error) if matches!(error.status(), Some(400 | 403 | 404)) => Ok(None),
        head => Ok(Some(head?).filter(|head| {
            head.modified_s.is_some_and(|modified_s| modified_s > header.started_ms.div_euclid(1000))
        })),
    }
}

/// By a time that programs cannot set: a file that was moved here is as new as that.
fn is_newer_file(header: &Header) -> bool {
    fs::metadata(&header.path)
        .is_ok_and(|metadata| metadata.ctime() * 1000 + metadata.ctime_nsec() / 1_000_000 > header.started_ms)
}

fn whole_file(path: &Path) -> Option<Source> {
    let file = File::open(path).ok()?;
    let len = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
    Some(Source::File { file: Arc::new(file), path: path.into(), offset: 0, len })
}
