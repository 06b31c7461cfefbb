//! The real binary is killed at every fail point, restarted, and asked what it remembers.
//!
//! Several workers write at once, each to keys of its own and one request at a time, so that after a kill at most one
//! request a worker is in doubt. What was acknowledged has to be there; what is in doubt is either done or not done,
//! and can be finished (invariants 1, 2, 3 and 8). Afterwards `dovetail fsck` finds nothing wrong, and no blob that no record
//! names either: the restart has deleted what was never committed, and nothing else.
//!
//! One of the two buckets encrypts everything, at random which: then an acknowledged object is also one that can be decrypted.
//!
//! Where the lifecycle job is meant, a rule expires everything under one prefix, all the time, and a sweep that was killed is
//! gone on with. Elsewhere there is no rule, since its commits would be the first to reach the points.

mod versions;

use crate::client::{Client, path};
use crate::gateway::Gateway;
use crate::seed::Seed;
use bytes::Bytes;
use dovetail::base::fail_point;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use versions::Versions;

const BUCKET: &str = "crash";
/// What a rule expires as soon as it is there.
const EXPIRING: &str = "expiring/";
const SWEEPS: (&str, &str) = ("DOVETAIL_LIFECYCLE__SWEEP_INTERVAL", "300ms");
const WORKERS: usize = 4;
/// The least length of a part that is not the last.
const PART_LEN: usize = 5 << 20;
/// A point that is not reached within this time is not reached at all, which fails the test.
const WORK_TIME: Duration = Duration::from_secs(20);

/// What one worker knows.
struct Worker {
    client: Client,
    name: String,
    seed: Seed,
    /// Acknowledged: the bytes of each key.
    objects: BTreeMap<String, Bytes>,
    /// The request that was not answered.
    doubt: Option<Doubt>,
    upload: Option<Upload>,
    versions: Versions,
    /// There is a rule that expires what is put under `EXPIRING`.
    has_rule: bool,
}

/// A request whose answer was lost.
enum Doubt {
    /// The key has either these bytes (or none) or what it had before.
    Object {
        key: String,
        bytes: Option<Bytes>,
    },
    /// Asked for with this token.
    Rename {
        from: String,
        to: String,
        token: String,
    },
    Create,
    Part,
    Complete,
    Abort,
}

/// An open upload, as far as it was acknowledged.
struct Upload {
    key: String,
    id: String,
    parts: Vec<Bytes>,
    /// ETags of the parts that were acknowledged, by index.
    etags: BTreeMap<usize, String>,
}

impl Upload {
    fn list(&self) -> Vec<(usize, String)> {
        self.etags.iter().map(|(index, etag)| (index + 1, etag.clone())).collect()
    }

    fn whole(&self) -> Bytes {
        self.parts.concat().into()
    }
}

impl Worker {
    fn new(client: Client, number: usize, seed: u64, has_rule: bool) -> Worker {
        let name = format!("worker-{number}");
        let seed = Seed::new(seed.wrapping_add(number as u64 * 7919));
        let versions = Versions::new(client.clone(), name.clone());
        let objects = BTreeMap::new();
        Worker { client, name, seed, objects, doubt: None, upload: None, versions, has_rule }
    }

    /// Writes until a request fails, which leaves it in doubt, or until `end`.
    async fn work_until(&mut self, end: Instant) {
        while Instant::now() < end {
            let done = match self.seed.below(14) {
                0..=2 => self.put_small().await,
                3..=4 => self.put_large().await,
                5 => self.delete().await,
                6 if self.seed.below(2) == 0 => self.rename().await,
                6 => self.copy().await,
                7..=9 => self.versions.work(&mut self.seed).await,
                10 if self.has_rule => self.put_expiring().await,
                _ => self.multipart().await,
            };
            if done.is_none() {
                return;
            }
        }
    }

    fn key(&mut self) -> String {
        format!("{}/{}", self.name, self.seed.below(6))
    }

    async fn put_small(&mut self) -> Option<()> {
        let len = self.seed.below(60_000) as usize;
        let bytes = self.seed.bytes(len);
        self.put(bytes.into()).await
    }

    async fn put_large(&mut self) -> Option<()> {
        // Both sides of the length from which files are written directly.
        let len = if self.seed.below(3) == 0 { 9 << 20 } else { 100_000 } + self.seed.below(5000) as usize;
        let bytes = self.seed.bytes(len);
        self.put(bytes.into()).await
    }

    async fn put(&mut self, bytes: Bytes) -> Option<()> {
        let key = self.key();
        let answer = self.client.put(BUCKET, &key, bytes.clone()).await;
        self.settle(key, Some(bytes), answer.map(|answer| answer.expect(200)).ok().is_some())
    }

    /// Nothing is known about it afterwards: it may be gone already.
    async fn put_expiring(&mut self) -> Option<()> {
        let key = format!("{EXPIRING}{}/{}", self.name, self.seed.below(100));
        let answer = self.client.put(BUCKET, &key, "expiring").await;
        answer.ok().map(|answer| drop(answer.expect(200)))
    }

    async fn delete(&mut self) -> Option<()> {
        let key = self.key();
        let answer = self.client.delete(BUCKET, &key).await;
        self.settle(key, None, answer.map(|answer| answer.expect(204)).ok().is_some())
    }

    async fn copy(&mut self) -> Option<()> {
        let Some((from, bytes)) = self.objects.iter().next().map(|(key, bytes)| (key.clone(), bytes.clone()))
        else {
            return Some(());
        };
        let to = self.key();
        if to == from {
            return Some(());
        }
        let answer = self.client.copy(BUCKET, &from, &to).await;
        self.settle(to, Some(bytes), answer.map(|answer| answer.expect(200)).ok().is_some())
    }

    async fn rename(&mut self) -> Option<()> {
        let Some(from) = self.objects.keys().next().cloned() else { return Some(()) };
        let (to, token) = (self.key(), format!("token-{}", self.seed.next()));
        if to == from { Some(()) } else { self.rename_with(from, to, token).await }
    }

    async fn rename_with(&mut self, from: String, to: String, token: String) -> Option<()> {
        let url = format!("{}?renameObject", path(BUCKET, &to));
        let headers = [("x-amz-rename-source", from.as_str()), ("x-amz-client-token", token.as_str())];
        let Ok(answer) = self.client.send("PUT", &url, &headers, "").await else {
            self.doubt = Some(Doubt::Rename { from, to, token });
            return None;
        };
        answer.expect(200);
        let bytes = self.objects.remove(&from).expect("it was acknowledged");
        self.objects.insert(to, bytes);
        Some(())
    }

    /// Records what a write did, or that nobody knows.
    fn settle(&mut self, key: String, bytes: Option<Bytes>, acknowledged: bool) -> Option<()> {
        if !acknowledged {
            self.doubt = Some(Doubt::Object { key, bytes });
            return None;
        }
        match bytes {
            Some(bytes) => self.objects.insert(key, bytes),
            None => self.objects.remove(&key),
        };
        Some(())
    }

    async fn multipart(&mut self) -> Option<()> {
        let key = self.key();
        let Ok(id) = self.client.create_upload(BUCKET, &key).await else {
            self.doubt = Some(Doubt::Create);
            return None;
        };
        let parts = vec![self.seed.bytes(PART_LEN).into(), self.seed.bytes(70_000).into()];
        self.upload = Some(Upload { key, id, parts, etags: BTreeMap::new() });
        self.send_missing_parts().await?;
        if self.seed.below(4) == 0 { self.abort().await } else { self.complete().await }
    }

    async fn send_missing_parts(&mut self) -> Option<()> {
        let upload = self.upload.as_mut().expect("an upload is open");
        for index in 0..upload.parts.len() {
            if upload.etags.contains_key(&index) {
                continue;
            }
            let part = upload.parts[index].clone();
            match self.client.upload_part(BUCKET, &upload.key, &upload.id, index + 1, part).await {
                Ok(answer) => {
                    let answer = answer.expect(200);
                    let etag =
                        answer.header("etag").expect("a part has an ETag").trim_matches('"').to_string();
                    upload.etags.insert(index, etag);
                }
                Err(_) => {
                    self.doubt = Some(Doubt::Part);
                    return None;
                }
            }
        }
        Some(())
    }

    async fn complete(&mut self) -> Option<()> {
        let upload = self.upload.as_ref().expect("an upload is open");
        match self.client.complete(BUCKET, &upload.key, &upload.id, &upload.list()).await {
            Ok(answer) => {
                answer.expect(200);
                let upload = self.upload.take().expect("it was there a moment ago");
                self.objects.insert(upload.key.clone(), upload.whole());
                Some(())
            }
            Err(_) => {
                self.doubt = Some(Doubt::Complete);
                None
            }
        }
    }

    async fn abort(&mut self) -> Option<()> {
        let upload = self.upload.as_ref().expect("an upload is open");
        match self.client.abort(BUCKET, &upload.key, &upload.id).await {
            Ok(answer) => {
                answer.expect(204);
                self.upload = None;
                Some(())
            }
            Err(_) => {
                self.doubt = Some(Doubt::Abort);
                None
            }
        }
    }

    /// After the restart: what was in doubt is settled, open uploads are finished, and everything is read back.
    async fn verify(&mut self) {
        match self.doubt.take() {
            None | Some(Doubt::Create) => {}
            Some(Doubt::Object { key, bytes }) => self.settle_doubtful_object(key, bytes).await,
            Some(Doubt::Rename { from, to, token }) => {
                // With the same token it may simply be asked for again, whether or not it was done.
                self.rename_with(from, to, token).await.expect("the gateway is back");
            }
            Some(Doubt::Part) => {
                self.check_parts().await;
                self.send_missing_parts().await.expect("the gateway is back");
            }
            Some(Doubt::Complete) => {
                // The answer was lost: the client asks again, and gets it, whether or not the first one was done.
                self.complete().await.expect("the gateway is back");
            }
            Some(Doubt::Abort) => {
                let upload = self.upload.take().expect("an upload was being aborted");
                let answer =
                    self.client.abort(BUCKET, &upload.key, &upload.id).await.expect("the gateway is back");
                assert!(matches!(answer.status, 204 | 404), "{}", answer.text());
            }
        }
        if self.upload.is_some() {
            self.check_parts().await;
            self.send_missing_parts().await.expect("the gateway is back");
            self.complete().await.expect("the gateway is back");
        }
        self.check_objects().await;
        self.versions.verify().await;
    }

    async fn settle_doubtful_object(&mut self, key: String, bytes: Option<Bytes>) {
        let answer = self.client.get(BUCKET, &key).await.expect("the gateway is back");
        let found = (answer.status == 200).then_some(answer.body);
        let before = self.objects.get(&key).cloned();
        assert!(found == bytes || found == before, "{key} is neither what it was nor what it should become");
        match found {
            Some(bytes) => self.objects.insert(key, bytes),
            None => self.objects.remove(&key),
        };
    }

    /// ListParts shows every part that was acknowledged; of the one in doubt it shows all or nothing.
    async fn check_parts(&mut self) {
        let upload = self.upload.as_mut().expect("an upload is open");
        let listed =
            self.client.list_parts(BUCKET, &upload.key, &upload.id).await.expect("the gateway is back");
        let listed: BTreeMap<usize, String> =
            listed.expect("the upload was acknowledged").into_iter().collect();
        for (index, etag) in &upload.etags {
            assert_eq!(listed.get(&(index + 1)), Some(etag), "part {} was acknowledged", index + 1);
        }
        for (number, etag) in listed {
            let wanted = dovetail_digest::md5(&upload.parts[number - 1]);
            assert_eq!(etag, wanted.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            upload.etags.insert(number - 1, etag);
        }
    }

    async fn check_objects(&self) {
        for (key, bytes) in &self.objects {
            let answer = self.client.get(BUCKET, key).await.expect("the gateway is back").expect(200);
            assert!(answer.body == *bytes, "{key} has other bytes than were acknowledged");
        }
    }
}

/// A bucket, with a lifecycle rule or without, and one that keeps versions. The one named `encrypted` encrypts.
async fn create_buckets(gateway: &Gateway, has_rule: bool, encrypted: &str) {
    let client = gateway.client();
    let put = async |target: &str, body: String| {
        client.send("PUT", target, &[], body).await.unwrap().expect(200);
    };
    put(&format!("/{BUCKET}"), String::new()).await;
    let rule = format!(
        "<Rule><ID>expiring</ID><Filter><Prefix>{EXPIRING}</Prefix></Filter><Status>Enabled</Status>\
         <Expiration><Date>2020-01-01T00:00:00Z</Date></Expiration></Rule>"
    );
    let rules = format!("<LifecycleConfiguration>{rule}</LifecycleConfiguration>");
    if has_rule {
        put(&format!("/{BUCKET}?lifecycle"), rules).await;
    }
    put(&format!("/{}", versions::BUCKET), String::new()).await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    put(&format!("/{}?versioning", versions::BUCKET), enabled.to_string()).await;
    let rule = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
                <SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
                </ServerSideEncryptionConfiguration>";
    put(&format!("/{encrypted}?encryption"), rule.to_string()).await;
}

/// The keys of the bucket once nothing is left that a rule expires.
async fn wait_for_expiry(gateway: &Gateway) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let listed = gateway.client().list(BUCKET).await.unwrap();
        if !listed.iter().any(|key| key.starts_with(EXPIRING)) {
            return listed;
        }
        assert!(begun.elapsed() < WORK_TIME, "the lifecycle rule is not carried out: {listed:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Kills a gateway at `point`, when it is reached for the `nth` time, under load; then checks everything.
async fn kill_at(point: &str, nth: u64, encrypted: &str, seed: u64) {
    let mut gateway = Gateway::start_with(&[("DOVETAIL_UPLOADS__EXPIRE_AFTER", "1d"), SWEEPS]).await;
    let has_rule = point.starts_with("engine::lifecycle::");
    create_buckets(&gateway, has_rule, encrypted).await;
    assert!(gateway.stop().success());
    gateway.spawn(&[("DOVETAIL_KILL_AT", &format!("{point}:{nth}"))]);
    gateway.wait_ready().await;

    let end = Instant::now() + WORK_TIME;
    let workers = (0..WORKERS).map(|number| {
        let mut worker = Worker::new(gateway.client(), number, seed, has_rule);
        async move {
            worker.work_until(end).await;
            worker
        }
    });
    let mut workers = futures::future::join_all(workers).await;
    let killed = Instant::now() + Duration::from_secs(5);
    while gateway.is_running() && Instant::now() < killed {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!gateway.is_running(), "{point} was not reached {nth} times");

    gateway.spawn(&[]);
    gateway.wait_ready().await;
    for worker in &mut workers {
        worker.verify().await;
    }
    let mut listed = wait_for_expiry(&gateway).await;
    let mut known: Vec<String> = workers.iter().flat_map(|worker| worker.objects.keys().cloned()).collect();
    listed.sort();
    known.sort();
    assert_eq!(listed, known, "the listing shows something else than was acknowledged");
    assert!(gateway.stop().success());
    gateway.check_that_fsck_finds_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_at_any_fail_point() {
    let mut seed = Seed::from_environment("nothing_acknowledged_is_lost_at_any_fail_point");
    for point in fail_point::ALL {
        let nth = 1 + seed.below(3);
        let encrypted = if seed.below(2) == 0 { BUCKET } else { versions::BUCKET };
        println!("killing at {point}, time {nth}, while {encrypted} encrypts");
        kill_at(point, nth, encrypted, seed.next()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_killed_at_any_moment() {
    let mut seed = Seed::from_environment("nothing_acknowledged_is_lost_when_killed_at_any_moment");
    let mut gateway = Gateway::start_with(&[SWEEPS]).await;
    create_buckets(&gateway, true, if seed.below(2) == 0 { BUCKET } else { versions::BUCKET }).await;
    let start = seed.next();
    let mut workers: Vec<Worker> =
        (0..WORKERS).map(|number| Worker::new(gateway.client(), number, start, true)).collect();
    for _ in 0..8 {
        let end = Instant::now() + WORK_TIME;
        let wait = Duration::from_millis(100 + seed.below(1500));
        let work = futures::future::join_all(workers.iter_mut().map(|worker| worker.work_until(end)));
        let kill = async {
            tokio::time::sleep(wait).await;
            gateway.kill();
        };
        tokio::join!(work, kill);
        gateway.restart().await;
        for worker in &mut workers {
            worker.verify().await;
        }
    }
    wait_for_expiry(&gateway).await;
    assert!(gateway.stop().success());
    gateway.check_that_fsck_finds_nothing();
}
