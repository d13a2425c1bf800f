//! librdkafka's own log lines, as lines of ours.

use rdkafka::config::RDKafkaLogLevel;

/// The target of these lines in log filters.
const TARGET: &str = "librdkafka";

/// The part of librdkafka's log that tells of asynchronous commits which failed. rdkafka 0.39 asks for no other report
/// of them: its `commit_callback` is never called (fede1024/rust-rdkafka#856).
pub const COMMIT_FACILITY: &str = "COMMITFAIL";

/// Logs a line of librdkafka's.
pub fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
    match level {
        Emerg | Alert | Critical | Error => {
            tracing::error!(target: TARGET, facility, detail = message, "kafka client")
        }
        Warning => tracing::warn!(target: TARGET, facility, detail = message, "kafka client"),
        Notice | Info => tracing::info!(target: TARGET, facility, detail = message, "kafka client"),
        Debug => tracing::debug!(target: TARGET, facility, detail = message, "kafka client"),
    }
}
