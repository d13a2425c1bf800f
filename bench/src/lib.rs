//! What things cost: bytes, requests, time and memory. `README.md` says how to run it.

pub mod counting;
pub mod ledger;
