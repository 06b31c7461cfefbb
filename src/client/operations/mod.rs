//! S3's operations as the client uses them, each with its retries: on objects and buckets ([`requests`]), their [`versions`], [`multipart`] uploads,
//! copies ([`copy`]), and what a Dovetail gateway has besides: its [`limits`] and its users ([`administration`]).

pub mod administration;
pub mod copy;
pub mod limits;
pub mod multipart;
pub mod requests;
pub mod versions;
