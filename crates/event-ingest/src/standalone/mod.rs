//! The standalone mode: one process, one folder.
//!
//! | module | what it is |
//! |---|---|
//! | [`store`] | the object store: bytes as files, everything else in SQLite, each change announced |
//! | [`s3`] | the S3 protocol over the store |
//! | [`inbox`] | the announcements, durable, in order |
//! | [`flow`] | the inbox through the batching machine into the tables |
//! | [`heavy`] | heavy batches by Spark, where there is Spark |
//! | [`reconcile`] | what no table has and should have is announced again |
//! | [`activity`] | what happened lately, file by file |
//! | [`folder`] | the data folder and who may use it |
//! | [`config`], [`server`] | flags, and the assembly of all this |

pub mod activity;
mod admin;
mod banner;
pub mod config;
pub mod flow;
pub mod folder;
pub mod heavy;
pub mod inbox;
pub mod reconcile;
pub mod s3;
pub mod server;
pub mod store;
mod worker;
