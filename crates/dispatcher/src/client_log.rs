//! librdkafka's own log lines, as lines of ours.

use rdkafka::config::RDKafkaLogLevel;

/// The target of these lines in log filters.
const TARGET: &str = "librdkafka";

pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
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
