//! The dispatcher: batches the announcements of new objects and sends each batch to the light or the heavy lane.
//!
//! Every rule is `ingest_core`'s; this is the shell that runs them over Kafka. One thread polls the consumer, feeds the
//! batching machine, sends what it asks for and commits what it allows.

mod args;
mod clock;
mod config;
mod consume;
mod context;
mod engine;
mod judge;
mod metrics;
mod notify;
mod outgoing;
mod positions;
mod probe;
mod quota;
mod run;
mod sender;
mod source;
mod traced;
mod whereabouts;

pub use args::{Args, OnUnmatched, OverflowArg, RuleArgs};
pub use config::{Config, ConfigError, Topics};
pub use consume::DispatchError;
pub use metrics::METRICS;
pub use notify::{NOTIFY_METRICS, NotifyArgs, NotifyConfig, NotifyError, Token};
pub use positions::read_up_to;
pub use run::{RunError, run};
