//! Conditional requests: which condition wins (RFC 9110, section 13, as S3 reads it).

use crate::engine::Error;
use crate::engine::access::lists::JudgedTags;
use crate::meta::records::VersionRecord;

/// The entity tags of If-Match or If-None-Match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// `*`: any object.
    Any,
    /// Without quotes and without `W/`.
    Listed(Vec<String>),
}

impl Tags {
    fn include(&self, version: &VersionRecord) -> bool {
        match self {
            Tags::Any => true,
            Tags::Listed(tags) => {
                let etag = version.etag.to_string();
                tags.contains(&etag)
            }
        }
    }
}

/// The conditions of a read, or of a copy's source. Times are Unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadConditions {
    pub if_match: Option<Tags>,
    pub if_none_match: Option<Tags>,
    pub if_modified_since: Option<i64>,
    pub if_unmodified_since: Option<i64>,
}

impl ReadConditions {
    /// Judges a read at `now_ms`: `NotModified` and `PreconditionFailed` are its refusals.
    pub fn check(&self, version: &VersionRecord, now_ms: i64) -> Result<(), Error> {
        match self.judge(version, now_ms) {
            Verdict::Proceed => Ok(()),
            Verdict::Failed(condition) => Err(Error::PreconditionFailed { condition }),
            Verdict::Unchanged(_) => Err(Error::NotModified(Box::new(version.clone()))),
        }
    }

    /// Judges the source of a copy: there is no 304, an unchanged source is a failed condition.
    pub fn check_copy_source(&self, version: &VersionRecord, now_ms: i64) -> Result<(), Error> {
        let condition = match self.judge(version, now_ms) {
            Verdict::Proceed => return Ok(()),
            Verdict::Failed("If-Match") => "x-amz-copy-source-If-Match",
            Verdict::Failed(_) => "x-amz-copy-source-If-Unmodified-Since",
            Verdict::Unchanged("If-None-Match") => "x-amz-copy-source-If-None-Match",
            Verdict::Unchanged(_) => "x-amz-copy-source-If-Modified-Since",
        };
        Err(Error::PreconditionFailed { condition })
    }

    /// Judges the source of a rename, in its own words.
    pub fn check_rename_source(&self, version: &VersionRecord, now_ms: i64) -> Result<(), Error> {
        let condition = match self.judge(version, now_ms) {
            Verdict::Proceed => return Ok(()),
            Verdict::Failed("If-Match") => "x-amz-rename-source-if-match",
            Verdict::Failed(_) => "x-amz-rename-source-if-unmodified-since",
            Verdict::Unchanged("If-None-Match") => "x-amz-rename-source-if-none-match",
            Verdict::Unchanged(_) => "x-amz-rename-source-if-modified-since",
        };
        Err(Error::PreconditionFailed { condition })
    }

    /// Judges what a rename would replace. Conditions that ask for an object fail where there is none; that it is the
    /// source which is missing could not be told otherwise.
    pub fn check_rename_destination(
        &self,
        version: Option<&VersionRecord>,
        now_ms: i64,
    ) -> Result<(), Error> {
        let condition = match version.map(|version| self.judge(version, now_ms)) {
            Some(Verdict::Proceed) => return Ok(()),
            Some(Verdict::Failed(condition) | Verdict::Unchanged(condition)) => condition,
            None if self.if_match.is_some() => "If-Match",
            None if self.if_modified_since.is_some() && self.if_none_match.is_none() => "If-Modified-Since",
            None => return Ok(()),
        };
        Err(Error::PreconditionFailed { condition })
    }

    /// The order is S3's: a true If-Match silences If-Unmodified-Since, an If-None-Match that does not match silences
    /// If-Modified-Since, and dates in the future are ignored.
    fn judge(&self, version: &VersionRecord, now_ms: i64) -> Verdict {
        let modified = version.modified_ms.div_euclid(1000);
        match &self.if_match {
            Some(tags) if !tags.include(version) => return Verdict::Failed("If-Match"),
            Some(_) => {}
            None => {
                if self.if_unmodified_since.is_some_and(|since| since < modified) {
                    return Verdict::Failed("If-Unmodified-Since");
                }
            }
        }
        match &self.if_none_match {
            Some(tags) if tags.include(version) => Verdict::Unchanged("If-None-Match"),
            Some(_) => Verdict::Proceed,
            None => match self.if_modified_since {
                Some(since) if since >= modified && since <= now_ms.div_euclid(1000) => {
                    Verdict::Unchanged("If-Modified-Since")
                }
                _ => Verdict::Proceed,
            },
        }
    }
}

enum Verdict {
    Proceed,
    Failed(&'static str),
    Unchanged(&'static str),
}

/// The conditions of a write or a delete, judged against the current version in the transaction that writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteConditions {
    pub if_match: Option<Tags>,
    pub if_none_match: Option<Tags>,
    /// No condition of the client's: what the object has to be like for the write to be allowed.
    pub judged_tags: Option<JudgedTags>,
}

impl WriteConditions {
    /// Whether the client makes none.
    pub fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// `current` is the object a plain GET would find now.
    pub fn check(&self, current: Option<&VersionRecord>) -> Result<(), Error> {
        if let Some(judged) = &self.judged_tags {
            judged.check(current)?;
        }
        self.check_asked(current)
    }

    /// The same for a delete of what was found. Where there is nothing any more, nothing goes whose tags could matter.
    pub fn check_delete(&self, found: Option<&VersionRecord>) -> Result<(), Error> {
        match found {
            None => self.check_asked(None),
            Some(_) => self.check(found),
        }
    }

    fn check_asked(&self, current: Option<&VersionRecord>) -> Result<(), Error> {
        if let Some(tags) = &self.if_match {
            let version = current.ok_or(Error::NoSuchKey)?;
            if !tags.include(version) {
                return Err(Error::PreconditionFailed { condition: "If-Match" });
            }
        }
        if let (Some(tags), Some(version)) = (&self.if_none_match, current)
            && tags.include(version)
        {
            return Err(Error::PreconditionFailed { condition: "If-None-Match" });
        }
        Ok(())
    }
}
