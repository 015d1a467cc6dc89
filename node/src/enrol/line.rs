//! The real line of `reeve join`: one call to an enrolment port.

use std::time::Duration;

use crate::house::House;
use crate::net::NodeSeed;
use crate::net::enrol::{EnrolCall, enrol_call};

/// How long a person waits for one address.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Calls over the network with the node's own key.
#[derive(Debug)]
pub struct NetLine {
    seed: NodeSeed,
    allow_private_addresses: bool,
    runtime: tokio::runtime::Runtime,
}

impl NetLine {
    /// A line of this house. Not to be used inside of an async runtime.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(house: &House, allow_private_addresses: bool) -> std::io::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let seed = NodeSeed::new(house.node_key().seed());
        Ok(Self { seed, allow_private_addresses, runtime })
    }
}

impl super::Line for NetLine {
    fn call(&mut self, address: &str, question: &[u8]) -> Result<Vec<u8>, String> {
        let call = EnrolCall {
            seed: self.seed.clone(),
            address: address.to_owned(),
            allow_private_addresses: self.allow_private_addresses,
            timeout: TIMEOUT,
        };
        let answered = self.runtime.block_on(enrol_call(&call, question.to_vec()));
        answered.map(|answer| answer.bytes).map_err(|error| error.to_string())
    }
}
