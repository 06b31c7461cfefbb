//! The one integration binary: what a client, an operator and a power cut see.

mod backends;
mod client;
mod crash;
mod gateway;
mod model;
mod process;
mod seed;
mod tidy;
mod transfers;
