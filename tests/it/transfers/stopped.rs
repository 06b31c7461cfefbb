//! An upload that has stopped half-way, for tests of what comes next.

use std::path::PathBuf;

use super::command::Machine;
use super::proxy::{Fault, Proxy};
use super::{gateway, object};
use crate::gateway::Gateway;
use crate::seed::Seed;

pub const LEN: usize = 22 << 20;

/// A machine whose upload of `file` has stopped after two parts of five.
pub struct Stopped {
    pub gateway: Gateway,
    pub proxy: Proxy,
    pub machine: Machine,
    pub bytes: Vec<u8>,
    pub seed: Seed,
}

pub const TARGET: &str = "s3://transfers/key";
pub const PUT: [&str; 7] = ["put", "file", TARGET, "--part-size", "5M", "--patience", "1"];

impl Stopped {
    pub async fn new() -> Stopped {
        let mut seed = Seed::new(7);
        let gateway = gateway().await;
        let proxy = Proxy::start(&gateway.endpoint(), 1).await;
        let machine = Machine::new(&proxy.endpoint());
        let bytes = machine.file("file", LEN, &mut seed);
        proxy.choose(|method, target, _| {
            let late = ["3", "4", "5"].iter().any(|number| target.contains(&format!("partNumber={number}&")));
            if method == "PUT" && late { Fault::Refuse(500) } else { Fault::None }
        });
        let stopped = Stopped { gateway, proxy, machine, bytes, seed };
        stopped.machine.run(&PUT).await.expect(3);
        // On a loaded machine the first two may not have arrived within the patience: then the same command goes on.
        while std::fs::read_to_string(stopped.journal()).expect("it is text").lines().count() < 3 {
            stopped.machine.run(&PUT).await.expect(3);
        }
        assert_eq!(stopped.machine.journals(), 1);
        stopped.proxy.choose(|_, _, _| Fault::None);
        stopped
    }

    /// The one journal there is.
    pub fn journal(&self) -> PathBuf {
        let folder = self.machine.path("state/dovetail/transfers");
        let entries = std::fs::read_dir(folder).expect("there is a journal");
        let mut journals = entries.map(|entry| entry.expect("an entry").path());
        journals
            .find(|path| path.extension().is_some_and(|suffix| suffix == "journal"))
            .expect("there is a journal")
    }

    /// Bytes of parts that a command sends.
    pub async fn sent_by(&self, arguments: &[&str], words: &str) -> u64 {
        let before = self.proxy.part_bytes().await;
        self.machine.run(arguments).await.expect(0).expect_words(words);
        self.proxy.part_bytes().await - before
    }

    pub async fn has(&self, bytes: &[u8]) {
        assert!(object(&self.gateway, "key").await == bytes, "the object has other bytes than the file");
        assert_eq!(self.machine.journals(), 0);
    }
}

/// What is sent for so many bytes, with framing.
pub fn about(sent: u64, len: usize) -> bool {
    (len as u64..len as u64 + 10_000).contains(&sent)
}

pub const REST: usize = LEN - (10 << 20);
