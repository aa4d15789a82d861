//! A practice node that runs inside the test, so that the test can make its blocks and break it.

use std::future::Future;

use grail_console::sandbox::{BlockTime, CommitmentSpec, Sandbox, SandboxOptions, Scenario};
use serde_json::Value;
use subxt_rpcs::client::{RpcClient, RpcParams, rpc_params};
use tokio::runtime::{Builder, Runtime};

/// A sandbox with the runtime it lives on. Blocks are made by hand.
pub struct Node {
    sandbox: Sandbox,
    runtime: Runtime,
}

impl Node {
    /// A scenario with so many uids that every odd one is there.
    pub fn start(scenario: &str) -> Self {
        Self::with_uids(scenario, 256)
    }

    pub fn with_uids(scenario: &str, uids: u32) -> Self {
        let options = SandboxOptions { uids, block_time: BlockTime::Manual, ..of(scenario) };
        Self::with(options)
    }

    pub fn with(options: SandboxOptions) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        Self { sandbox, runtime }
    }

    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    pub fn url(&self) -> &str {
        self.sandbox.url()
    }

    /// Waits for one of the sandbox's own futures.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A question to the node, by a client of the test's own.
    pub fn ask(&self, method: &str, parameters: RpcParams) -> Value {
        self.wait(async {
            let client = RpcClient::from_url(self.url()).await.unwrap();
            client.request(method, parameters).await.unwrap()
        })
    }

    /// How much waits in the pool.
    pub fn pending(&self) -> usize {
        self.ask("author_pendingExtrinsics", rpc_params![]).as_array().unwrap().len()
    }

    /// Makes so many blocks; what was queued happens in the first and is final two later.
    pub fn blocks(&self, count: usize) {
        for _ in 0..count {
            self.wait(self.sandbox.produce_block()).unwrap();
        }
    }

    /// Sets commitments and makes them final.
    pub fn commit(&self, commitments: impl IntoIterator<Item = (u16, CommitmentSpec)>) {
        commitments.into_iter().for_each(|(uid, spec)| self.sandbox.commit(uid, spec));
        self.blocks(3);
    }

    /// The flags of somebody who only looks.
    pub fn flags(&self) -> Vec<String> {
        flags([("--endpoint", self.url().to_owned())])
    }

    /// The same, of an operator whose bucket is at the practice store.
    pub fn committing_flags(&self) -> Vec<String> {
        let mut all = self.operator_flags();
        all.extend(flags([("--s3-endpoint", self.sandbox.s3_url().to_owned())]));
        all
    }

    /// The flags of the operator who practises on this node.
    pub fn operator_flags(&self) -> Vec<String> {
        let operator = self.sandbox.operator().expect("this scenario has an operator");
        let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let own = [
            ("--wallet", operator.wallet.to_owned()),
            ("--hotkey", operator.hotkey_name.to_owned()),
            ("--wallet-path", path(&operator.wallet_path)),
            ("--env-file", path(&operator.env_file)),
        ];
        let mut all = self.flags();
        all.extend(flags(own));
        all
    }
}

/// The options of a scenario.
pub fn of(scenario: &str) -> SandboxOptions {
    SandboxOptions::new(Scenario::named(scenario).unwrap())
}

fn flags<const N: usize>(pairs: [(&str, String); N]) -> Vec<String> {
    pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
}

/// A command line: a command's words, then flags.
pub fn line(words: &[&str], flags: &[String]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).chain(flags.iter().cloned()).collect()
}
