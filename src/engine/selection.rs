//! Which bytes of a version a read asks for: all, a range, or a part.

use crate::engine::{Error, extents};
use crate::meta::Read;
use crate::meta::records::{Body, Checksum, ChecksumKind, VersionRecord};

/// What a read asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PartOrRange {
    #[default]
    Whole,
    Range(ByteRange),
    /// The part at this position of the completed list, from 1.
    Part(u16),
}

/// A Range header that is worth looking at, with its If-Range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteRange {
    pub range: RangeSpec,
    pub if_range: Option<IfRange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// Both inclusive; no `last` means up to the end.
    FromTo { first: u64, last: Option<u64> },
    /// The last so many bytes.
    Suffix(u64),
}

/// The range counts only when this is still so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfRange {
    /// Without quotes. A weak tag keeps its `W/` and so is never equal.
    ETag(String),
    /// Unix seconds, equal to the time of the last change.
    Date(i64),
}

/// How an answer relates to the whole object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partial {
    Whole,
    Range,
    /// The count of parts when the object is a multipart one. May have no bytes: then there is no Content-Range.
    Part {
        parts: Option<u16>,
    },
}

/// Bytes of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    pub first: u64,
    pub len: u64,
    pub partial: Partial,
    /// What to show as the checksum when a part was asked for, if anything is. Parts have checksums of their own only where
    /// the object's is made of them; one over all bytes is told with the only part that has them all.
    pub part_checksum: Option<Checksum>,
}

/// The bytes that `asked` means. `InvalidRange` or `InvalidPartNumber` when there are none.
pub fn select(read: &dyn Read, version: &VersionRecord, asked: &PartOrRange) -> Result<Selection, Error> {
    let whole = Selection { first: 0, len: version.len, partial: Partial::Whole, part_checksum: None };
    match asked {
        PartOrRange::Whole => Ok(whole),
        PartOrRange::Range(range) => Ok(match range.resolve(version)? {
            None => whole,
            Some((first, len)) => Selection { first, len, partial: Partial::Range, ..whole },
        }),
        PartOrRange::Part(number) => match version.body {
            Body::Multipart(_) => part_of_many(read, version, *number),
            _ if *number > 1 => Err(Error::InvalidPartNumber { requested: *number, parts: 1 }),
            // No Content-Range can say "no bytes", so an empty object is not partial.
            _ if version.len == 0 => Ok(Selection { part_checksum: version.checksum.clone(), ..whole }),
            _ => Ok(Selection {
                partial: Partial::Part { parts: None },
                part_checksum: version.checksum.clone(),
                ..whole
            }),
        },
    }
}

fn part_of_many(read: &dyn Read, version: &VersionRecord, number: u16) -> Result<Selection, Error> {
    let content = version.body.content().expect("a multipart body has a content");
    let index = extents::index(read, content)?;
    if number == 0 || number > index.parts {
        return Err(Error::InvalidPartNumber { requested: number, parts: index.parts });
    }
    let found = extents::part_at(read, content, &index, number)?;
    let part_checksum = version.checksum.as_ref().and_then(|whole| match whole.kind {
        ChecksumKind::Composite => Some(Checksum { kind: whole.kind, ..found.part.checksum }),
        ChecksumKind::FullObject => (index.parts == 1).then(|| whole.clone()),
    });
    let partial = Partial::Part { parts: Some(index.parts) };
    Ok(Selection { first: found.start, len: found.part.len, partial, part_checksum })
}

impl ByteRange {
    /// First byte and length, `None` when the range is to be ignored.
    fn resolve(&self, version: &VersionRecord) -> Result<Option<(u64, u64)>, Error> {
        let holds = match &self.if_range {
            None => true,
            Some(IfRange::ETag(tag)) => *tag == version.etag.to_string(),
            Some(IfRange::Date(seconds)) => *seconds == version.modified_ms.div_euclid(1000),
        };
        if holds { self.range.resolve(version.len) } else { Ok(None) }
    }
}

impl RangeSpec {
    fn resolve(self, len: u64) -> Result<Option<(u64, u64)>, Error> {
        match self {
            RangeSpec::FromTo { first, last: Some(last) } if first > last => Ok(None),
            RangeSpec::FromTo { first, .. } if first >= len => Err(Error::InvalidRange { len }),
            RangeSpec::FromTo { first, last } => {
                let last = last.map_or(len - 1, |last| last.min(len - 1));
                Ok(Some((first, last - first + 1)))
            }
            RangeSpec::Suffix(0) => Err(Error::InvalidRange { len }),
            RangeSpec::Suffix(_) if len == 0 => Ok(None),
            RangeSpec::Suffix(wanted) => {
                let wanted = wanted.min(len);
                Ok(Some((len - wanted, wanted)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_mean_what_s3_says() {
        use RangeSpec::{FromTo, Suffix};
        let to = |first, last| FromTo { first, last: Some(last) };
        let from = |first| FromTo { first, last: None };
        // Range, length of the object, first byte and length; `Err` is InvalidRange, `Ok(None)` the whole object.
        let table = [
            (to(0, 0), 10, Ok(Some((0, 1)))),
            (to(2, 5), 10, Ok(Some((2, 4)))),
            (to(2, 9), 10, Ok(Some((2, 8)))),
            (to(2, u64::MAX), 10, Ok(Some((2, 8)))),
            (to(9, 9), 10, Ok(Some((9, 1)))),
            (to(10, 12), 10, Err(())),
            (to(5, 4), 10, Ok(None)),
            (to(50, 40), 10, Ok(None)),
            (from(0), 10, Ok(Some((0, 10)))),
            (from(9), 10, Ok(Some((9, 1)))),
            (from(10), 10, Err(())),
            (from(u64::MAX), 10, Err(())),
            (Suffix(3), 10, Ok(Some((7, 3)))),
            (Suffix(10), 10, Ok(Some((0, 10)))),
            (Suffix(u64::MAX), 10, Ok(Some((0, 10)))),
            (Suffix(0), 10, Err(())),
            (from(0), 0, Err(())),
            (to(0, 5), 0, Err(())),
            (Suffix(3), 0, Ok(None)),
            (Suffix(0), 0, Err(())),
        ];
        for (range, len, expected) in table {
            let found = range
                .resolve(len)
                .map_err(|err| assert!(matches!(err, Error::InvalidRange { len: l } if l == len)));
            assert_eq!(found, expected, "{range:?} of {len}");
        }
    }
}
