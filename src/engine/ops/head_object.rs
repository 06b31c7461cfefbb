//! HeadObject: what GetObject would answer, without the bytes.

use super::get_object::{GetObject, Opened, find};
use crate::engine::{Engine, Error};

pub async fn head_object(engine: &Engine, request: GetObject) -> Result<Opened<()>, Error> {
    let now_ms = engine.clock.now_ms();
    engine.meta.read(move |read| find(read, &request, now_ms)).await
}
