//! Contents give up their parts, a bounded number in each transaction.

use super::Collected;
use crate::base::fail_point;
use crate::engine::readers::Claim;
use crate::engine::{Engine, Error, extents, references, uploads};
use crate::meta::keys::{self, ContentId};
use crate::meta::records::{PartRecord, Record};
use crate::meta::{Step, Table, Write};

/// References dropped in one transaction, so that no transaction keeps others waiting for long.
const DROPS_PER_COMMIT: usize = 256;

/// Takes a content apart, or what an aborted upload has left. The claim keeps readers away until it is gone.
pub async fn collect_content(engine: &Engine, key: &[u8], claim: Claim) -> Result<Collected, Error> {
    collect_parts(engine, key, claim.id(), drop_parts).await
}

/// Repeats a step, each time in a transaction of its own, until it says that nothing is left to do; the entry in
/// `Garbage` goes with the last one.
async fn collect_parts(
    engine: &Engine,
    key: &[u8],
    id: ContentId,
    step: fn(&mut dyn Write, ContentId, i64) -> Result<bool, Error>,
) -> Result<Collected, Error> {
    loop {
        let (key, now_ms) = (key.to_vec(), engine.clock.now_ms());
        let is_empty = engine
            .meta
            .transact(move |tx| {
                let is_empty = step(tx, id, now_ms)?;
                if is_empty {
                    tx.delete(Table::Garbage, &key);
                }
                Ok::<_, Error>(is_empty)
            })
            .await?;
        fail_point::reach("engine::collector::after_content_batch");
        if is_empty {
            return Ok(Collected { contents: 1, ..Collected::default() });
        }
    }
}

/// Drops the first parts of a content; true when none are left.
fn drop_parts(tx: &mut dyn Write, id: ContentId, now_ms: i64) -> Result<bool, Error> {
    let mut parts = Vec::new();
    let mut drops = 0;
    let mut is_empty = true;
    let mut failure = None;
    tx.scan(Table::Parts, &keys::part(id, 0), &mut |stored, value| {
        let Some(number) = keys::part_number(id, stored) else { return Step::Stop };
        if drops >= DROPS_PER_COMMIT {
            is_empty = false;
            return Step::Stop;
        }
        // Number 0 is the index, which refers to nothing.
        let part = if number == 0 { Ok(None) } else { PartRecord::decode(value).map(Some) };
        match part {
            Ok(part) => {
                drops += part.as_ref().map_or(1, |part| part.extents.len().max(1));
                parts.push((number, part));
                Step::Next
            }
            Err(err) => {
                failure = Some(err);
                Step::Stop
            }
        }
    })?;
    if let Some(err) = failure {
        return Err(err.into());
    }
    for (number, part) in parts {
        if let Some(part) = part {
            references::drop_part(tx, &part, now_ms)?;
        }
        tx.delete(Table::Parts, &keys::part(id, number));
    }
    Ok(is_empty)
}

/// Takes away the parts of a content that are not in it. Readers pass over them, so nobody has to be waited for.
pub async fn collect_unlisted(engine: &Engine, key: &[u8], id: ContentId) -> Result<Collected, Error> {
    collect_parts(engine, key, id, drop_unlisted).await
}

/// Drops the first parts that a content's index says are not in it; true when none are left.
fn drop_unlisted(tx: &mut dyn Write, id: ContentId, now_ms: i64) -> Result<bool, Error> {
    // Without an index the content has been collected, with all its parts.
    let Some(mut index) = extents::find_index(tx, id)? else { return Ok(true) };
    let unlisted: Vec<u16> = index.unlisted().collect();
    let mut drops = 0;
    let mut done = 0;
    for number in &unlisted {
        if drops >= DROPS_PER_COMMIT {
            break;
        }
        if let Some(part) = uploads::part(tx, id, *number)? {
            drops += part.extents.len().max(1);
            references::drop_part(tx, &part, now_ms)?;
            tx.delete(Table::Parts, &keys::part(id, *number));
        }
        done += 1;
    }
    index.set_unlisted(&unlisted[done..]);
    tx.put(Table::Parts, &keys::part(id, 0), index.encode());
    Ok(done == unlisted.len())
}
