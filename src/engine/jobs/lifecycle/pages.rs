//! Pages of a sweep: what of a bucket is due, as one snapshot shows it. Nothing is changed here.
//!
//! Keys that no rule is about are passed over with a seek, so a page costs what its rules look at.

use super::{Bucket, is_of, text};
use crate::engine::lifecycle::{self, Day, Noncurrent};
use crate::engine::{Error, objects};
use crate::meta::keys::{self, UploadId};
use crate::meta::records::{Expiration, LifecycleRule, Record, VersionRecord};
use crate::meta::{Read, Step, Table};

/// Records that are looked at in one snapshot: about half a millisecond of one reading thread, for which a request may wait.
const ROWS_PER_PAGE: usize = 250;

/// Where a page begins.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    key: Vec<u8>,
    /// Among versions: the last of `key` that the page before has shown, when a key has more than a page holds.
    inside: Option<Inside>,
}

impl Cursor {
    /// With this object key, or the first one after it.
    pub fn at(key: &[u8]) -> Cursor {
        Cursor { key: key.to_vec(), inside: None }
    }

    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

/// How far the versions of one key are done.
#[derive(Clone, Copy, Debug)]
struct Inside {
    /// The key's newest version, current or not.
    newest: u64,
    /// The last version that was done, and when it was modified.
    last: u64,
    last_modified_ms: i64,
    /// How many versions were done that are not current.
    noncurrent: u32,
}

/// Something that is due. Whoever makes the change finds out whether it still is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proposal {
    /// A current object expires or changes its storage class.
    Object {
        key: String,
    },
    /// A version that is not current goes or changes its storage class.
    Version {
        key: String,
        sequence: u64,
        seen: Seen,
    },
    /// A delete marker goes that covers nothing.
    Marker {
        key: String,
    },
    Upload {
        key: String,
        id: UploadId,
    },
}

/// What was seen around a version that is not current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The key's newest version.
    pub newest: u64,
    /// The version that covered this one, and when it did.
    pub successor: u64,
    pub since_ms: i64,
}

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub seen: u64,
    pub proposals: Vec<Proposal>,
    pub next: Option<Cursor>,
}

/// A page of current objects.
pub(super) fn objects(
    read: &dyn Read,
    bucket: &Bucket,
    at: Cursor,
    day: Day,
    now_ms: i64,
) -> Result<Page, Error> {
    let is_about = |rule: &LifecycleRule| {
        !rule.transitions.is_empty()
            || matches!(rule.expiration, Some(Expiration::Days(_) | Expiration::Date(_)))
    };
    let mut page = Page::default();
    let mut failure = None;
    scan(read, bucket, Table::Objects, is_about, &at, &mut |key, _, value| {
        if page.seen as usize == ROWS_PER_PAGE {
            page.next = Some(Cursor::at(key));
            return false;
        }
        page.seen += 1;
        let Some(key) = text(key) else { return true };
        match VersionRecord::decode(value) {
            Ok(version) => {
                let expires = lifecycle::expiry(&bucket.rules, key, &version, day)
                    .is_some_and(|due| due.at_ms <= now_ms);
                if expires || lifecycle::transition(&bucket.rules, key, &version, day, now_ms).is_some() {
                    page.proposals.push(Proposal::Object { key: key.to_owned() });
                }
                true
            }
            Err(err) => {
                failure = Some(err);
                false
            }
        }
    })?;
    failure.map_or(Ok(page), |err| Err(err.into()))
}

/// A page of versions that are not current, and of delete markers.
pub(super) fn versions(
    read: &dyn Read,
    bucket: &Bucket,
    at: Cursor,
    day: Day,
    now_ms: i64,
) -> Result<Page, Error> {
    let is_about = |rule: &LifecycleRule| {
        rule.noncurrent_expiration.is_some()
            || !rule.noncurrent_transitions.is_empty()
            || rule.expiration.is_some()
    };
    let mut page = Page::default();
    let mut rows: Vec<(Vec<u8>, u64, VersionRecord)> = Vec::new();
    let mut failure = None;
    let mut is_full = false;
    scan(read, bucket, Table::Versions, is_about, &at, &mut |_, stored, value| {
        let Some((key, sequence)) = keys::parse_version(bucket.record.id, stored) else { return true };
        if rows.len() == ROWS_PER_PAGE {
            is_full = true;
            return false;
        }
        match VersionRecord::decode(value) {
            Ok(version) => rows.push((key.to_vec(), sequence, version)),
            Err(err) => failure = Some(err),
        }
        failure.is_none()
    })?;
    if let Some(err) = failure {
        return Err(err.into());
    }
    page.seen = rows.len() as u64;
    let mut inside = at.inside;
    let mut rest = &rows[..];
    while let Some((key, ..)) = rest.first() {
        let len = rest.iter().take_while(|(other, ..)| other == key).count();
        let (group, after) = rest.split_at(len);
        let is_last = after.is_empty() && is_full;
        if is_last && len < rows.len() {
            // The key may have more versions: it is looked at whole, on the next page.
            page.seen -= len as u64;
            page.next = Some(Cursor::at(key));
            return Ok(page);
        }
        let known = inside.take().filter(|_| *key == at.key);
        let end = judge(read, bucket, group, known, is_last, (day, now_ms), &mut page.proposals)?;
        if is_last {
            // A key that cannot be read is passed over.
            page.next = Some(match end {
                Some(_) => Cursor { key: key.clone(), inside: end },
                None => Cursor::at(&[key, &[1][..]].concat()),
            });
        }
        rest = after;
    }
    Ok(page)
}

/// Judges versions of one key, newest first. `has_more` says that there are older ones than these.
fn judge(
    read: &dyn Read,
    bucket: &Bucket,
    group: &[(Vec<u8>, u64, VersionRecord)],
    inside: Option<Inside>,
    has_more: bool,
    (day, now_ms): (Day, i64),
    proposals: &mut Vec<Proposal>,
) -> Result<Option<Inside>, Error> {
    let Some(key) = group.first().and_then(|(key, ..)| text(key)) else { return Ok(None) };
    let mut group = group.iter().map(|(_, sequence, version)| (*sequence, version)).peekable();
    let mut inside = match inside {
        Some(inside) => inside,
        None => {
            let current = objects::current(read, bucket.record.id, key)?;
            let (newest, newest_modified_ms) = match (&current, group.peek()) {
                (Some(current), _) => (current.sequence, current.modified_ms),
                // The newest version is a delete marker, and the key's current one.
                (None, Some((sequence, marker))) => {
                    let (sequence, marker) = (*sequence, *marker);
                    group.next();
                    let is_alone = group.peek().is_none() && !has_more;
                    let expires = || lifecycle::marker_expiry(&bucket.rules, key, marker, day);
                    if is_alone && marker.delete_marker && expires().is_some_and(|at_ms| at_ms <= now_ms) {
                        proposals.push(Proposal::Marker { key: key.to_owned() });
                    }
                    (sequence, marker.modified_ms)
                }
                (None, None) => return Ok(None),
            };
            Inside { newest, last: newest, last_modified_ms: newest_modified_ms, noncurrent: 0 }
        }
    };
    let first = proposals.len();
    for (sequence, version) in group {
        let since_ms = inside.last_modified_ms;
        let noncurrent = Noncurrent { version, since_ms, newer: inside.noncurrent };
        let rules = &bucket.rules;
        let goes =
            lifecycle::noncurrent_expiry(rules, key, noncurrent, day).is_some_and(|at_ms| at_ms <= now_ms);
        if goes || lifecycle::noncurrent_transition(rules, key, noncurrent, day, now_ms).is_some() {
            let seen = Seen { newest: inside.newest, successor: inside.last, since_ms };
            proposals.push(Proposal::Version { key: key.to_owned(), sequence, seen });
        }
        inside.last = sequence;
        inside.last_modified_ms = version.modified_ms;
        inside.noncurrent = inside.noncurrent.saturating_add(1);
    }
    // The oldest first, so that each still finds the version that covered it.
    proposals[first..].reverse();
    Ok(Some(inside))
}

/// A page of open uploads.
pub(super) fn uploads(
    read: &dyn Read,
    bucket: &Bucket,
    at: Cursor,
    day: Day,
    now_ms: i64,
) -> Result<Page, Error> {
    let mut page = Page::default();
    let mut last_key = Vec::new();
    let is_about = |rule: &LifecycleRule| rule.abort_uploads_days.is_some();
    scan(read, bucket, Table::Uploads, is_about, &at, &mut |_, stored, _| {
        let Some((key, id)) = keys::parse_upload(bucket.record.id, stored) else { return true };
        // A page ends between two keys, so that its end has a name; one key's uploads are cheap to look at.
        if page.seen as usize >= ROWS_PER_PAGE && last_key != key {
            page.next = Some(Cursor::at(key));
            return false;
        }
        last_key.clear();
        last_key.extend_from_slice(key);
        page.seen += 1;
        let Some(key) = text(key) else { return true };
        let due = lifecycle::upload_abort(&bucket.rules, key, id.time_ms(), day);
        if due.is_some_and(|due| due.at_ms <= now_ms) {
            page.proposals.push(Proposal::Upload { key: key.to_owned(), id });
        }
        true
    })?;
    Ok(page)
}

/// Is given what follows the bucket in a stored key, the stored key and the value; false ends the scan.
type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8], &[u8]) -> bool;

/// Visits the rows of a table whose keys a rule is about, from the cursor on, with their object keys or what follows
/// them; until `visit` says no.
fn scan(
    read: &dyn Read,
    bucket: &Bucket,
    table: Table,
    is_about: impl Fn(&LifecycleRule) -> bool,
    at: &Cursor,
    visit: Visit<'_>,
) -> Result<(), Error> {
    let rules = bucket.rules.rules.iter().filter(|rule| rule.enabled && is_about(rule));
    let mut prefixes: Vec<&[u8]> =
        rules.map(|rule| rule.filter.prefix.as_deref().unwrap_or("").as_bytes()).collect();
    prefixes.sort();
    // A prefix of another one stands for both.
    prefixes.dedup_by(|longer, shorter| longer.starts_with(shorter));
    let id = bucket.record.id;
    let start = |key: &[u8]| [&id.0[..], key].concat();
    let mut left = prefixes.into_iter().peekable();
    let Some(first) = left.peek() else { return Ok(()) };
    let from = match &at.inside {
        Some(inside) => [&start(&at.key)[..], &[0], &(!inside.last).to_be_bytes(), &[0]].concat(),
        None => start(at.key.as_slice().max(*first)),
    };
    read.scan(table, &from, &mut |stored, value| {
        if !is_of(bucket, stored) {
            return Step::Stop;
        }
        let key = &stored[id.0.len()..];
        while left.next_if(|prefix| !key.starts_with(prefix) && *prefix < key).is_some() {}
        match left.peek() {
            None => Step::Stop,
            Some(prefix) if key.starts_with(prefix) => {
                if visit(key, stored, value) {
                    Step::Next
                } else {
                    Step::Stop
                }
            }
            Some(prefix) => Step::Seek(start(prefix)),
        }
    })?;
    Ok(())
}
