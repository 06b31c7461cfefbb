//! What the listings share: page lengths, `encoding-type`, and continuation tokens.

use crate::base::limits::PAGE_LEN_MAX;
use crate::s3::error::S3Error;
use crate::s3::query::Query;
use crate::wire::percent;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::borrow::Cow;

/// How keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are, as far as XML can hold them.
    Raw,
    /// Percent-encoded: `encoding-type=url`.
    Url,
}

impl Encoding {
    pub fn parse(query: &Query) -> Result<Encoding, S3Error> {
        match query.get("encoding-type") {
            None => Ok(Encoding::Raw),
            Some("url") => Ok(Encoding::Url),
            Some(other) => {
                Err(S3Error::argument("encoding-type", other, "Invalid Encoding Method specified in Request"))
            }
        }
    }

    pub fn text(self, key: &str) -> Cow<'_, str> {
        match self {
            Encoding::Raw => Cow::Borrowed(key),
            Encoding::Url => percent::encode_listing(key),
        }
    }

    /// The value of `<EncodingType>`, if there is one.
    pub fn name(self) -> Option<&'static str> {
        (self == Encoding::Url).then_some("url")
    }
}

/// How many entries a page may have: `parameter`, whose name in messages is `argument`. 1,000 at most and unless
/// something else is asked for.
pub fn page_len(query: &Query, parameter: &str, argument: &'static str) -> Result<usize, S3Error> {
    Ok(number(query, parameter, argument)?.map_or(PAGE_LEN_MAX, |len| (len as usize).min(PAGE_LEN_MAX)))
}

/// A parameter that is a number from 0 to 2^31 - 1. An empty one counts as absent.
pub fn number(query: &Query, parameter: &str, argument: &'static str) -> Result<Option<u32>, S3Error> {
    let Some(text) = query.get_nonempty(parameter) else { return Ok(None) };
    match text.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(S3Error::argument(
            argument,
            text,
            format!("Argument {argument} must be an integer between 0 and 2147483647"),
        )),
    }
}

/// The delimiter, unless it is empty.
pub fn delimiter(query: &Query) -> Option<String> {
    query.get_nonempty("delimiter").map(str::to_owned)
}

pub fn prefix(query: &Query) -> String {
    query.get("prefix").unwrap_or("").to_owned()
}

/// The first byte of every token: a later version of Dovetail can write others and still read these.
const TOKEN_FORMAT: u8 = 1;

/// Where a listing goes on. Opaque to clients, and checked, so that none can be made up by accident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// After this key or name.
    Key(String),
    /// After everything that begins with this.
    Prefix(String),
}

impl Token {
    pub fn encode(&self) -> String {
        let (kind, text) = match self {
            Token::Key(key) => (b'k', key),
            Token::Prefix(prefix) => (b'p', prefix),
        };
        let mut bytes = vec![TOKEN_FORMAT, kind];
        bytes.extend_from_slice(text.as_bytes());
        let check = dovetail_digest::crc32c(&bytes);
        bytes.extend_from_slice(&check.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `InvalidArgument` for what [`Token::encode`] has not written.
    pub fn decode(text: &str) -> Result<Token, S3Error> {
        Token::read(text).ok_or_else(|| {
            S3Error::argument("continuation-token", text, "The continuation token provided is incorrect")
        })
    }

    fn read(text: &str) -> Option<Token> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, check) = bytes.split_last_chunk::<4>()?;
        if dovetail_digest::crc32c(body) != u32::from_be_bytes(*check) {
            return None;
        }
        let [TOKEN_FORMAT, kind, text @ ..] = body else { return None };
        let text = std::str::from_utf8(text).ok()?.to_owned();
        match kind {
            b'k' => Some(Token::Key(text)),
            b'p' => Some(Token::Prefix(text)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_garbage_does_not() {
        for token in [Token::Key("a/b\n".into()), Token::Prefix(String::new()), Token::Prefix("é/".into())] {
            assert_eq!(Token::decode(&token.encode()).unwrap(), token);
        }
        let good = Token::Key("key".into()).encode();
        for bad in ["", "key", "AAAA", &good[1..], &format!("{good}A"), &good.replace('k', "l")] {
            if *bad != good {
                assert!(Token::decode(bad).is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn page_lengths_are_bounded_and_checked() {
        let len =
            |raw: &str| page_len(&Query::parse(Some(raw)), "max-keys", "maxKeys").map_err(|err| err.status());
        assert_eq!(len(""), Ok(1000));
        assert_eq!(len("max-keys="), Ok(1000));
        assert_eq!(len("max-keys=0"), Ok(0));
        assert_eq!(len("max-keys=7"), Ok(7));
        assert_eq!(len("max-keys=2147483647"), Ok(1000));
        for bad in ["-1", "2147483648", "x", "1.5"] {
            assert!(len(&format!("max-keys={bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_url_is_an_encoding() {
        let parse = |raw: &str| Encoding::parse(&Query::parse(Some(raw)));
        assert_eq!(parse("").unwrap(), Encoding::Raw);
        assert_eq!(parse("encoding-type=url").unwrap().text("a b+c"), "a%20b%2Bc");
        assert!(parse("encoding-type=").is_err() && parse("encoding-type=xml").is_err());
    }
}
