//! Many transfers side by side.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::{self, FuturesUnordered};
use tokio_util::task::AbortOnDropHandle;

use super::transfer::{Output, Session, code_of, failure, say_would};
use crate::client::error::Error;
use crate::client::tally::Event;
use crate::client::upload::Done;

/// Transfers that are open at once. How many requests they send together is decided by `client::workers`; this only
/// bounds open files.
const OPEN_MAX: usize = 64;
/// Files that are compared at once when nothing is to be moved.
const ASKED_AT_ONCE: usize = 16;

/// Runs transfers and remembers how they went.
pub struct Many<'a> {
    session: &'a Session,
    running: FuturesUnordered<AbortOnDropHandle<Ended>>,
    /// Files that need not be moved, of those that are only talked about.
    there: u64,
    /// 0, or that of the worst failure.
    code: u8,
}

/// What was moved, how many bytes it has, and how that went.
type Ended = (String, Option<String>, Result<Done, Error>);

impl<'a> Many<'a> {
    pub fn new(session: &'a Session) -> Many<'a> {
        Many { session, running: FuturesUnordered::new(), there: 0, code: 0 }
    }

    /// Starts a transfer once there is room; `what` names it, `to` says where it goes unless that is stdout.
    pub async fn start<F>(&mut self, what: String, to: Option<String>, transfer: F)
    where
        F: Future<Output = Result<Done, Error>> + Send + 'static,
    {
        while self.running.len() >= OPEN_MAX {
            self.wait_for_one().await;
        }
        let task = async move { (what, to, transfer.await) };
        self.running.push(AbortOnDropHandle::new(self.session.tasks.spawn(task)));
    }

    /// A transfer that could not even begin.
    pub fn failed(&mut self, what: &str, to: Option<String>, error: &Error) {
        self.session.tally.tell(&failure(Some(what.to_owned()), to, error));
        // What cannot be resumed weighs more than what can.
        self.code = if self.code == 0 { code_of(error) } else { self.code.min(code_of(error)) };
    }

    /// Says which of these would be moved, in their order; those that are there already only by their number.
    pub async fn would<F>(
        &mut self,
        output: &Output,
        verb: &str,
        transfers: impl IntoIterator<Item = (String, String, F)>,
    ) where
        F: Future<Output = Result<bool, Error>>,
    {
        let asked = transfers.into_iter().map(|(what, to, would)| async { (what, to, would.await) });
        let mut asked = stream::iter(asked).buffered(ASKED_AT_ONCE);
        while let Some((what, to, would)) = asked.next().await {
            match would {
                Ok(true) => say_would(output, verb, what, to),
                Ok(false) => self.there += 1,
                Err(error) => self.failed(&what, Some(to), &error),
            }
        }
    }

    /// Ends what only was said.
    pub fn finish_said(self, output: &Output) -> u8 {
        if self.there > 0 && !output.json && !output.quiet {
            let files =
                if self.there == 1 { "1 file is".into() } else { format!("{} files are", self.there) };
            eprintln!("{files} there already");
        }
        self.code
    }

    /// Waits for all, prints the sums, and gives the exit code.
    pub async fn finish(mut self, verb: &str) -> u8 {
        while !self.running.is_empty() {
            self.wait_for_one().await;
        }
        self.session.display.finish(&self.session.tally, verb);
        self.code
    }

    async fn wait_for_one(&mut self) {
        match self.running.next().await {
            Some(Ok((what, to, Ok(done)))) => {
                let tally = Arc::clone(&self.session.tally);
                tally.file_done();
                tally.tell(&Event::Done {
                    what,
                    to,
                    bytes: done.len,
                    sent_bytes: done.len - done.kept_len.min(done.len),
                    etag: Some(done.etag),
                    checksum: done.checksum,
                    verified: done.verified,
                    skipped: done.was_there,
                });
            }
            Some(Ok((what, to, Err(error)))) => self.failed(&what, to, &error),
            Some(Err(error)) => {
                self.failed("a transfer", None, &Error::file("finish it", std::io::Error::other(error)))
            }
            None => {}
        }
    }
}
