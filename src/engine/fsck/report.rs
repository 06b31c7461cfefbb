//! What a check found.

use super::owners::Owners;
use crate::blob::BlobId;
use std::fmt;

/// Findings that are kept; further ones are only counted, so that a store with a million of them can be reported.
const FINDINGS_MAX: usize = 1000;

/// The outcome of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsckReport {
    pub buckets: u64,
    /// Current objects and old versions, without delete markers.
    pub objects: u64,
    /// Bytes of all objects; bytes that copies share count for each.
    pub objects_len: u64,
    pub uploads: u64,
    /// Of objects, of open uploads, and of what waits to be collected.
    pub parts: u64,
    pub blobs: u64,
    pub blobs_len: u64,
    /// Bytes read and compared with their checksums.
    pub verified_len: u64,
    /// Entries that wait for the collector.
    pub queued: u64,
    /// Findings that were put right.
    pub repaired: u64,
    /// Blobs without a record that still take up space, and their bytes: among what was found, and harmless.
    pub orphans: u64,
    pub orphans_len: u64,
    /// All findings, also those that are not listed.
    pub found: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
}

impl FsckReport {
    /// Nothing is wrong, or nothing any more.
    pub fn is_clean(&self) -> bool {
        self.found == self.repaired
    }

    /// Nothing is wrong with what is kept. A crash can leave blobs without a record behind, which only take up space.
    pub fn is_sound(&self) -> bool {
        self.found == self.repaired + self.orphans
    }

    pub(super) fn add(&mut self, problem: Problem, subject: impl fmt::Display) {
        self.push(Finding::new(problem, None, subject));
    }

    /// The same of a blob in which somebody's bytes are.
    pub(super) fn add_of_blob(&mut self, problem: Problem, blob: BlobId, subject: impl fmt::Display) {
        self.push(Finding::new(problem, Some(blob), subject));
    }

    pub(super) fn add_orphan(&mut self, len: u64, subject: impl fmt::Display) {
        self.orphans += 1;
        self.orphans_len += len;
        self.add(Problem::BlobOrphaned, subject);
    }

    pub(super) fn add_repaired(&mut self, problem: Problem, subject: impl fmt::Display) {
        self.repaired += 1;
        self.push(Finding { repaired: true, ..Finding::new(problem, None, subject) });
    }

    fn push(&mut self, finding: Finding) {
        self.found += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub problem: Problem,
    /// On what, and the numbers that differ.
    pub subject: String,
    /// The blob, where it is one that somebody has bytes in.
    pub(super) blob: Option<BlobId>,
    /// Who that is.
    pub owners: Owners,
    pub repaired: bool,
}

impl Finding {
    fn new(problem: Problem, blob: Option<BlobId>, subject: impl fmt::Display) -> Finding {
        let owners = Owners::default();
        Finding { problem, subject: subject.to_string(), blob, owners, repaired: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem.describe(), self.subject)?;
        if !self.owners.names.is_empty() {
            write!(f, "; in it are bytes of {}", self.owners.names.join(", "))?;
        }
        if self.owners.unnamed > 0 {
            write!(f, " and {} more", self.owners.unnamed)?;
        }
        if self.repaired { f.write_str(" (repaired)") } else { Ok(()) }
    }
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// What can be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Problem {
            $($(#[$doc])* $name,)*
        }

        impl Problem {
            pub fn describe(self) -> &'static str {
                match self {
                    $(Problem::$name => $text,)*
                }
            }
        }
    };
}

problems! {
    UnreadableRecord = "a record cannot be read",
    /// An object or upload of a bucket that is neither there nor being collected.
    NoBucket = "the bucket does not exist",
    /// A read would not find the version it should, or a listing show it in the wrong place.
    VersionMisplaced = "a version is not where it belongs",
    /// Part, index or inline bytes that a version names.
    ContentMissing = "the bytes of an object are missing",
    /// Lengths or counts of version, index and parts do not fit.
    ContentDiffers = "an object is not what its version says",
    /// A part's length is not that of its extents, or an extent is outside its blob.
    PartDiffers = "a part is not what its record says",
    ProgressDiffers = "an upload has not the parts its progress says",
    /// Parts or inline bytes that nothing names.
    ContentUnnamed = "no object and no upload names these bytes",
    CountDiffers = "a reference counter is wrong",
    /// Something is queued for the collector that is still named: it would be lost.
    QueuedInUse = "something that is in use is queued for deletion",
    BlobRecordMissing = "a part names a blob that has no record",
    /// A record of a blob that no part names.
    BlobUnnamed = "no part names a blob",
    BlobMissing = "a blob is missing",
    BlobDiffers = "a blob has not the length its record says",
    BlobCorrupt = "a blob does not match its checksums",
    /// A blob without record that is not queued: a crash before a commit leaves such. Can be repaired.
    BlobOrphaned = "a blob that no record names takes up space",
}
