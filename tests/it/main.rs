//! The one integration binary: what a client, an operator and a power cut see.

mod backends;
mod client;
mod crash;
mod full_disk;
mod gateway;
mod invariants;
mod lifecycle;
mod model;
mod process;
mod races;
mod seed;
mod socket;
mod tidy;
mod transfers;
mod users;
mod wire;
