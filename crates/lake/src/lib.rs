//! Tables and data files: everything between an [`IngestRequest`](ingest_core::IngestRequest) and rows that are
//! visible in an Apache Iceberg table, once.
//!
//! | module | what it decides or does |
//! |---|---|
//! | [`storage`] | one object_store client, also lent to the `iceberg` crate |
//! | [`source`] | which version of an object is read, and reading it in bounded memory |
//! | [`creation`] | how a table is made that a rule asks for |
//! | [`columns`] | which column of a file is which of the table, and what fits |
//! | [`write`] | from source rows to data files of the table |
//! | [`ledger`] | which object versions are in `main` |
//! | [`catalog`] | loading tables, and the port by which commits leave |
//! | [`commit`] | what a commit contains, and whether one landed |
//! | [`quarantine`] | the record of what no retry can mend |
//! | [`stage`] | what another engine staged on a branch, and whether it may be published |
//! | [`inspect`] | a table and its ledger as an operator looks at them |
//! | [`reconcile`] | which objects of a listing are not in the table, and why |
//! | [`maintain`] | whether table and ledger agree, a lost ledger made anew, files that nobody needs |
//! | [`observe`] | what happens meanwhile, told to whoever counts it |
//! | [`ingest`] | the flow of one request through all of these |

pub mod allow;
pub mod catalog;
mod claims;
pub mod columns;
pub mod commit;
mod config;
pub mod creation;
mod error;
mod history;
pub mod ingest;
pub mod inspect;
mod layout;
pub mod ledger;
pub mod maintain;
pub mod observe;
pub mod options;
pub mod quarantine;
pub mod reconcile;
pub mod source;
pub mod stage;
pub mod storage;
pub mod write;

pub use allow::AllowList;
pub use config::LakeConfig;
pub use error::{Error, ErrorKind, Result};
pub use ingest::Lake;
