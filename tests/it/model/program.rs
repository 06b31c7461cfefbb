//! The random programs that run on the model and on the gateway.

use proptest::prelude::*;

/// One step of a program. Small numbers stand for keys, uploads and parts, so that steps often meet.
#[derive(Clone, Debug)]
pub enum Op {
    Put {
        key: u8,
        len: u32,
        if_none_match: bool,
        encrypted: bool,
    },
    Delete {
        key: u8,
    },
    DeleteMany {
        keys: Vec<(u8, Option<u8>)>,
    },
    DeleteVersion {
        key: u8,
        version: u8,
        bypass: bool,
    },
    /// A legal hold on or off, or a retention.
    Lock {
        key: u8,
        version: u8,
        hold: Option<bool>,
    },
    /// By a lifecycle rule.
    Expire {
        prefix: u8,
    },
    Versioning {
        enabled: bool,
    },
    /// A list that lets everybody read, or nobody.
    Publish {
        key: u8,
        is_public: bool,
    },
    /// A policy that lets everybody read but under this prefix, or none.
    Policy {
        denied: Option<u8>,
    },
    Copy {
        from: u8,
        version: Option<u8>,
        to: u8,
        encrypted: bool,
    },
    Rename {
        from: u8,
        to: u8,
        if_none_match: bool,
    },
    Create {
        key: u8,
        encrypted: bool,
    },
    Part {
        upload: u8,
        number: u8,
        large: bool,
    },
    PartCopy {
        upload: u8,
        number: u8,
        from: u8,
        range: Option<(u16, u16)>,
    },
    Complete {
        upload: u8,
        skip: Option<u8>,
        reverse: bool,
    },
    CompleteAgain {
        upload: u8,
    },
    Abort {
        upload: u8,
    },
    Range {
        key: u8,
        first: u32,
        len: u16,
    },
    List {
        prefix: u8,
        delimiter: bool,
        max: u8,
    },
    ListVersions {
        prefix: u8,
        delimiter: bool,
        max: u8,
    },
}

/// Keys with shared prefixes, and with bytes on both sides of the delimiter.
pub const KEYS: [&str; 8] = ["a", "a/", "a/b", "a/b/c", "a0", "b//x", "dir/ü €", "dir/+&=?"];
pub const PREFIXES: [&str; 5] = ["", "a", "a/", "dir/", "none"];

/// Any step.
pub fn op() -> impl Strategy<Value = Op> {
    let key = || 0u8..KEYS.len() as u8;
    let lens = prop_oneof![Just(0u32), 1..2000u32, 60_000..70_000u32, 300_000..700_000u32];
    prop_oneof![
        4 => (key(), lens, any::<bool>(), any::<bool>())
            .prop_map(|(key, len, if_none_match, encrypted)| Op::Put { key, len, if_none_match, encrypted }),
        2 => key().prop_map(|key| Op::Delete { key }),
        1 => prop::collection::vec((key(), prop::option::of(0u8..4)), 1..4)
            .prop_map(|keys| Op::DeleteMany { keys }),
        2 => (key(), 0u8..4, prop::bool::weighted(0.3))
            .prop_map(|(key, version, bypass)| Op::DeleteVersion { key, version, bypass }),
        2 => (key(), 0u8..4, prop::option::of(any::<bool>()))
            .prop_map(|(key, version, hold)| Op::Lock { key, version, hold }),
        1 => (1u8..PREFIXES.len() as u8).prop_map(|prefix| Op::Expire { prefix }),
        2 => prop::bool::weighted(0.7).prop_map(|enabled| Op::Versioning { enabled }),
        2 => (key(), prop::bool::weighted(0.7)).prop_map(|(key, is_public)| Op::Publish { key, is_public }),
        1 => prop::option::weighted(0.6, 0u8..PREFIXES.len() as u8).prop_map(|denied| Op::Policy { denied }),
        2 => (key(), prop::option::of(0u8..4), key(), any::<bool>())
            .prop_map(|(from, version, to, encrypted)| Op::Copy { from, version, to, encrypted }),
        2 => (key(), key(), any::<bool>())
            .prop_map(|(from, to, if_none_match)| Op::Rename { from, to, if_none_match }),
        3 => (key(), any::<bool>()).prop_map(|(key, encrypted)| Op::Create { key, encrypted }),
        6 => (0u8..3, 1u8..5, prop::bool::weighted(0.6))
            .prop_map(|(upload, number, large)| Op::Part { upload, number, large }),
        2 => (0u8..3, 1u8..5, key(), prop::option::of((0u16..3000, 0u16..3000)))
            .prop_map(|(upload, number, from, range)| Op::PartCopy { upload, number, from, range }),
        3 => (0u8..3, prop::option::weighted(0.2, 1u8..5), prop::bool::weighted(0.1))
            .prop_map(|(upload, skip, reverse)| Op::Complete { upload, skip, reverse }),
        1 => (0u8..3).prop_map(|upload| Op::CompleteAgain { upload }),
        1 => (0u8..3).prop_map(|upload| Op::Abort { upload }),
        2 => (key(), 0..800_000u32, any::<u16>()).prop_map(|(key, first, len)| Op::Range { key, first, len }),
        2 => (0u8..PREFIXES.len() as u8, any::<bool>(), 1u8..6)
            .prop_map(|(prefix, delimiter, max)| Op::List { prefix, delimiter, max }),
        2 => (0u8..PREFIXES.len() as u8, any::<bool>(), 1u8..6)
            .prop_map(|(prefix, delimiter, max)| Op::ListVersions { prefix, delimiter, max }),
    ]
}
