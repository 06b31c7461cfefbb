//! The file of a form, as the engine takes a body.

use super::{AROUND_FILE_LEN_MAX, malformed};
use crate::base::body::RequestBody;
use crate::base::limits::PART_LEN_MAX;
use crate::engine::body::{Claims, Source};
use crate::s3::error::S3Error;
use crate::wire::error_code::ErrorCode;
use crate::wire::form::{Event, Parser};
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use std::ops::RangeInclusive;

/// A form that is being read.
pub struct Incomplete {
    body: RequestBody,
    parser: Parser,
    /// Of the whole form, if the client said it.
    len: Option<u64>,
    fed_len: u64,
    has_begun: bool,
}

impl Incomplete {
    pub fn new(body: RequestBody, parser: Parser, len: Option<u64>) -> Incomplete {
        Incomplete { body, parser, len, fed_len: 0, has_begun: false }
    }

    /// Bytes of the form up to the end of the last event.
    pub fn consumed_len(&self) -> u64 {
        // The parser begins with a line's end of its own.
        self.fed_len.saturating_sub(self.parser.held_len() as u64)
    }

    /// The next event. That the form ends before its end is an error.
    pub async fn next_event(&mut self) -> Result<Event, S3Error> {
        loop {
            if let Some(event) = self.parser.next_event()? {
                self.has_begun = true;
                return Ok(event);
            }
            // What comes before the first part is in no event.
            if !self.has_begun && self.consumed_len() > AROUND_FILE_LEN_MAX {
                return Err(malformed("no part begins"));
            }
            let bytes = self.frame().await?.ok_or_else(|| malformed("it ends early"))?;
            self.parser.feed(bytes);
        }
    }

    /// Reads what follows the form's end, so that the connection can be used again and a cut is noticed.
    async fn drain(&mut self) -> Result<(), S3Error> {
        let consumed_len = self.fed_len;
        while self.frame().await?.is_some() {
            if self.fed_len - consumed_len > AROUND_FILE_LEN_MAX {
                return Err(malformed("too much follows its end"));
            }
        }
        Ok(())
    }

    /// What arrives next; `None` at the body's end.
    async fn frame(&mut self) -> Result<Option<Bytes>, S3Error> {
        loop {
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            // HTTP trailers mean nothing to S3.
            let Ok(bytes) = frame?.into_data() else { continue };
            self.fed_len += bytes.len() as u64;
            return Ok(Some(bytes));
        }
    }
}

/// The file, and what is to be true of it.
pub struct FormFile {
    form: Incomplete,
    allowed: RangeInclusive<u64>,
    claims: Claims,
    received: u64,
    /// Where the file ended in the form, once it has.
    ended_at: Option<u64>,
    is_done: bool,
}

impl FormFile {
    pub(super) fn new(form: Incomplete) -> FormFile {
        let allowed = 0..=PART_LEN_MAX;
        FormFile { form, allowed, claims: Claims::default(), received: 0, ended_at: None, is_done: false }
    }

    /// Allows these lengths only, and none above S3's own limit. A form that must hold a longer file is refused at once.
    pub fn allow(&mut self, lengths: RangeInclusive<u64>) -> Result<(), S3Error> {
        self.allowed = *lengths.start()..=*lengths.end().min(&PART_LEN_MAX);
        let rest = self.form.len.map_or(0, |len| len.saturating_sub(self.form.consumed_len()));
        // What may follow the file, and the boundary between.
        let least = rest.saturating_sub(AROUND_FILE_LEN_MAX + 1024);
        if least > *self.allowed.end() { Err(self.too_large(least)) } else { Ok(()) }
    }

    /// Says what the client claims the file to hash to.
    pub fn claim(&mut self, claims: Claims) {
        self.claims = claims;
    }

    fn too_large(&self, len: u64) -> S3Error {
        S3Error::from(ErrorCode::EntityTooLarge)
            .field("ProposedSize", len)
            .field("MaxSizeAllowed", self.allowed.end())
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, S3Error> {
        while !self.is_done {
            let event = self.form.next_event().await?;
            if let Some(ended_at) = self.ended_at
                && self.form.consumed_len() - ended_at > AROUND_FILE_LEN_MAX
            {
                return Err(malformed("too much follows the file"));
            }
            match event {
                Event::Data(data) if self.ended_at.is_none() => {
                    self.received += data.len() as u64;
                    if self.received > *self.allowed.end() {
                        return Err(self.too_large(self.received));
                    }
                    return Ok(Some(data));
                }
                Event::PartEnd if self.ended_at.is_none() => self.end()?,
                Event::Part(head) if head.name.eq_ignore_ascii_case("file") => {
                    return Err(ErrorCode::IncorrectNumberOfFilesInPostRequest.into());
                }
                // Fields after the file mean nothing.
                Event::Part(_) | Event::Data(_) | Event::PartEnd => {}
                Event::End => {
                    self.form.drain().await?;
                    self.is_done = true;
                }
            }
        }
        Ok(None)
    }

    fn end(&mut self) -> Result<(), S3Error> {
        self.ended_at = Some(self.form.consumed_len());
        if self.received < *self.allowed.start() {
            return Err(S3Error::from(ErrorCode::EntityTooSmall)
                .field("ProposedSize", self.received)
                .field("MinSizeAllowed", self.allowed.start()));
        }
        Ok(())
    }
}

#[async_trait]
impl Source for FormFile {
    async fn next(&mut self) -> Result<Option<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.next_piece().await?)
    }

    fn claims(&self) -> Claims {
        self.claims
    }
}
