//! Going on with an upload that was begun before: by this machine's journal, or by what the server has.

use std::collections::{BTreeMap, BTreeSet};

use dovetail_digest::Algorithm;

use super::{Done, Session, Upload, header_pairs};
use crate::base::limits::PART_NUMBER_MAX;
use crate::client::answers::{ListedPart, OpenUpload};
use crate::client::endpoint::Protection;
use crate::client::error::Error;
use crate::client::identity::Change;
use crate::client::journal::{Damaged, Journal};
use crate::client::operations::multipart::{NewUpload, SentPart};
use crate::client::plan::Plan;
use crate::client::upload::sent_part::{remembered, sent_before};

/// So many open uploads of one key are named.
const TOLD_MAX: usize = 3;

/// What a journal led to.
pub(super) enum Adopted {
    Session(Box<Session>),
    Done(Done),
    Nothing,
}

impl Upload<'_> {
    /// Goes on from a journal, if the file and the upload are still what they were.
    pub(super) async fn adopt(&self, journal: Journal) -> Result<Adopted, Error> {
        let header = &journal.header;
        let (Some(id), Some(identity)) = (header.upload_id.clone(), header.identity.clone()) else {
            journal.remove()?;
            return Ok(Adopted::Nothing);
        };
        self.endpoint.customer_keys.check_begun_with(header.customer_key.as_deref(), self.address)?;
        let change = identity.change(&self.identity);
        if change == Change::Content {
            self.note("the file has changed since; starting over");
            self.endpoint.abort_upload(self.address, &id).await?;
            journal.remove()?;
            return Ok(Adopted::Nothing);
        }
        if described(&header.headers) != described(&header_pairs(&self.options.headers)) {
            self.note("the upload was begun with another description; starting over");
            self.endpoint.abort_upload(self.address, &id).await?;
            journal.remove()?;
            return Ok(Adopted::Nothing);
        }
        let protection = protection_of(&header.algorithm);
        let plan = Plan { len: header.len, part_len: header.part_len };
        let listed = match self.endpoint.list_parts(self.address, &id).await {
            Err(error) if error.is_no_such_upload() => {
                return self.after_forgotten(journal, plan, protection).await;
            }
            listed => listed?,
        };
        if change == Change::Touched {
            self.note("the file was touched since; comparing what has arrived with it");
        }
        let mut session = Session {
            upload: NewUpload { id, protection },
            plan,
            sent: BTreeMap::new(),
            doubtful: BTreeMap::new(),
            journal,
        };
        for part in listed {
            let entry = session.journal.entries.get(&part.number).filter(|_| change == Change::None);
            match entry.and_then(|entry| sent_before(entry, &part, plan, protection)) {
                Some(sent) => drop(session.sent.insert(part.number, sent)),
                None => drop(session.doubtful.insert(part.number, part)),
            }
        }
        Ok(Adopted::Session(Box::new(session)))
    }

    /// The upload of a journal is gone. Perhaps because it was completed, and only the answer was lost.
    async fn after_forgotten(
        &self,
        journal: Journal,
        plan: Plan,
        protection: Protection,
    ) -> Result<Adopted, Error> {
        let sent: Vec<SentPart> = plan
            .parts()
            .filter_map(|part| {
                journal.entries.get(&part.number).and_then(|entry| remembered(entry, part, protection))
            })
            .collect();
        if sent.len() == usize::from(plan.count())
            && let Some(written) = self.completed_after_all(&sent, protection).await?
        {
            journal.remove()?;
            self.endpoint.tally.keep(plan.len);
            return Ok(Adopted::Done(Done { was_there: true, ..self.done(written, plan.len) }));
        }
        self.note("the server has forgotten the upload; starting over");
        journal.remove()?;
        Ok(Adopted::Nothing)
    }

    /// Goes on with the newest open upload of the key, whoever began it.
    pub(super) async fn adopt_from_server(&self) -> Result<Option<Session>, Error> {
        let Some(found) = self.open_uploads().await?.into_iter().max_by_key(|upload| upload.initiated_s)
        else {
            self.note("the server has no open upload of this key");
            return Ok(None);
        };
        self.adopt_open(found.id).await
    }

    /// What is left of a journal may name its upload; then that one goes on. Of any other that is open nobody knows whose it is, so
    /// it is only told how to be rid of it.
    pub(super) async fn adopt_damaged(&self, damaged: &Damaged) -> Result<Option<Session>, Error> {
        self.note(&format!("its journal is damaged and was set aside as {}", damaged.path.display()));
        let uploads = match self.open_uploads().await {
            Err(error @ Error::Refused { .. }) => {
                self.note(&format!("an upload of it may still be open on the server: {error}"));
                return Ok(None);
            }
            uploads => uploads?,
        };
        if let Some(id) = damaged.upload_id.as_ref().filter(|id| uploads.iter().any(|open| open.id == **id)) {
            return self.adopt_open(id.clone()).await;
        }
        for open in uploads.iter().take(TOLD_MAX) {
            self.note(&format!(
                "the server has an open upload of this key, perhaps of another machine's; `dovetail abort {} --upload-id {}` drops it",
                self.address, open.id
            ));
        }
        Ok(None)
    }

    async fn open_uploads(&self) -> Result<Vec<OpenUpload>, Error> {
        let mut uploads = self.endpoint.list_uploads(self.address).await?;
        uploads.retain(|upload| upload.key == self.address.key);
        Ok(uploads)
    }

    /// Compares the parts of an open upload with the file, if they have the lengths of a plan.
    async fn adopt_open(&self, id: String) -> Result<Option<Session>, Error> {
        let parts = self.endpoint.list_parts(self.address, &id).await?;
        let part_len = parts.iter().map(|part| part.len).max().unwrap_or(self.plan.part_len);
        let plan = Plan { len: self.identity.len, part_len };
        let fits = |part: &ListedPart| {
            u64::from(part.number) <= plan.len.div_ceil(part_len).max(1)
                && plan.part(part.number).len == part.len
        };
        if plan.len.div_ceil(part_len) > u64::from(PART_NUMBER_MAX) || !parts.iter().all(fits) {
            self.note("the open upload on the server was cut in other parts; starting over");
            return Ok(None);
        }
        let crc =
            |part: &ListedPart| part.checksum.is_some_and(|(algorithm, _)| algorithm == Algorithm::Crc64Nvme);
        let protection =
            if !parts.is_empty() && parts.iter().all(crc) { Protection::Crc64 } else { Protection::Md5 };
        self.note(&format!("comparing the {} parts of the open upload {} with the file", parts.len(), id));
        let upload = NewUpload { id, protection };
        let journal = self.create_journal(&upload, plan).await?;
        let doubtful = parts.into_iter().map(|part| (part.number, part)).collect();
        Ok(Some(Session { journal, upload, plan, sent: BTreeMap::new(), doubtful }))
    }
}

/// Whatever order the headers came in.
fn described(headers: &[(String, String)]) -> BTreeSet<&(String, String)> {
    headers.iter().collect()
}

fn protection_of(algorithm: &str) -> Protection {
    if algorithm == Algorithm::Crc64Nvme.name() { Protection::Crc64 } else { Protection::Md5 }
}
