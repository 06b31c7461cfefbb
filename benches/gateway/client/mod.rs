//! `dovetail put` and `get` next to other people's clients: the same files, the same gateway, one run.
//!
//! Others are run as they come, with their own defaults and with progress turned off. All take turns for three rounds, and each
//! one's run in the middle counts: how quick a client is that writes through the page cache depends on what the runs before it have
//! left there. Everything is read from and served out of the page cache, and what a run has written is on disk before the next
//! one begins.
//!
//! `BENCH_CLIENT_MIB` is the length of the file (default 4096), `BENCH_CLIENT_FILES` how many small ones there are
//! (default 10000), `CLIENTS` the folder of the other programs (default: what `tools/compat-clients` prints).

mod resume;
mod run;
mod tools;

use crate::load::Load;
use crate::process::Server;
use crate::table::Table;
use run::{Cost, Run};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tools::Tool;

const SMALL_FILE_LEN: usize = 16 << 10;
const ROUNDS: usize = 3;
/// Whoever takes so many times as long as the best of the others in the first round cannot become the best, and is not run again.
const HOPELESS_FACTOR: f64 = 2.0;

pub fn client(table: &mut Table) {
    let server = Server::gateway();
    Load::new(&server).create_bucket();
    let bench = Bench::new(&server);
    large(table, &bench);
    small(table, &bench);
    drop(bench);
    drop(server);
    resume::resume(table);
}

/// A gateway with a bucket, the clients, and a folder for files.
struct Bench<'a> {
    server: &'a Server,
    tools: Vec<Tool>,
    folder: TempDir,
}

impl Bench<'_> {
    fn new(server: &Server) -> Bench<'_> {
        let place = std::env::var("BENCH_DIR").unwrap_or_else(|_| "target".to_string());
        Bench {
            server,
            tools: tools::all(),
            folder: tempfile::tempdir_in(place).expect("a folder for files can be made"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, tool: &Tool, arguments: Vec<String>) -> Cost {
        rustix::fs::sync();
        let cost = Run { tool, arguments, endpoint: &self.server.address, home: self.folder.path() }.cost();
        println!("  {:10} {cost}", tool.name());
        cost
    }

    /// What `work` costs each client, ours first. `work` is told how many runs there were before.
    fn rounds(&self, what: &str, work: impl Fn(&Tool, usize) -> Cost) -> Vec<(Tool, Cost)> {
        println!("{what}:");
        let mut turns = 0..;
        let mut turn = |tool: &Tool| work(tool, turns.next().expect("it has no end"));
        let mut runs: Vec<(Tool, Vec<Cost>)> =
            self.tools.iter().map(|tool| (*tool, vec![turn(tool)])).collect();
        let others = runs.iter().skip(1).map(|(_, costs)| costs[0].wall_s);
        let hopeless_s = others.fold(f64::INFINITY, f64::min) * HOPELESS_FACTOR;
        for _ in 1..ROUNDS {
            for (tool, costs) in &mut runs {
                if *tool == Tool::Dovetail || costs[0].wall_s < hopeless_s {
                    costs.push(turn(tool));
                }
            }
        }
        runs.into_iter().map(|(tool, costs)| (tool, Cost::middle(costs))).collect()
    }
}

/// One large file up and down.
fn large(table: &mut Table, bench: &Bench<'_>) {
    let mib = number("BENCH_CLIENT_MIB", 4096);
    let file = bench.path("large");
    run::write_noise(&file, mib << 20);
    let up = bench.rounds(&format!("upload of {mib} MiB"), |tool, turn| {
        let cost = bench.run(tool, tool.put(&file, &format!("large-{turn}")));
        if turn > 0 {
            bench.run_quietly("rm", &[&format!("s3://bench/large-{turn}")]);
        }
        cost
    });
    compare(table, &format!("upload of {mib} MiB"), &up, 1.5);
    // Everybody finds the object in the page cache.
    bench.run_quietly("get", &["s3://bench/large-0", "-"]);
    let down = bench.rounds(&format!("download of {mib} MiB"), |tool, turn| {
        let copy = bench.path(&format!("copy-{turn}"));
        let cost = bench.run(tool, tool.get("large-0", &copy));
        assert!(run::same_bytes(&file, &copy), "{} brought other bytes", tool.name());
        std::fs::remove_file(copy).expect("the copy can be removed");
        cost
    });
    compare(table, &format!("download of {mib} MiB"), &down, 1.5);
    let peak = up.iter().chain(&down).filter(|(tool, _)| *tool == Tool::Dovetail);
    let peak = peak.map(|(_, cost)| cost.peak_mib).fold(0.0, f64::max);
    table.row(
        &format!("peak resident memory of put and get of {mib} MiB"),
        format!("{peak:.0} MiB"),
        peak,
        "under 128 MiB",
    );
}

/// Many small files up and down.
fn small(table: &mut Table, bench: &Bench<'_>) {
    let count = number("BENCH_CLIENT_FILES", 10_000);
    let folder = bench.path("small");
    for index in 0..count {
        let path = folder.join(format!("{:02}", index % 100)).join(format!("file-{index}"));
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder can be made");
        run::write_noise(&path, SMALL_FILE_LEN as u64);
    }
    let up = bench.rounds(&format!("upload of {count} files of 16 KiB"), |tool, turn| {
        bench.run(tool, tool.put_all(&folder, &format!("small-{turn}")))
    });
    compare(table, &format!("upload of {count} files of 16 KiB"), &up, 2.0);
    let down = bench.rounds(&format!("download of {count} files of 16 KiB"), |tool, turn| {
        let copies = bench.path(&format!("copies-{turn}"));
        let cost = bench.run(tool, tool.get_all("small-0", &copies));
        // They stay: ext4 does not like to use an inode again that was just deleted, and would be slower for whoever comes next.
        assert_eq!(files_below(&copies), count, "{} brought other files", tool.name());
        cost
    });
    compare(table, &format!("download of {count} files of 16 KiB"), &down, 2.0);
}

impl Bench<'_> {
    /// Our own client, unmeasured.
    fn run_quietly(&self, command: &str, arguments: &[&str]) {
        let arguments = [&[command], arguments].concat().into_iter().map(str::to_string).collect();
        Run { tool: &Tool::Dovetail, arguments, endpoint: &self.server.address, home: self.folder.path() }
            .cost();
    }
}

/// Rows that hold ours against the best of the others: the throughput, and the CPU.
fn compare(table: &mut Table, what: &str, costs: &[(Tool, Cost)], goal: f64) {
    let (_, ours) = &costs[0];
    let others = &costs[1..];
    let Some((fastest, fast)) =
        others.iter().min_by(|(_, one), (_, other)| one.wall_s.total_cmp(&other.wall_s))
    else {
        return table.row(what, format!("{ours}; no other client is installed"), f64::NAN, "another client");
    };
    table.row(
        &format!("{what}, throughput against the best other"),
        format!("{:.1} s ({} {:.1} s)", ours.wall_s, fastest.name(), fast.wall_s),
        fast.wall_s / ours.wall_s,
        &format!("at least {goal} x"),
    );
    let (thriftiest, thrifty) =
        others.iter().min_by(|(_, one), (_, other)| one.cpu_s.total_cmp(&other.cpu_s)).expect("there is one");
    table.row(
        &format!("{what}, the client's CPU seconds against the best other"),
        format!("{:.2} s ({} {:.2} s)", ours.cpu_s, thriftiest.name(), thrifty.cpu_s),
        ours.cpu_s / thrifty.cpu_s,
        "at most 0.5 x",
    );
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn files_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("the folder is there").flatten();
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}
