//! Object lock: whether a version may be removed for good, what holds a new one, and who may change that.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>
//!
//! A version's content is given up by `references::drop_body` and by nothing else, and that takes an [`Unlocked`],
//! which only [`unlocked`] makes. So no path, whoever takes it, removes a version that is held: it would not compile.

use crate::engine::Error;
use crate::meta::records::{
    BucketRecord, DefaultRetention, ObjectLock, Retention, RetentionMode, RetentionPeriod, VersionRecord,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const DAYS_PER_YEAR: i64 = 365;

/// The leave to remove a version for good.
#[derive(Debug)]
pub struct Unlocked<'v>(&'v VersionRecord);

impl Unlocked<'_> {
    pub fn version(&self) -> &VersionRecord {
        self.0
    }
}

/// The leave to remove this version, read in the transaction that removes it, or `ObjectLocked`. A legal hold and a
/// retention in compliance mode know no exception; `bypass_governance` means that the requester may bypass the other
/// mode and says so.
pub fn unlocked(
    version: &VersionRecord,
    now_ms: i64,
    bypass_governance: bool,
) -> Result<Unlocked<'_>, Error> {
    let Some(lock) = &version.lock else { return Ok(Unlocked(version)) };
    if lock.legal_hold == Some(true) {
        return Err(Error::ObjectLocked);
    }
    match lock.retention.filter(|retention| retention.until_ms > now_ms) {
        Some(Retention { mode: RetentionMode::Compliance, .. }) => Err(Error::ObjectLocked),
        Some(Retention { mode: RetentionMode::Governance, .. }) if !bypass_governance => {
            Err(Error::ObjectLocked)
        }
        _ => Ok(Unlocked(version)),
    }
}

/// Whether a request may say that it bypasses governance mode: `BypassWithoutObjectLock` where nothing has a mode.
pub fn check_bypass(bucket: &BucketRecord, bypass_governance: bool) -> Result<(), Error> {
    if bypass_governance && bucket.object_lock.is_none() {
        return Err(Error::BypassWithoutObjectLock);
    }
    Ok(())
}

/// `NoObjectLock` unless versions of this bucket can be locked.
pub fn check_enabled(bucket: &BucketRecord) -> Result<(), Error> {
    if bucket.object_lock.is_none() { Err(Error::NoObjectLock) } else { Ok(()) }
}

/// What holds a version that is written at `now_ms`: what the request asks for, and the bucket's default where that
/// says nothing about retention.
pub fn of_new_version(
    bucket: &BucketRecord,
    asked: Option<ObjectLock>,
    now_ms: i64,
) -> Result<Option<ObjectLock>, Error> {
    let Some(bucket_lock) = &bucket.object_lock else {
        return if asked.is_none() { Ok(None) } else { Err(Error::NoObjectLock) };
    };
    let mut lock = asked.unwrap_or_default();
    if lock.retention.is_none() {
        lock.retention = bucket_lock.default_retention.map(|default| from(default, now_ms));
    }
    Ok((lock != ObjectLock::default()).then_some(lock))
}

fn from(default: DefaultRetention, now_ms: i64) -> Retention {
    let days = match default.period {
        RetentionPeriod::Days(days) => i64::from(days),
        RetentionPeriod::Years(years) => i64::from(years) * DAYS_PER_YEAR,
    };
    Retention { mode: default.mode, until_ms: now_ms.saturating_add(days.saturating_mul(DAY_MS)) }
}

/// Whether a version's retention may become `new`. One that is over may become anything, one that holds may be
/// extended. To shorten it or to change its mode takes a bypass in governance mode, and is never possible in compliance
/// mode: both are `ObjectLocked`.
pub fn check_change(
    current: Option<Retention>,
    new: Option<Retention>,
    now_ms: i64,
    bypass_governance: bool,
) -> Result<(), Error> {
    let Some(current) = current.filter(|retention| retention.until_ms > now_ms) else { return Ok(()) };
    let extends = new.is_some_and(|new| new.mode == current.mode && new.until_ms >= current.until_ms);
    let bypassed = bypass_governance && current.mode == RetentionMode::Governance;
    if extends || bypassed { Ok(()) } else { Err(Error::ObjectLocked) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::START_MS;
    use RetentionMode::{Compliance, Governance};

    fn retention(mode: RetentionMode, days: i64) -> Option<Retention> {
        Some(Retention { mode, until_ms: START_MS + days * DAY_MS })
    }

    #[test]
    fn a_retention_is_extended_by_anybody_and_cut_by_few() {
        // What there is, what it is to be, and whether that is allowed without and with a bypass.
        for (current, new, without, with) in [
            (None, retention(Governance, 1), true, true),
            (retention(Compliance, -1), None, true, true),
            (retention(Compliance, 0), retention(Governance, 1), true, true),
            (retention(Governance, 2), retention(Governance, 3), true, true),
            (retention(Governance, 2), retention(Governance, 2), true, true),
            (retention(Governance, 2), retention(Governance, 1), false, true),
            (retention(Governance, 2), retention(Compliance, 3), false, true),
            (retention(Governance, 2), None, false, true),
            (retention(Compliance, 2), retention(Compliance, 3), true, true),
            (retention(Compliance, 2), retention(Compliance, 1), false, false),
            (retention(Compliance, 2), retention(Governance, 3), false, false),
            (retention(Compliance, 2), None, false, false),
        ] {
            for (bypass, expected) in [(false, without), (true, with)] {
                let found = check_change(current, new, START_MS, bypass);
                assert_eq!(found.is_ok(), expected, "{current:?} to {new:?}, bypass {bypass}");
                assert!(found.is_ok() || matches!(found, Err(Error::ObjectLocked)));
            }
        }
    }

    #[test]
    fn the_default_is_for_versions_that_bring_no_retention() {
        let bucket = |object_lock| BucketRecord {
            id: crate::meta::keys::BucketId([1; 8]),
            owner: "owner".to_owned(),
            created_ms: START_MS,
            versioning: crate::meta::records::Versioning::Enabled,
            object_lock,
            lists: Default::default(),
            documents_revision: crate::meta::records::NO_DOCUMENTS,
        };
        let years = DefaultRetention { mode: Compliance, period: RetentionPeriod::Years(2) };
        let with_default = bucket(Some(crate::meta::records::BucketLock { default_retention: Some(years) }));
        let without = bucket(Some(Default::default()));
        let default = retention(Compliance, 730);
        let of = |retention, legal_hold| Some(ObjectLock { retention, legal_hold });
        for (bucket, asked, expected) in [
            (&without, None, None),
            (&without, of(None, Some(false)), of(None, Some(false))),
            (&with_default, None, of(default, None)),
            (&with_default, of(None, Some(true)), of(default, Some(true))),
            (&with_default, of(retention(Governance, 1), None), of(retention(Governance, 1), None)),
        ] {
            assert_eq!(of_new_version(bucket, asked.clone(), START_MS).unwrap(), expected, "{asked:?}");
        }
        assert_eq!(of_new_version(&bucket(None), None, START_MS).unwrap(), None);
        let refused = of_new_version(&bucket(None), of(None, Some(false)), START_MS);
        assert!(matches!(refused, Err(Error::NoObjectLock)));
        let longest = DefaultRetention { mode: Governance, period: RetentionPeriod::Years(u32::MAX) };
        assert!(from(longest, START_MS).until_ms > START_MS);
    }
}
