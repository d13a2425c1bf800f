//! What clients get of librdkafka's properties unless the user says otherwise, and what the user may not change.

/// What both kinds of client get unless the user says otherwise.
pub(super) const COMMON_DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "event-ingest"),
    // The default of five minutes is long for a topic that was missing, was made anew or grew.
    ("topic.metadata.refresh.interval.ms", "5000"),
];

/// Bounds of a consumer's memory, and what manual commits need.
pub(super) const CONSUMER_DEFAULTS: &[(&str, &str)] = &[
    ("auto.offset.reset", "earliest"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // The default of 1000 stalls a consumer for a second each time its queue is full.
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.max.bytes", "4194304"),
    ("queued.max.messages.kbytes", "16384"),
    // More than is taken in while the fetcher waits: 500,000 records a second in those 10 ms.
    ("queued.min.messages", "5000"),
];

/// Bounds of a producer's memory, and what "acknowledged" has to mean.
pub(super) const PRODUCER_DEFAULTS: &[(&str, &str)] = &[
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("linger.ms", "5"),
    // The brokers decide: what they take must not be refused here.
    ("message.max.bytes", "1000000000"),
    ("message.timeout.ms", "60000"),
    ("queue.buffering.max.kbytes", "32768"),
];

/// Two names of one property: the second is the one used here.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("auto.commit.enable", "enable.auto.commit"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
];

/// A property that may only have these values, and why.
pub(super) struct Guard {
    pub name: &'static str,
    pub allowed: &'static [&'static str],
    pub reason: &'static str,
}

pub(super) const GUARDS: &[Guard] = &[
    Guard {
        name: "enable.auto.commit",
        allowed: &["false"],
        reason: "an offset may be committed only after what its record led to is durable",
    },
    Guard {
        name: "enable.auto.offset.store",
        allowed: &["false"],
        reason: "an offset may be stored only after what its record led to is durable",
    },
    Guard {
        name: "auto.offset.reset",
        allowed: &["earliest", "smallest", "beginning", "error"],
        reason: "a reset to the end of the topic would skip records",
    },
    Guard {
        name: "enable.idempotence",
        allowed: &["true"],
        reason: "a producer without it may reorder and repeat records when it retries",
    },
    Guard {
        name: "acks",
        allowed: &["all", "-1"],
        reason: "a record that not all in-sync replicas have acknowledged may be lost",
    },
    Guard { name: "group.id", allowed: &[], reason: "the consumer group has a setting of its own, --group" },
    Guard { name: "transactional.id", allowed: &[], reason: "this service uses no Kafka transactions" },
];
