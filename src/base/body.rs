//! The shapes of HTTP bodies between the listener and the front ends.
//!
//! The listener wraps a request's body in time-outs before a front end sees it; a front end sees only what went
//! wrong. The listener hands what it knows of the other side along as [`Peer`], in the request's extensions.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use std::net::SocketAddr;

/// A request's body. Reading it may end in a [`BodyError`], after which nothing more is to be read. `100 Continue`
/// goes out when it is first polled, so a front end checks all it can before that.
pub type RequestBody = UnsyncBoxBody<Bytes, BodyError>;
/// A response's body. An error cuts the connection before the last byte, so that no client takes it for whole.
pub type ResponseBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Why a request's body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Nothing came for too long.
    #[error("the client sent nothing for too long")]
    Idle,
    /// Something came, but less than the least rate that is accepted.
    #[error("the client sent too slowly")]
    TooSlow,
    /// The connection ended or broke.
    #[error("the connection was cut: {0}")]
    Cut(Box<dyn std::error::Error + Send + Sync>),
}

/// The other side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}
