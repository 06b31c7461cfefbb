//! Standard input as the bytes of an upload, kept from every process that is started meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{OFlags, fcntl_getfl};

/// Takes stdin. From then on whoever inherits it, such as a `credential_process` that the profile names, reads nothing,
/// rather than bytes that the upload would miss.
///
/// # Errors
/// [`io::ErrorKind::NotConnected`] if there is no stdin: nothing was to come out of it, which is not the same as no bytes.
pub fn take_stdin() -> io::Result<File> {
    let taken = io::stdin().as_fd().try_clone_to_owned()?;
    let null = File::open("/dev/null")?;
    if was_closed(&taken, &null)? {
        let reason = "it is closed; `< /dev/null` makes an empty object";
        return Err(io::Error::new(io::ErrorKind::NotConnected, reason));
    }
    rustix::stdio::dup2_stdin(null)?;
    Ok(File::from(taken))
}

/// In place of a stdin that is closed Rust opens `/dev/null` before `main`, for reading and writing; a shell's `< /dev/null` is for reading.
fn was_closed(stdin: &OwnedFd, null: &File) -> io::Result<bool> {
    let is_null = File::from(stdin.try_clone()?).metadata()?.rdev() == null.metadata()?.rdev();
    Ok(is_null && fcntl_getfl(stdin)? & OFlags::ACCMODE == OFlags::RDWR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    #[test]
    fn a_stdin_that_is_closed_is_not_one_that_is_empty() {
        let null = File::open("/dev/null").unwrap();
        let opened = |path: &str, writes: bool| {
            OwnedFd::from(OpenOptions::new().read(true).write(writes).open(path).unwrap())
        };
        assert!(was_closed(&opened("/dev/null", true), &null).unwrap());
        assert!(!was_closed(&opened("/dev/null", false), &null).unwrap());
        assert!(!was_closed(&opened("/dev/zero", true), &null).unwrap());
        let (reader, _writer) = io::pipe().unwrap();
        assert!(!was_closed(&reader.into(), &null).unwrap());
    }
}
