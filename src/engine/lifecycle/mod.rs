//! Lifecycle rules: which one fits what, and when it is due. Pure: what is done about it is `jobs::lifecycle`'s.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html>
//!
//! A period of days ends at the midnight (UTC) at or after the instant that it reaches. Tags and sizes are said of
//! objects: a rule that names either has no say over delete markers and uploads.

use crate::meta::records::{
    Expiration, LifecycleFilter, LifecycleRecord, LifecycleRule, TransitionMinimum, TransitionTime,
    VersionRecord,
};

#[cfg(test)]
mod tests;

/// Storage classes, each of which an object can leave only for a later one. Others are where `STANDARD` is.
const WATERFALL: [&str; 7] =
    ["STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];
/// Smaller objects do not change their storage class unless a rule speaks of sizes.
const TRANSITION_LEN_MIN: u64 = 128 << 10;

/// How long a day lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(i64);

impl Day {
    /// The day that everybody knows, and that clients are told of.
    pub const REAL: Day = Day(24 * 60 * 60 * 1000);

    /// A shorter one, for tests.
    pub fn of_ms(len_ms: i64) -> Day {
        Day(len_ms.max(1))
    }

    /// When `days` from this instant on are over, midnight included.
    pub fn end_of(self, from_ms: i64, days: u32) -> i64 {
        let reached = from_ms.saturating_add(i64::from(days).saturating_mul(self.0));
        match reached.rem_euclid(self.0) {
            0 => reached,
            since_midnight => reached.saturating_add(self.0 - since_midnight),
        }
    }
}

/// A time, and the rule that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<'r> {
    pub at_ms: i64,
    pub rule_id: &'r str,
}

impl LifecycleRecord {
    fn active(&self) -> impl Iterator<Item = &LifecycleRule> {
        self.rules.iter().filter(|rule| rule.enabled)
    }
}

impl LifecycleFilter {
    fn fits_key(&self, key: &str) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_str()))
    }

    /// Whether it asks for what only an object has.
    pub fn is_about_objects(&self) -> bool {
        !self.tags.is_empty() || self.has_sizes()
    }

    fn has_sizes(&self) -> bool {
        self.larger_than.is_some() || self.smaller_than.is_some()
    }

    fn fits(&self, key: &str, version: &VersionRecord) -> bool {
        self.fits_key(key)
            && (!self.is_about_objects()
                || (!version.delete_marker
                    && self.larger_than.is_none_or(|len| version.len > len)
                    && self.smaller_than.is_none_or(|len| version.len < len)
                    && self.tags.iter().all(|tag| version.metadata.tags.contains(tag))))
    }
}

/// When this object expires, given that it is its key's current version: the first time that a rule names.
pub fn expiry<'r>(
    rules: &'r LifecycleRecord,
    key: &str,
    version: &VersionRecord,
    day: Day,
) -> Option<Due<'r>> {
    let due = rules.active().filter_map(|rule| {
        let at_ms = match rule.expiration? {
            Expiration::Days(days) => day.end_of(version.modified_ms, days),
            Expiration::Date(date_ms) => date_ms,
            Expiration::DeleteMarkers(_) => return None,
        };
        rule.filter.fits(key, version).then_some(Due { at_ms, rule_id: &rule.id })
    });
    due.min_by_key(|due| due.at_ms)
}

/// When a delete marker goes, given that it is all there is of its key. One that is to go at once goes since ever.
pub fn marker_expiry(rules: &LifecycleRecord, key: &str, marker: &VersionRecord, day: Day) -> Option<i64> {
    let due = rules.active().filter_map(|rule| {
        let at_ms = match rule.expiration? {
            Expiration::Days(days) => day.end_of(marker.modified_ms, days),
            Expiration::Date(date_ms) => date_ms,
            Expiration::DeleteMarkers(true) => i64::MIN,
            Expiration::DeleteMarkers(false) => return None,
        };
        rule.filter.fits(key, marker).then_some(at_ms)
    });
    due.min()
}

/// A version that is not current.
#[derive(Clone, Copy, Debug)]
pub struct Noncurrent<'v> {
    pub version: &'v VersionRecord,
    /// When the next newer version covered it, Unix milliseconds.
    pub since_ms: i64,
    /// How many of its key are newer and not current either. More than any rule asks for is as good as the number.
    pub newer: u32,
}

/// When this version goes for good.
pub fn noncurrent_expiry(
    rules: &LifecycleRecord,
    key: &str,
    noncurrent: Noncurrent<'_>,
    day: Day,
) -> Option<i64> {
    let due = rules.active().filter_map(|rule| {
        let expiration = rule.noncurrent_expiration?;
        let is_meant = expiration.newer_kept.is_none_or(|kept| noncurrent.newer >= kept)
            && rule.filter.fits(key, noncurrent.version);
        is_meant.then(|| day.end_of(noncurrent.since_ms, expiration.days))
    });
    due.min()
}

/// The storage class that a current object is to have by now, if it is not the one it has.
pub fn transition<'r>(
    rules: &'r LifecycleRecord,
    key: &str,
    version: &VersionRecord,
    day: Day,
    now_ms: i64,
) -> Option<&'r str> {
    let due = rules.active().filter(|rule| !rule.transitions.is_empty()).flat_map(|rule| {
        let fits = rule.filter.fits(key, version);
        rule.transitions.iter().filter(move |transition| {
            let at_ms = match transition.when {
                TransitionTime::Days(days) => day.end_of(version.modified_ms, days),
                TransitionTime::Date(date_ms) => date_ms,
            };
            fits && at_ms <= now_ms && is_large_enough(rules, rule, version, &transition.storage_class)
        })
    });
    latest(due.map(|transition| transition.storage_class.as_str()), version)
}

/// The same of a version that is not current.
pub fn noncurrent_transition<'r>(
    rules: &'r LifecycleRecord,
    key: &str,
    noncurrent: Noncurrent<'_>,
    day: Day,
    now_ms: i64,
) -> Option<&'r str> {
    let version = noncurrent.version;
    let due = rules.active().filter(|rule| !rule.noncurrent_transitions.is_empty()).flat_map(|rule| {
        let fits = rule.filter.fits(key, version) && !version.delete_marker;
        rule.noncurrent_transitions.iter().filter(move |transition| {
            fits && transition.newer_kept.is_none_or(|kept| noncurrent.newer >= kept)
                && day.end_of(noncurrent.since_ms, transition.days) <= now_ms
                && is_large_enough(rules, rule, version, &transition.storage_class)
        })
    });
    latest(due.map(|transition| transition.storage_class.as_str()), version)
}

fn is_large_enough(
    rules: &LifecycleRecord,
    rule: &LifecycleRule,
    version: &VersionRecord,
    class: &str,
) -> bool {
    let has_minimum = match rules.transition_minimum {
        TransitionMinimum::All128KiB => true,
        TransitionMinimum::ByStorageClass => !ARCHIVES.contains(&class),
    };
    !has_minimum || rule.filter.has_sizes() || version.len >= TRANSITION_LEN_MIN
}

/// The last of these classes, if it comes after the one that the version has.
fn latest<'r>(classes: impl Iterator<Item = &'r str>, version: &VersionRecord) -> Option<&'r str> {
    let now = version.metadata.storage_class.as_deref().map_or(0, step);
    classes.filter(|class| step(class) > now).max_by_key(|class| step(class))
}

/// How far down a storage class is.
fn step(class: &str) -> usize {
    WATERFALL.iter().position(|known| *known == class).unwrap_or(0)
}

/// When an upload that was created then is aborted.
pub fn upload_abort<'r>(rules: &'r LifecycleRecord, key: &str, created_ms: i64, day: Day) -> Option<Due<'r>> {
    let due = rules.active().filter_map(|rule| {
        let at_ms = day.end_of(created_ms, rule.abort_uploads_days?);
        (rule.filter.fits_key(key) && !rule.filter.is_about_objects())
            .then_some(Due { at_ms, rule_id: &rule.id })
    });
    due.min_by_key(|due| due.at_ms)
}
