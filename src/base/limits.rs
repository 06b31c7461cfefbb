//! S3's limits, as Amazon documents them ("Amazon S3 multipart upload limits", "Creating object key names").

/// One mebibyte.
pub const MIB: u64 = 1 << 20;
/// The highest part number; the lowest is 1.
pub const PART_NUMBER_MAX: u16 = 10_000;
/// Every part but the last of a completed upload has at least this many bytes.
pub const PART_LEN_MIN: u64 = 5 * MIB;
/// A part, a single PutObject and the source of a single copy have at most this many bytes (5 GiB).
pub const PART_LEN_MAX: u64 = 5 << 30;
/// 10,000 parts of 5 GiB.
pub const OBJECT_LEN_MAX: u64 = PART_LEN_MAX * PART_NUMBER_MAX as u64;
/// Bytes of an object key in UTF-8.
pub const KEY_LEN_MAX: usize = 1024;
/// Bytes of user metadata: names without `x-amz-meta-`, and values.
pub const USER_METADATA_LEN_MAX: usize = 2048;
/// Entries on a page of any listing.
pub const PAGE_LEN_MAX: usize = 1000;
/// Keys in one DeleteObjects request.
pub const DELETE_OBJECTS_MAX: usize = 1000;
/// Bytes of a request's headers: names, values and what separates them.
pub const HEADER_SECTION_LEN_MAX: usize = 8 << 10;
