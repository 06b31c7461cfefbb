//! HeadObject: what GetObject would answer, without the bytes.

use super::get_object::{GetObject, Opened, find};
use crate::engine::{Engine, Error};
use std::sync::Arc;

pub async fn head_object(engine: &Engine, request: GetObject) -> Result<Opened<()>, Error> {
    let (now_ms, keyring) = (engine.clock.now_ms(), Arc::clone(&engine.settings.keyring));
    engine.meta.read(move |read| find(read, &request, Some(&keyring), now_ms)).await
}

/// The same for who asks for what is kept beside the bytes, for which no key is needed: tags, an ACL.
pub async fn find_object(engine: &Engine, request: GetObject) -> Result<Opened<()>, Error> {
    let now_ms = engine.clock.now_ms();
    engine.meta.read(move |read| find(read, &request, None, now_ms)).await
}
