//! Signals: SIGTERM and SIGINT stop the process, SIGHUP reloads the certificate.

use std::io;
use std::process;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::base::tasks::Tasks;
use crate::http::tls::Certificates;

/// The signals that stop the process. From the first on it has to end by itself; the second ends it at once, with 1.
pub struct Stop(CancellationToken);

impl Stop {
    /// Listens from now on.
    pub fn listen(tasks: &Tasks) -> io::Result<Stop> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let ended = tasks.clone();
        tasks.spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            tokio::select! {
                () = next() => {}
                () = ended.stopping() => return,
            }
            tracing::info!("stopping; a second signal exits at once");
            stopping.cancel();
            tokio::select! {
                () = next() => {
                    tracing::warn!("a second signal: exiting without waiting");
                    process::exit(1);
                }
                () = ended.stopping() => {}
            }
        });
        Ok(Stop(stop))
    }

    /// Resolves with the first signal.
    pub async fn asked(&self) {
        self.0.cancelled().await;
    }
}

/// Reads the certificate anew on each SIGHUP. Without TLS the signal does nothing; unheard it would end the process.
pub fn reload_on_hangup(tasks: &Tasks, certificates: Option<Arc<Certificates>>) -> io::Result<()> {
    let hangup = signal(SignalKind::hangup())?;
    let stopping = tasks.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = reload_for_ever(hangup, certificates) => {}
            () = stopping.stopping() => {}
        }
    });
    Ok(())
}

async fn reload_for_ever(mut hangup: Signal, certificates: Option<Arc<Certificates>>) {
    while hangup.recv().await.is_some() {
        match certificates.as_ref().map(|certificates| certificates.reload()) {
            None => tracing::info!("SIGHUP: nothing to reload without tls.certificate"),
            Some(Ok(())) => tracing::info!("SIGHUP: new connections get the certificate that was just read"),
            Some(Err(err)) => tracing::error!(error = %err, "SIGHUP: the certificate stays what it was"),
        }
    }
}
