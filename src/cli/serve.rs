//! `dovetail serve`: checks the configuration, opens the stores, and serves until it is told to stop.
//!
//! Order at the start: everything that can be wrong with the configuration, then the data directory, the stores, the
//! engine's jobs, and the listener last. At the end the other way round: the listener and its connections, the jobs,
//! the stores.

use bytes::Bytes;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use std::io::Write;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use super::config::{self, Flags, Settings, User};
use super::credentials;
use super::data_dir::DataDir;
use super::failure::Failure;
use super::sealing_key;
use super::signals;
use super::stores::{self, Keys, Stores};
use super::welcome::{SecretPlace, Welcome};
use crate::base::body::{RequestBody, ResponseBody};
use crate::base::buffers::{CHUNK_LEN, CHUNKS_PER_BODY};
use crate::base::tasks::Tasks;
use crate::blob;
use crate::engine::Engine;
use crate::engine::jobs::unsettled::{self, Settled};
use crate::engine::users::Users;
use crate::http::own_endpoints::{OwnEndpoints, Readiness};
use crate::http::tls::Certificates;
use crate::http::{FrontEnd, Server, Stopped};
use crate::meta::Meta;
use crate::s3::{self, S3};
use crate::telemetry::log;
use crate::telemetry::metrics::{self, Exporter};

/// Requests and hashing share the machine; fewer than two threads would let one slow request hold up the rest.
const WORKER_THREADS_MIN: usize = 2;
/// Tasks a worker runs before it looks for what the network brought. Tokio's 61 is made for tasks of microseconds; one
/// that takes in a part's bytes runs for up to a millisecond, and a small request would wait for 61 of them.
const TASKS_BETWEEN_EVENTS: u32 = 4;
/// How often histograms are put into their buckets, and gauges read from where they come from.
const METRICS_INTERVAL: Duration = Duration::from_secs(5);
/// How long background work may take to end once no request is left.
const TASKS_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until a signal stops the process.
pub fn serve(flags: Flags) -> Result<(), Failure> {
    let variables = config::variables();
    let settings = config::load(flags, variables.iter().cloned())?;
    let level = config::log_level(variables.iter().cloned())?;
    log::init(settings.log_format, &level).map_err(Failure::Configuration)?;
    if let Some(files) = &settings.http.tls {
        Certificates::load(files.clone()).map_err(|err| Failure::Configuration(format!("tls: {err}")))?;
    }
    let secret_in_environment =
        variables.iter().any(|(name, value)| name == "DOVETAIL_ACCESS_KEY_ID" && !value.is_empty());
    let runtime = runtime()?;
    runtime.block_on(run(settings, secret_in_environment))
}

/// The threads that serve.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let cores = std::thread::available_parallelism().map_or(WORKER_THREADS_MIN, NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.max(WORKER_THREADS_MIN))
        .event_interval(TASKS_BETWEEN_EVENTS)
        .thread_name("dovetail")
        .enable_all()
        .build()
        .map_err(|err| Failure::running(&err))
}

async fn run(settings: Settings, secret_in_environment: bool) -> Result<(), Failure> {
    let tasks = Tasks::new();
    let stop = signals::Stop::listen(&tasks).map_err(|err| Failure::running(&err))?;
    stores::check_blobs(&settings, &tasks)?;
    let data_dir = DataDir::open(&settings.data_dir).map_err(|err| Failure::running(&err))?;
    let (users, secret) = users(&settings, &data_dir, secret_in_environment)?;
    let exporter = metrics::install();
    let stores = Stores::open(&settings, data_dir, &tasks, Keys::Needed).await?;
    let sealing_key = sealing_key::load_or_create(&stores.data_dir).map_err(|err| Failure::running(&err))?;
    settle(&stores.engine).await;
    stores.engine.start_jobs();
    watch_metrics(&tasks, &stores, &settings, exporter.clone());

    let managed_users = Users::new(&stores.engine, sealing_key);
    managed_users.load().await.map_err(|err| Failure::running(&err))?;
    let front_end = s3_front_end(&settings, stores.engine.clone(), &users, managed_users);
    let limits =
        serde_json::to_string(&s3::limits::limits(&settings.engine)).expect("limits are plain values");
    let own_endpoints = OwnEndpoints::new(readiness(&stores), exporter, format!("{limits}\n"));
    let server = Server::bind(settings.http.clone(), front_end, own_endpoints).await;
    let server = server.map_err(|err| Failure::running(&err))?;
    signals::reload_on_hangup(&tasks, server.certificates()).map_err(|err| Failure::running(&err))?;
    welcome(&settings, &server, &users, secret);

    let stopped = server.run(stop.asked()).await;
    tasks.stop();
    if tokio::time::timeout(TASKS_TIMEOUT, tasks.wait()).await.is_err() {
        tracing::warn!("background work did not end in time; it goes on after the next start");
    }
    drop(stores);
    match stopped {
        Stopped::Clean => tracing::info!("stopped"),
        Stopped::Cut => tracing::warn!("stopped; requests that took longer than shutdown_timeout were cut"),
    }
    Ok(())
}

/// Deletes what an earlier process had no time to commit, before anything is written. Without it only space is lost.
async fn settle(engine: &Engine) {
    match unsettled::settle(engine).await {
        Ok(Settled { unnamed: 0, .. }) => {}
        Ok(Settled { unnamed, .. }) => tracing::info!(blobs = unnamed, "deleted what was never committed"),
        Err(err) => {
            let error = &err as &dyn std::error::Error;
            tracing::warn!(error, "cannot find out what was never committed; the next start tries again");
        }
    }
}

/// Who may sign requests, and where the first one's secret is.
fn users(
    settings: &Settings,
    data_dir: &DataDir,
    secret_in_environment: bool,
) -> Result<(Vec<User>, SecretPlace), Failure> {
    if !settings.users.is_empty() {
        // The one from the environment is the last.
        let only = secret_in_environment && settings.users.len() == 1;
        let place = if only { SecretPlace::Environment } else { SecretPlace::Configuration };
        return Ok((settings.users.clone(), place));
    }
    let (user, path) = credentials::load_or_create(data_dir).map_err(|err| Failure::running(&err))?;
    Ok((vec![user], SecretPlace::Kept(std::path::absolute(&path).unwrap_or(path))))
}

/// The S3 front end as the listener sees it.
struct S3FrontEnd(S3);

impl FrontEnd for S3FrontEnd {
    fn handle(&self, req: Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>> {
        let s3 = self.0.clone();
        Box::pin(async move { s3.handle(req).await })
    }

    fn administer(&self, req: Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>> {
        let s3 = self.0.clone();
        Box::pin(async move { s3.administer(req).await })
    }

    fn unreadable(&self, status: StatusCode) -> Option<Response<Bytes>> {
        Some(self.0.unreadable(status))
    }

    fn owns_every_path(&self, req: &Parts) -> bool {
        self.0.owns_every_path(req)
    }
}

fn s3_front_end(
    settings: &Settings,
    engine: Engine,
    users: &[User],
    managed_users: Users,
) -> Arc<dyn FrontEnd> {
    let users = users.iter().cloned().map(|user| s3::User {
        name: user.name,
        id: user.id,
        display_name: user.display_name,
        email: user.email,
        access_key_id: user.access_key_id,
        secret_access_key: user.secret_access_key,
        managed: None,
    });
    let settings = s3::Settings {
        region: settings.region.clone(),
        any_region: false,
        sigv2: settings.sigv2,
        domains: settings.domains.clone(),
        users: users.collect(),
        managed_users,
        default_object_ownership: settings.default_object_ownership,
        keys_need_tls: settings.encryption.require_tls,
        block_public_access: settings.block_public_access,
    };
    Arc::new(S3FrontEnd(S3::new(engine, settings)))
}

/// Ready is who can commit metadata and write blobs.
fn readiness(stores: &Stores) -> Readiness {
    let (meta, blobs) = (stores.meta.clone(), Arc::clone(&stores.blobs));
    Arc::new(move || -> BoxFuture<'static, Result<(), String>> {
        let (meta, blobs) = (meta.clone(), Arc::clone(&blobs));
        Box::pin(async move {
            meta.store().check().map_err(|err| format!("metadata: {err}"))?;
            blobs.check().await.map_err(|err: blob::Error| format!("blobs: {err}"))
        })
    })
}

/// Reads gauges from where they come from, every few seconds.
fn watch_metrics(tasks: &Tasks, stores: &Stores, settings: &Settings, exporter: Exporter) {
    let body_len = CHUNK_LEN * CHUNKS_PER_BODY;
    let bodies_max = (settings.engine.body_memory_len / body_len).max(1);
    metrics::BODY_MEMORY_LIMIT_BYTES.set((bodies_max * body_len) as f64, &[]);
    let (meta, engine): (Meta, Engine) = (stores.meta.clone(), stores.engine.clone());
    let stopping = tasks.clone();
    tasks.spawn(async move {
        loop {
            for (property, value) in meta.store().gauges() {
                metrics::METADATA_STORE.set(value, &[property]);
            }
            let bodies = bodies_max.saturating_sub(engine.body_memory().bodies_free());
            metrics::BODIES_IN_FLIGHT.set(bodies as f64, &[]);
            metrics::BODY_MEMORY_BYTES.set((bodies * body_len) as f64, &[]);
            exporter.upkeep();
            tokio::select! {
                () = tokio::time::sleep(METRICS_INTERVAL) => {}
                () = stopping.stopping() => break,
            }
        }
    });
}

fn welcome(settings: &Settings, server: &Server, users: &[User], secret: SecretPlace) {
    let welcome = Welcome {
        address: server.address(),
        tls: settings.http.tls.is_some(),
        region: settings.region.clone(),
        data_dir: std::path::absolute(&settings.data_dir).unwrap_or_else(|_| settings.data_dir.clone()),
        access_key_id: users.first().map_or(String::new(), |user| user.access_key_id.clone()),
        secret,
    };
    let mut stdout = std::io::stdout().lock();
    // A gateway whose stdout is closed serves all the same.
    let _ = write!(stdout, "{welcome}").and_then(|()| stdout.flush());
    tracing::info!(address = %server.address(), tls = welcome.tls, "listening");
}
