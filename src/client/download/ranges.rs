//! A large object, in ranges: side by side, each remembered by the journal, from where the last run stopped.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dovetail_digest::{Algorithm, Digest};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio_util::task::AbortOnDropHandle;

use super::{Done, Download, done, whole_source};
use crate::client::download::fetch::{Checks, Range, fetch, is_intact};
use crate::client::download::part_file::PartFile;
use crate::client::download::sink::Sink;
use crate::client::error::Error;
use crate::client::journal::{Entry, Header, Journal};
use crate::client::operations::requests::ObjectHead;
use crate::client::plan::{Part, Plan};
use crate::client::tally::Event;
use crate::client::upload::sent_part::digest_from_hex;
use crate::client::workers::Permit;
use crate::wire::checksum::ObjectChecksum;

/// How an object is cut into ranges, and what is known of them.
struct Cut {
    plan: Plan,
    algorithm: Algorithm,
    checks: Option<Checks>,
}

/// A range that is there.
struct Fetched {
    number: u16,
    digest: Digest,
    /// The journal does not know it yet.
    is_new: bool,
    /// The next one may come when this one is remembered: no more are lost with this process than are in flight.
    _permit: Permit,
}

impl Download<'_> {
    pub(super) async fn fetch_large(
        &self,
        journal: Option<Journal>,
        head: ObjectHead,
        plan: Plan,
    ) -> Result<Done, Error> {
        self.endpoint.limits().await;
        let cut = self.cut(&head, plan).await?;
        let (mut journal, file) = self.take_up(journal, &head, &cut).await?;
        let plan = Plan { len: head.len, part_len: journal.header.part_len };
        let checks =
            cut.checks.filter(|checks| checks.part_len == plan.part_len && checks.algorithm == cut.algorithm);
        let cut = Cut { plan, checks, ..cut };
        self.tell_start(&journal, plan);
        self.endpoint.bound_by_rate(plan.part_len);
        let digests = self.fetch_parts(&mut journal, &head, &cut, &file).await?;
        let whole = plan.parts().fold(dovetail_digest::digest(cut.algorithm, b""), |whole, part| {
            dovetail_digest::combine(cut.algorithm, &whole, &digests[&part.number], part.len)
        });
        let verified = match self.verify(&head, whole, cut.algorithm, &whole_source(&file, head.len)).await {
            Ok(verified) => verified || cut.checks.is_some(),
            Err(error) => {
                // Which range is wrong cannot be told, so none is kept.
                journal.remove()?;
                file.remove();
                return Err(error);
            }
        };
        self.name(&file).await?;
        journal.remove()?;
        Ok(done(&head, Some((cut.algorithm, whole)), verified))
    }

    /// Cuts the object like its parts when the endpoint tells their checksums, so that each range is checked by itself.
    async fn cut(&self, head: &ObjectHead, plan: Plan) -> Result<Cut, Error> {
        let parts = self.endpoint.object_parts(self.address, &head.etag).await?;
        let checks = Checks::of(&parts, head.len);
        let algorithm = match (head.checksum, &checks) {
            (Some(ObjectChecksum { algorithm, part_count: None, .. }), _) if algorithm.is_crc() => algorithm,
            (_, Some(checks)) => checks.algorithm,
            _ => Algorithm::Crc64Nvme,
        };
        let plan = match &checks {
            Some(checks) if self.options.part_len.is_none() => {
                Plan { len: head.len, part_len: checks.part_len }
            }
            _ => plan,
        };
        Ok(Cut { plan, algorithm, checks })
    }

    /// The journal and the part file of an earlier run if they are of this version and cut, else new ones.
    async fn take_up(
        &self,
        journal: Option<Journal>,
        head: &ObjectHead,
        cut: &Cut,
    ) -> Result<(Journal, Arc<PartFile>), Error> {
        let journal = journal.filter(|journal| {
            journal.header.etag.as_ref() == Some(&head.etag) || {
                let text = match journal.header.version_id == self.address.version {
                    true => "the object has changed on the server; starting over",
                    false => "another version was begun before; starting over",
                };
                self.endpoint.tally.note(self.address, text);
                false
            }
        });
        let resumed = journal.filter(|journal| {
            journal.header.len == head.len
                && journal.header.algorithm == cut.algorithm.name()
                && fs::metadata(&self.part_path).is_ok_and(|metadata| metadata.len() == head.len)
        });
        if let Some(journal) = resumed {
            let part_path = self.part_path.clone();
            let file = self.blocking(move || PartFile::open(&part_path)).await?;
            return Ok((journal, Arc::new(file)));
        }
        self.forget().await?;
        let file = self.create_part_file(head.len).await?;
        let header = Header {
            len: head.len,
            part_len: cut.plan.part_len,
            etag: Some(head.etag.clone()),
            algorithm: cut.algorithm.name().to_owned(),
            customer_key: self.endpoint.customer_keys.digest(),
            started_ms: self.endpoint.now_ms(),
            ..self.journal_header()
        };
        let journals = self.journals.clone();
        let created = self.endpoint.around.tasks.spawn_blocking(move || journals.create(header)).await;
        Ok((created.map_err(|error| self.file_error(io::Error::other(error)))??, file))
    }

    async fn fetch_parts(
        &self,
        journal: &mut Journal,
        head: &ObjectHead,
        cut: &Cut,
        file: &Arc<PartFile>,
    ) -> Result<BTreeMap<u16, Digest>, Error> {
        let mut digests = BTreeMap::new();
        let mut running = FuturesUnordered::new();
        for part in cut.plan.parts() {
            let permit = loop {
                tokio::select! {
                    biased;
                    Some(arrived) = running.next() => self.arrived(journal, &mut digests, arrived)?,
                    permit = self.endpoint.workers.permit() => break permit,
                }
            };
            let range = Range {
                address: self.address.clone(),
                etag: head.etag.clone(),
                whole_len: head.len,
                part,
                algorithm: cut.algorithm,
                expected: cut.checks.as_ref().map(|checks| checks.digests[usize::from(part.number) - 1]),
            };
            let before = journal.entries.get(&part.number).and_then(|entry| digest_from_hex(&entry.digest));
            let (endpoint, file) = (Arc::clone(self.endpoint), Arc::clone(file));
            let arrived_len = Arc::clone(&self.arrived_len);
            running.push(AbortOnDropHandle::new(self.endpoint.around.tasks.spawn(async move {
                let number = part.number;
                if let Some(before) = before
                    && is_intact(&endpoint, &file, &range, before).await?
                {
                    endpoint.tally.keep(part.len);
                    arrived_len.fetch_add(part.len, Ordering::Relaxed);
                    return Ok(Fetched { number, digest: before, is_new: false, _permit: permit });
                }
                let (digest, _) = fetch(&endpoint, &range, &Sink::File(file)).await?;
                endpoint.workers.succeeded(part.len);
                arrived_len.fetch_add(part.len, Ordering::Relaxed);
                Ok(Fetched { number, digest, is_new: true, _permit: permit })
            })));
        }
        while let Some(arrived) = running.next().await {
            self.arrived(journal, &mut digests, arrived)?;
        }
        Ok(digests)
    }

    fn arrived(
        &self,
        journal: &mut Journal,
        digests: &mut BTreeMap<u16, Digest>,
        arrived: Result<Result<Fetched, Error>, tokio::task::JoinError>,
    ) -> Result<(), Error> {
        let Fetched { number, digest, is_new, _permit } =
            arrived.map_err(|error| self.file_error(io::Error::other(error)))??;
        if is_new {
            let at_ms = self.endpoint.now_ms();
            journal.record(Entry { part: number, etag: String::new(), digest: digest.to_hex(), at_ms })?;
        }
        digests.insert(number, digest);
        Ok(())
    }

    fn tell_start(&self, journal: &Journal, plan: Plan) {
        let has = |part: &Part| journal.entries.contains_key(&part.number);
        let kept_bytes = plan.parts().filter(has).map(|part| part.len).sum();
        self.endpoint.tally.tell(&Event::Started {
            what: self.address.to_string(),
            bytes: Some(plan.len),
            kept_bytes,
            upload_id: None,
        });
        if kept_bytes > 0 {
            let text = format!("going on: {} of {} ranges are there", journal.entries.len(), plan.count());
            self.endpoint.tally.note(self.address, text);
        }
    }
}
