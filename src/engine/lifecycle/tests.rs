use super::*;
use crate::meta::records::{Body, ETag, Metadata, NoncurrentExpiration, NoncurrentTransition, Transition};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// A midnight.
const MIDNIGHT_MS: i64 = 20_000 * DAY_MS;
const HOUR_MS: i64 = DAY_MS / 24;

fn version(len: u64, tags: &[(&str, &str)]) -> VersionRecord {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    VersionRecord {
        version_id: None,
        modified_ms: MIDNIGHT_MS + 10 * HOUR_MS,
        len,
        etag: ETag { md5: [0; 16], parts: None },
        checksum: None,
        body: Body::Empty,
        metadata: Metadata { tags, ..Metadata::default() },
        owner: "owner".into(),
        delete_marker: false,
        sequence: 0,
        lock: None,
        acl: None,
        encryption: None,
    }
}

fn rule(id: &str, filter: LifecycleFilter) -> LifecycleRule {
    LifecycleRule { id: id.into(), enabled: true, filter, ..LifecycleRule::default() }
}

fn prefix(prefix: &str) -> LifecycleFilter {
    LifecycleFilter { prefix: Some(prefix.into()), ..LifecycleFilter::default() }
}

fn rules(rules: Vec<LifecycleRule>) -> LifecycleRecord {
    LifecycleRecord { rules, ..LifecycleRecord::default() }
}

#[test]
fn days_end_at_the_midnight_after() {
    for (from_ms, days, expected_ms) in [
        (MIDNIGHT_MS, 1, MIDNIGHT_MS + DAY_MS),
        (MIDNIGHT_MS + 1, 1, MIDNIGHT_MS + 2 * DAY_MS),
        (MIDNIGHT_MS + 10 * HOUR_MS, 3, MIDNIGHT_MS + 4 * DAY_MS),
        (MIDNIGHT_MS + DAY_MS - 1, 0, MIDNIGHT_MS + DAY_MS),
        (-1, 1, DAY_MS),
        (-DAY_MS - 1, 0, -DAY_MS),
    ] {
        assert_eq!(Day::REAL.end_of(from_ms, days), expected_ms, "{from_ms} {days}");
    }
    assert!(Day::REAL.end_of(i64::MAX, u32::MAX) > MIDNIGHT_MS);
    assert_eq!(Day::of_ms(10_000).end_of(12_345, 2), 40_000);
}

#[test]
fn a_filter_fits_what_has_all_it_names() {
    let tags = |tags: &[(&str, &str)]| version(0, tags).metadata.tags;
    let of_tags = |of: &[(&str, &str)]| LifecycleFilter { tags: tags(of), ..LifecycleFilter::default() };
    let sizes = |larger_than, smaller_than| LifecycleFilter { larger_than, smaller_than, ..prefix("a/") };
    let tagged = version(5, &[("k", "v"), ("l", "w")]);
    for (filter, key, expected) in [
        (LifecycleFilter::default(), "any", true),
        (prefix(""), "any", true),
        (prefix("a/"), "a/b", true),
        (prefix("a/"), "a/", true),
        (prefix("a/"), "a", false),
        (prefix("A"), "a", false),
        (of_tags(&[("k", "v")]), "any", true),
        (of_tags(&[("k", "v"), ("l", "w")]), "any", true),
        (of_tags(&[("k", "w")]), "any", false),
        (of_tags(&[("k", "v"), ("m", "")]), "any", false),
        (sizes(Some(4), None), "a/b", true),
        (sizes(Some(5), None), "a/b", false),
        (sizes(None, Some(6)), "a/b", true),
        (sizes(None, Some(5)), "a/b", false),
        (sizes(Some(4), Some(6)), "a/b", true),
        (sizes(Some(4), Some(6)), "b", false),
    ] {
        assert_eq!(filter.fits(key, &tagged), expected, "{filter:?} {key}");
        let marker = VersionRecord { delete_marker: true, ..version(5, &[]) };
        assert_eq!(filter.fits(key, &marker), expected && !filter.is_about_objects(), "{filter:?} {key}");
    }
}

#[test]
fn the_first_time_that_a_rule_names_counts() {
    let expires =
        |id: &str, filter, expiration| LifecycleRule { expiration: Some(expiration), ..rule(id, filter) };
    let rules = rules(vec![
        expires("late", prefix(""), Expiration::Days(30)),
        LifecycleRule { enabled: false, ..expires("off", prefix(""), Expiration::Days(1)) },
        expires("logs", prefix("logs/"), Expiration::Days(3)),
        expires("date", prefix("dated/"), Expiration::Date(MIDNIGHT_MS)),
        expires("markers", prefix("m/"), Expiration::DeleteMarkers(true)),
        expires("no-markers", prefix("n/"), Expiration::DeleteMarkers(false)),
    ]);
    let late = (MIDNIGHT_MS + 31 * DAY_MS, "late");
    for (key, expected, marker) in [
        ("other", late, late.0),
        ("logs/1", (MIDNIGHT_MS + 4 * DAY_MS, "logs"), MIDNIGHT_MS + 4 * DAY_MS),
        ("dated/1", (MIDNIGHT_MS, "date"), MIDNIGHT_MS),
        ("m/1", late, i64::MIN),
        ("n/1", late, late.0),
    ] {
        let due = expiry(&rules, key, &version(5, &[]), Day::REAL).unwrap();
        assert_eq!((due.at_ms, due.rule_id), expected, "{key}");
        let found =
            marker_expiry(&rules, key, &VersionRecord { delete_marker: true, ..version(0, &[]) }, Day::REAL);
        assert_eq!(found, Some(marker), "{key}");
    }
    assert_eq!(expiry(&LifecycleRecord::default(), "key", &version(5, &[]), Day::REAL), None);
}

#[test]
fn old_versions_count_from_when_they_were_covered_and_the_newest_may_stay() {
    let mut one = rule("old", prefix(""));
    one.noncurrent_expiration = Some(NoncurrentExpiration { days: 2, newer_kept: Some(3) });
    let rules = rules(vec![one]);
    let version = version(5, &[]);
    for (since_ms, newer, expected) in [
        (MIDNIGHT_MS, 2, None),
        (MIDNIGHT_MS, 3, Some(MIDNIGHT_MS + 2 * DAY_MS)),
        (MIDNIGHT_MS + 1, u32::MAX, Some(MIDNIGHT_MS + 3 * DAY_MS)),
    ] {
        let noncurrent = Noncurrent { version: &version, since_ms, newer };
        assert_eq!(noncurrent_expiry(&rules, "key", noncurrent, Day::REAL), expected, "{since_ms} {newer}");
    }
}

#[test]
fn objects_move_down_and_small_ones_stay() {
    let moved =
        |days, class: &str| Transition { when: TransitionTime::Days(days), storage_class: class.into() };
    let transitions = vec![moved(60, "GLACIER"), moved(30, "STANDARD_IA")];
    let mut by_class = rules(vec![LifecycleRule { transitions, ..rule("move", prefix("")) }]);
    by_class.transition_minimum = TransitionMinimum::ByStorageClass;
    let all = LifecycleRecord { transition_minimum: TransitionMinimum::All128KiB, ..by_class.clone() };
    let mut sized = all.clone();
    sized.rules[0].filter.larger_than = Some(0);
    let of = |len, class: Option<&str>| {
        let mut version = version(len, &[]);
        version.metadata.storage_class = class.map(str::to_owned);
        version
    };
    let large = TRANSITION_LEN_MIN;
    for (rules, version, days, expected) in [
        (&all, of(large, None), 30, None),
        (&all, of(large, None), 31, Some("STANDARD_IA")),
        (&all, of(large, None), 61, Some("GLACIER")),
        (&all, of(large - 1, None), 61, None),
        (&sized, of(large - 1, None), 61, Some("GLACIER")),
        (&by_class, of(large - 1, None), 31, None),
        (&by_class, of(large - 1, None), 61, Some("GLACIER")),
        (&all, of(large, Some("STANDARD_IA")), 31, None),
        (&all, of(large, Some("REDUCED_REDUNDANCY")), 31, Some("STANDARD_IA")),
        (&all, of(large, Some("GLACIER_IR")), 31, None),
        (&all, of(large, Some("GLACIER_IR")), 61, Some("GLACIER")),
        (&all, of(large, Some("DEEP_ARCHIVE")), 61, None),
    ] {
        let now_ms = MIDNIGHT_MS + days * DAY_MS;
        let found = transition(rules, "key", &version, Day::REAL, now_ms);
        assert_eq!(found, expected, "{} {:?} {days}", version.len, version.metadata.storage_class);
    }

    let mut old = all.clone();
    let class = "ONEZONE_IA".to_owned();
    old.rules[0].noncurrent_transitions =
        vec![NoncurrentTransition { days: 0, storage_class: class, newer_kept: Some(1) }];
    let version = of(large, None);
    for (newer, now_ms, expected) in
        [(0, MIDNIGHT_MS, None), (1, MIDNIGHT_MS, Some("ONEZONE_IA")), (1, MIDNIGHT_MS - 1, None)]
    {
        let noncurrent = Noncurrent { version: &version, since_ms: MIDNIGHT_MS, newer };
        let found = noncurrent_transition(&old, "key", noncurrent, Day::REAL, now_ms);
        assert_eq!(found, expected, "{newer} {now_ms}");
    }
}

#[test]
fn uploads_are_aborted_by_their_keys() {
    let aborts =
        |id: &str, days, of| LifecycleRule { abort_uploads_days: Some(days), ..rule(id, prefix(of)) };
    let rules = rules(vec![aborts("all", 7, ""), aborts("tmp", 1, "tmp/")]);
    for (key, expected) in [("key", (8, "all")), ("tmp/key", (2, "tmp"))] {
        let due = upload_abort(&rules, key, MIDNIGHT_MS + HOUR_MS, Day::REAL).unwrap();
        assert_eq!((due.at_ms, due.rule_id), (MIDNIGHT_MS + expected.0 * DAY_MS, expected.1));
    }
}
