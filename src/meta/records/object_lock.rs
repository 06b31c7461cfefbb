//! What keeps versions from being removed: retention, legal holds, and a bucket's default retention.

use minicbor::{Decode, Encode};

/// What holds a version. A version without this is held by nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ObjectLock {
    #[n(0)]
    pub retention: Option<Retention>,
    /// `None` until somebody has set it to either.
    #[n(1)]
    pub legal_hold: Option<bool>,
}

/// Until when a version stays, and whether somebody may change that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Retention {
    #[n(0)]
    pub mode: RetentionMode,
    /// Unix milliseconds. From this instant on the retention holds nothing.
    #[n(1)]
    pub until_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RetentionMode {
    /// Whoever has the permission may bypass it.
    #[n(0)]
    Governance,
    /// Nobody may, whoever they are.
    #[n(1)]
    Compliance,
}

/// Object lock of a bucket. Once there, it stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct BucketLock {
    /// Of new versions that come without a retention of their own.
    #[n(0)]
    pub default_retention: Option<DefaultRetention>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DefaultRetention {
    #[n(0)]
    pub mode: RetentionMode,
    #[n(1)]
    pub period: RetentionPeriod,
}

/// As it was given, so that it is given back like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RetentionPeriod {
    #[n(0)]
    Days(#[n(0)] u32),
    /// Of 365 days each.
    #[n(1)]
    Years(#[n(0)] u32),
}
