//! From an offset or a position in a content to its parts, and from parts to extents.
//!
//! A content of up to 10,000 parts is never read whole: its index leads to within 64 parts of any offset or position,
//! and the parts from there on are read in pages.

use crate::engine::Error;
use crate::meta::keys::{self, ContentId};
use crate::meta::records::{
    Body, ContentIndex, Extent, IndexEntry, PARTS_PER_INDEX_ENTRY, PartRecord, Record,
};
use crate::meta::{ErrorKind, Read, Step, Table};

/// Extents of one part. Copies of copies could double them each time, until a record has millions and no transaction
/// ends; a range of more is copied byte by byte. 5 GiB of parts of 5 MiB that were uploaded are 1,025 extents at most.
pub const EXTENTS_PER_PART_MAX: usize = 2048;

/// A part and where its first byte is in the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPart {
    pub number: u16,
    pub start: u64,
    pub part: PartRecord,
}

/// Where to begin reading: so many bytes after the beginning of the part of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub number: u16,
    pub skip: u64,
}

/// Consecutive extents, and where what follows them begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub extents: Vec<Extent>,
    /// Bytes in the extents.
    pub len: u64,
    pub next: Place,
}

/// The index of a completed upload.
pub fn index(read: &dyn Read, content: ContentId) -> Result<ContentIndex, Error> {
    find_index(read, content)?.ok_or_else(|| damaged(content, "its index is missing"))
}

/// The index of a content, which only a completed upload has.
pub fn find_index(read: &dyn Read, content: ContentId) -> Result<Option<ContentIndex>, Error> {
    let bytes = read.get(Table::Parts, &keys::part(content, 0))?;
    Ok(bytes.map(|bytes| ContentIndex::decode(&bytes)).transpose()?)
}

/// Visits the parts of a content in order, from `number` on, until `visit` returns false.
pub fn scan_parts(
    read: &dyn Read,
    content: ContentId,
    number: u16,
    visit: &mut dyn FnMut(u16, PartRecord) -> bool,
) -> Result<(), Error> {
    let index = find_index(read, content)?;
    scan_indexed(read, content, index.as_ref(), number, visit)
}

fn scan_indexed(
    read: &dyn Read,
    content: ContentId,
    index: Option<&ContentIndex>,
    number: u16,
    visit: &mut dyn FnMut(u16, PartRecord) -> bool,
) -> Result<(), Error> {
    let mut failure = None;
    read.scan(Table::Parts, &keys::part(content, number.max(1)), &mut |stored, value| {
        let Some(number) = keys::part_number(content, stored) else { return Step::Stop };
        if index.is_some_and(|index| index.is_unlisted(number)) {
            return Step::Next;
        }
        match PartRecord::decode(value) {
            Ok(part) => match visit(number, part) {
                true => Step::Next,
                false => Step::Stop,
            },
            Err(err) => {
                failure = Some(err);
                Step::Stop
            }
        }
    })?;
    failure.map_or(Ok(()), |err| Err(err.into()))
}

/// Visits the parts of a completed upload by position, from `position` on, until `visit` returns false.
pub fn scan_positions(
    read: &dyn Read,
    content: ContentId,
    index: &ContentIndex,
    position: u16,
    visit: &mut dyn FnMut(u16, FoundPart) -> bool,
) -> Result<(), Error> {
    let row = usize::from(position.max(1) - 1) / PARTS_PER_INDEX_ENTRY;
    let entry = entry(content, index, row)?;
    let mut at = (row * PARTS_PER_INDEX_ENTRY) as u16;
    let mut start = entry.offset;
    scan_indexed(read, content, Some(index), entry.number, &mut |number, part| {
        at += 1;
        let found = FoundPart { number, start, part };
        start += found.part.len;
        at < position || visit(at, found)
    })
}

/// The part at `position`, from 1 to the count in the index.
pub fn part_at(
    read: &dyn Read,
    content: ContentId,
    index: &ContentIndex,
    position: u16,
) -> Result<FoundPart, Error> {
    let mut found = None;
    scan_positions(read, content, index, position, &mut |_, part| {
        found = Some(part);
        false
    })?;
    found.ok_or_else(|| damaged(content, "it has fewer parts than its index says"))
}

/// A place at or before `offset`, at most an index entry's parts away.
pub fn locate(read: &dyn Read, body: &Body, offset: u64) -> Result<Place, Error> {
    let Body::Multipart(content) = *body else { return Ok(Place { number: 1, skip: offset }) };
    let index = index(read, content)?;
    let row = index.entries.partition_point(|entry| entry.offset <= offset);
    let row = row.checked_sub(1).ok_or_else(|| damaged(content, "its index does not begin at 0"))?;
    let entry = entry(content, &index, row)?;
    Ok(Place { number: entry.number, skip: offset - entry.offset })
}

/// The extents from `place` on: `wanted` bytes, or fewer when they need more than `extents_max` extents; then it ends
/// with a part, and so has up to [`EXTENTS_PER_PART_MAX`] more. Too few parts are `Storage`, never a shorter run.
pub fn run(
    read: &dyn Read,
    content: ContentId,
    place: Place,
    wanted: u64,
    extents_max: usize,
) -> Result<Run, Error> {
    let mut run = Run { extents: Vec::new(), len: 0, next: place };
    let mut skip = place.skip;
    let mut whole = true;
    scan_parts(read, content, place.number, &mut |number, part| {
        if skip >= part.len {
            skip -= part.len;
            run.next = Place { number: number + 1, skip };
            return true;
        }
        let taken = (part.len - skip).min(wanted - run.len);
        whole &= cut(&part.extents, skip, taken, &mut run.extents);
        run.len += taken;
        run.next = match skip + taken {
            end if end == part.len => Place { number: number + 1, skip: 0 },
            end => Place { number, skip: end },
        };
        skip = 0;
        run.len < wanted && run.extents.len() < extents_max
    })?;
    if !whole {
        return Err(damaged(content, "a part is longer than its extents"));
    }
    if run.len < wanted && run.extents.len() < extents_max {
        return Err(damaged(content, "parts are missing"));
    }
    Ok(run)
}

/// The extents of `len` bytes from `first` on of a body that has parts; `None` when they are too many for one part.
pub fn slice(read: &dyn Read, body: &Body, first: u64, len: u64) -> Result<Option<Vec<Extent>>, Error> {
    let Some(content) = body.content().filter(|_| len > 0) else { return Ok(Some(Vec::new())) };
    let place = locate(read, body, first)?;
    let run = run(read, content, place, len, EXTENTS_PER_PART_MAX + 1)?;
    Ok((run.extents.len() <= EXTENTS_PER_PART_MAX).then_some(run.extents))
}

/// Appends the slices of `extents` that hold `len` bytes after the first `skip`; false when there are not as many.
fn cut(extents: &[Extent], mut skip: u64, mut len: u64, into: &mut Vec<Extent>) -> bool {
    for extent in extents {
        if len == 0 {
            break;
        }
        if skip >= extent.len {
            skip -= extent.len;
            continue;
        }
        let taken = (extent.len - skip).min(len);
        into.push(Extent::new(extent.blob(), extent.offset + skip, taken));
        skip = 0;
        len -= taken;
    }
    len == 0
}

fn entry(content: ContentId, index: &ContentIndex, row: usize) -> Result<IndexEntry, Error> {
    index.entries.get(row).copied().ok_or_else(|| damaged(content, "its index is too short"))
}

/// A content that cannot be read as it was written.
pub fn damaged(content: ContentId, why: &str) -> Error {
    crate::meta::Error::new(ErrorKind::Corrupt, format!("content {content} is damaged: {why}")).into()
}
