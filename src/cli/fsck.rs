//! `dovetail fsck`: checks that metadata and blobs agree, while no gateway runs on them.

use serde_json::json;
use std::io::Write;

use super::config::{self, Flags};
use super::data_dir::DataDir;
use super::failure::Failure;
use super::serve;
use super::stores::{self, Keys, Stores};
use crate::base::tasks::Tasks;
use crate::engine::fsck::{FsckOptions, FsckReport};
use crate::telemetry::log;

/// Checks everything and prints what was found. Fails when something is wrong with what is kept; blobs that a crash
/// left behind are told and are no failure.
pub fn fsck(flags: Flags, deep: bool, repair: bool, json: bool) -> Result<(), Failure> {
    let variables = config::variables();
    let settings = config::load(flags, variables.iter().cloned())?;
    let level = config::log_level(variables.iter().cloned())?;
    log::init(settings.log_format, &level).map_err(Failure::Configuration)?;
    let report = serve::runtime()?.block_on(async {
        let tasks = Tasks::new();
        stores::check_blobs(&settings, &tasks)?;
        let data_dir = DataDir::open_existing(&settings.data_dir).map_err(|err| Failure::running(&err))?;
        let stores = Stores::open(&settings, data_dir, &tasks, Keys::NotNeeded).await?;
        let checked = crate::engine::fsck::fsck(&stores.engine, FsckOptions { deep, repair }).await;
        tasks.stop();
        tasks.wait().await;
        checked.map_err(|err| Failure::running(&err))
    })?;
    let text = if json { as_json(&report) } else { as_text(&report) };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|err| Failure::running(&err))?;
    if report.is_sound() { Ok(()) } else { Err(Failure::Said) }
}

/// A line a finding, then the sums.
fn as_text(report: &FsckReport) -> String {
    let mut lines: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let unlisted = report.found - report.findings.len() as u64;
    if unlisted > 0 {
        lines.push(format!("and {unlisted} more"));
    }
    lines.push(format!(
        "checked {} buckets, {} objects ({} bytes), {} uploads, {} parts, {} blobs ({} bytes); {} bytes verified, {} entries queued",
        report.buckets,
        report.objects,
        report.objects_len,
        report.uploads,
        report.parts,
        report.blobs,
        report.blobs_len,
        report.verified_len,
        report.queued,
    ));
    lines.push(match (report.found, report.repaired) {
        (0, _) => "everything is as it should be".to_string(),
        (found, repaired) => format!("{found} found, {repaired} repaired"),
    });
    if report.orphans > 0 {
        let wrong = if report.is_sound() { "nothing is wrong: " } else { "" };
        lines.push(format!(
            "{wrong}{} blobs that a crash left behind take up {} bytes; --repair deletes them",
            report.orphans, report.orphans_len
        ));
    }
    lines.join("\n") + "\n"
}

/// One object a finding, then one with the sums.
fn as_json(report: &FsckReport) -> String {
    let findings = report.findings.iter().map(|finding| {
        json!({
            "problem": format!("{:?}", finding.problem),
            "meaning": finding.problem.describe(),
            "subject": finding.subject,
            "objects": finding.owners.names,
            "objects_not_listed": finding.owners.unnamed,
            "repaired": finding.repaired,
        })
    });
    let sums = json!({
        "clean": report.is_clean(),
        "sound": report.is_sound(),
        "orphans": report.orphans,
        "orphans_bytes": report.orphans_len,
        "found": report.found,
        "repaired": report.repaired,
        "buckets": report.buckets,
        "objects": report.objects,
        "objects_bytes": report.objects_len,
        "uploads": report.uploads,
        "parts": report.parts,
        "blobs": report.blobs,
        "blobs_bytes": report.blobs_len,
        "verified_bytes": report.verified_len,
        "queued": report.queued,
    });
    findings.chain([sums]).map(|line| format!("{line}\n")).collect()
}
