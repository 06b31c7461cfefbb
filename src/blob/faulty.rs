//! A backend that fails on request: for tests of everything above.
//!
//! Wrap a store, say which call goes wrong and how, and hand it to what is tested:
//!
//! ```ignore
//! let store = Faulty::new(Arc::new(Memory::new()));
//! store.nth(Call::Finish, 2, Fault::Fail(ErrorKind::Unavailable));
//! ```

use crate::blob::{BlobEntry, BlobId, Error, ErrorKind, Reader, Store, Writer};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The calls that can go wrong. Each is counted on its own, over all blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Create,
    Write,
    Finish,
    Open,
    Read,
    Delete,
    List,
    Sweep,
    Check,
}

/// What happens instead of the call, or with it.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It does nothing and fails.
    Fail(ErrorKind),
    /// It does what it should, and then fails: an answer that was lost.
    FailAfter(ErrorKind),
    /// It does what it should, this much later.
    Delay(Duration),
    /// It never returns.
    Hang,
    /// One bit of the bytes written or read is turned. Other calls are as usual.
    Corrupt,
}

/// A store whose calls go wrong as told. Cloning shares the plan and the counts.
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn Store>,
    plan: Arc<Plan>,
}

#[derive(Default)]
struct Plan(Mutex<PlanState>);

#[derive(Default)]
struct PlanState {
    counts: HashMap<Call, u64>,
    nth: HashMap<(Call, u64), Fault>,
    always: HashMap<Call, Fault>,
}

impl Faulty {
    pub fn new(inner: Arc<dyn Store>) -> Faulty {
        Faulty { inner, plan: Arc::default() }
    }

    /// The `nth` such call from now on goes wrong; the next one is 1.
    pub fn nth(&self, call: Call, nth: u64, fault: Fault) {
        let mut plan = self.plan.lock();
        let at = plan.counts.get(&call).copied().unwrap_or(0) + nth;
        plan.nth.insert((call, at), fault);
    }

    /// Every such call goes wrong until [`Faulty::heal`].
    pub fn always(&self, call: Call, fault: Fault) {
        self.plan.lock().always.insert(call, fault);
    }

    /// Nothing goes wrong any more. Calls that hang go on hanging.
    pub fn heal(&self) {
        let mut plan = self.plan.lock();
        plan.nth.clear();
        plan.always.clear();
    }

    /// How often this was called, whether it went wrong or not.
    pub fn calls(&self, call: Call) -> u64 {
        self.plan.lock().counts.get(&call).copied().unwrap_or(0)
    }
}

impl Plan {
    fn lock(&self) -> MutexGuard<'_, PlanState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and says what is to become of it.
    fn next(&self, call: Call) -> Option<Fault> {
        let mut plan = self.lock();
        let count = plan.counts.entry(call).or_default();
        *count += 1;
        let count = *count;
        plan.nth.remove(&(call, count)).or_else(|| plan.always.get(&call).copied())
    }

    /// Does `work`, or what the plan says instead.
    async fn around<T>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T, Error>>,
        corrupt: impl FnOnce(T) -> T,
    ) -> Result<T, Error> {
        match self.next(call) {
            None => work.await,
            Some(Fault::Fail(kind)) => Err(planned(call, kind)),
            Some(Fault::FailAfter(kind)) => work.await.and(Err(planned(call, kind))),
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                work.await
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Corrupt) => work.await.map(corrupt),
        }
    }
}

fn planned(call: Call, kind: ErrorKind) -> Error {
    Error::new(kind, format!("planned failure of {call:?}"))
}

/// `bytes` with the lowest bit of the middle byte turned.
fn with_a_bit_turned(bytes: Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    bytes.into()
}

#[async_trait]
impl Store for Faulty {
    async fn create(&self, id: BlobId, len: Option<u64>) -> Result<Box<dyn Writer>, Error> {
        let inner = self.plan.around(Call::Create, self.inner.create(id, len), |writer| writer).await?;
        Ok(Box::new(FaultyWriter { inner, plan: Arc::clone(&self.plan) }))
    }

    async fn open(&self, id: BlobId) -> Result<Box<dyn Reader>, Error> {
        let inner = self.plan.around(Call::Open, self.inner.open(id), |reader| reader).await?;
        Ok(Box::new(FaultyReader { inner, plan: Arc::clone(&self.plan) }))
    }

    async fn delete(&self, id: BlobId) -> Result<(), Error> {
        self.plan.around(Call::Delete, self.inner.delete(id), |()| ()).await
    }

    fn list(&self) -> BoxStream<'_, Result<BlobEntry, Error>> {
        let before = async { self.plan.around(Call::List, async { Ok(()) }, |()| ()).await };
        stream::once(before)
            .flat_map(|result| match result {
                Ok(()) => self.inner.list(),
                Err(err) => stream::once(async { Err(err) }).boxed(),
            })
            .boxed()
    }

    async fn sweep_unfinished(&self) -> Result<(), Error> {
        self.plan.around(Call::Sweep, self.inner.sweep_unfinished(), |()| ()).await
    }

    fn settle(&self, id: BlobId) {
        self.inner.settle(id);
    }

    async fn unsettled(&self) -> Result<Vec<BlobId>, Error> {
        self.plan.around(Call::Sweep, self.inner.unsettled(), |found| found).await
    }

    async fn check(&self) -> Result<(), Error> {
        self.plan.around(Call::Check, self.inner.check(), |()| ()).await
    }
}

struct FaultyWriter {
    inner: Box<dyn Writer>,
    plan: Arc<Plan>,
}

#[async_trait]
impl Writer for FaultyWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        match self.plan.next(Call::Write) {
            None => self.inner.write(bytes).await,
            Some(Fault::Fail(kind)) => Err(planned(Call::Write, kind)),
            Some(Fault::FailAfter(kind)) => {
                self.inner.write(bytes).await?;
                Err(planned(Call::Write, kind))
            }
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                self.inner.write(bytes).await
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Corrupt) => self.inner.write(with_a_bit_turned(bytes)).await,
        }
    }

    async fn finish(self: Box<Self>) -> Result<(), Error> {
        let FaultyWriter { inner, plan } = *self;
        plan.around(Call::Finish, inner.finish(), |()| ()).await
    }
}

struct FaultyReader {
    inner: Box<dyn Reader>,
    plan: Arc<Plan>,
}

#[async_trait]
impl Reader for FaultyReader {
    async fn read(&self, offset: u64, len: usize) -> Result<Bytes, Error> {
        self.plan.around(Call::Read, self.inner.read(offset, len), with_a_bit_turned).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::memory::Memory;

    fn faulty() -> Faulty {
        Faulty::new(Arc::new(Memory::new()))
    }

    async fn put(store: &Faulty, bytes: &'static [u8]) -> Result<BlobId, Error> {
        let id = BlobId::random();
        let mut writer = store.create(id, Some(bytes.len() as u64)).await?;
        writer.write(Bytes::from_static(bytes)).await?;
        writer.finish().await?;
        Ok(id)
    }

    #[tokio::test]
    async fn without_a_plan_it_is_the_store_inside() {
        crate::blob::conformance::run_all(async || Arc::new(faulty()) as Arc<dyn Store>).await;
    }

    #[tokio::test]
    async fn only_the_planned_call_goes_wrong() {
        let store = faulty();
        store.nth(Call::Finish, 2, Fault::Fail(ErrorKind::Unavailable));
        put(&store, b"one").await.unwrap();
        assert!(put(&store, b"two").await.unwrap_err().is_transient());
        put(&store, b"three").await.unwrap();
        assert_eq!(store.calls(Call::Finish), 3);
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_the_blob() {
        let store = faulty();
        let id = put(&store, b"kept").await.unwrap();
        store.nth(Call::Delete, 1, Fault::FailAfter(ErrorKind::Io));
        assert!(store.delete(id).await.is_err());
        assert_eq!(store.open(id).await.err().unwrap().kind, ErrorKind::Missing);
    }

    #[tokio::test]
    async fn corruption_turns_one_bit_until_it_heals() {
        let store = faulty();
        let id = put(&store, b"abc").await.unwrap();
        store.always(Call::Read, Fault::Corrupt);
        let reader = store.open(id).await.unwrap();
        assert_eq!(&reader.read(0, 3).await.unwrap()[..], b"acc");
        store.heal();
        assert_eq!(&reader.read(0, 3).await.unwrap()[..], b"abc");
    }

    #[tokio::test(start_paused = true)]
    async fn hangs_and_delays_as_told() {
        let store = faulty();
        store.nth(Call::Check, 1, Fault::Hang);
        store.nth(Call::Check, 2, Fault::Delay(Duration::from_secs(5)));
        assert!(tokio::time::timeout(Duration::from_secs(3600), store.check()).await.is_err());
        let started = tokio::time::Instant::now();
        store.check().await.unwrap();
        assert_eq!(started.elapsed(), Duration::from_secs(5));
    }
}
