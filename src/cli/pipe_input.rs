//! Standard input as the bytes of an upload, kept from every process that is started meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;

/// Takes stdin. From then on whoever inherits it, such as a `credential_process` that the profile names, reads nothing,
/// rather than bytes that the upload would miss.
pub fn take_stdin() -> io::Result<File> {
    let taken = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(File::from(taken))
}
