//! Which protocol a clear-text connection speaks, from its first bytes.
//!
//! HTTP/2 by prior knowledge begins with a fixed preface (RFC 9113, section 3.4) that no HTTP/1.1 request begins
//! with. The caller bounds the time: an idle connection must not live for ever here.

use bytes::{Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Room for a first request's header, so that the usual one is read in one go.
const FIRST_READ_LEN: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// Reads until it is clear which protocol this is, and returns what was read with it. An end of file is HTTP/1.1
/// without a request.
pub async fn read_protocol(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Protocol, Bytes)> {
    let mut read = BytesMut::with_capacity(FIRST_READ_LEN);
    loop {
        let ended = stream.read_buf(&mut read).await? == 0;
        let compared = read.len().min(PREFACE.len());
        if read[..compared] != PREFACE[..compared] || ended {
            return Ok((Protocol::Http1, read.freeze()));
        }
        if compared == PREFACE.len() {
            return Ok((Protocol::Http2, read.freeze()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn protocol_of(pieces: &[&[u8]]) -> (Protocol, Bytes) {
        let mut stream = tokio_test_stream(pieces);
        read_protocol(&mut stream).await.unwrap()
    }

    /// A stream that gives one piece at each read, then ends.
    fn tokio_test_stream(pieces: &[&[u8]]) -> Box<dyn AsyncRead + Unpin> {
        let empty: Box<dyn AsyncRead + Unpin> = Box::new(tokio::io::empty());
        pieces
            .iter()
            .rev()
            .fold(empty, |rest, piece| Box::new(io::Cursor::new(piece.to_vec()).chain(rest)) as Box<_>)
    }

    #[tokio::test]
    async fn tells_http2_from_http1_whatever_way_the_bytes_come() {
        assert_eq!(protocol_of(&[b"GET / HTTP/1.1\r\n"]).await.0, Protocol::Http1);
        assert_eq!(protocol_of(&[b"P", b"UT / HTTP/1.1\r\n"]).await.0, Protocol::Http1);
        assert_eq!(protocol_of(&[PREFACE]).await.0, Protocol::Http2);
        let (protocol, read) = protocol_of(&[b"PRI * HTTP", b"/2.0\r\n\r\nSM\r\n\r\nmore"]).await;
        assert_eq!((protocol, &read[read.len() - 4..]), (Protocol::Http2, &b"more"[..]));
        assert_eq!(protocol_of(&[b"PRI"]).await, (Protocol::Http1, Bytes::from_static(b"PRI")));
    }
}
