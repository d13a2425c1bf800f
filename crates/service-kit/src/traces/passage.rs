//! Spans of what begins and ends in different places of the code, and has many causes.

use std::collections::BTreeSet;
use std::time::SystemTime;

use ingest_core::TraceParent;
use opentelemetry::global::{self, BoxedSpan};
use opentelemetry::trace::{Link, Span, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, Value};

use super::context::{local, remote};

/// Most causes that a span names; of more, the first.
const MAX_LINKS: usize = 64;

/// What a span is to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It hands something on.
    Producer,
    /// It is nobody else's.
    Internal,
}

/// A span that lasts until it is told that it is over.
#[derive(Debug)]
pub struct Passage(BoxedSpan);

impl Passage {
    /// A span that began then; none while no traces are made. If it has one cause, it goes on with that one's trace; if
    /// it has several, it begins a trace, and is linked with each of theirs.
    pub fn begin(
        name: &'static str,
        kind: Kind,
        since: SystemTime,
        causes: impl IntoIterator<Item = TraceParent>,
    ) -> Option<Self> {
        if !super::on() {
            return None;
        }
        let mut seen = BTreeSet::new();
        let causes: Vec<TraceParent> =
            causes.into_iter().filter(|cause| seen.insert(*cause)).take(MAX_LINKS).collect();
        let tracer = global::tracer("event-ingest");
        let kind = match kind {
            Kind::Producer => SpanKind::Producer,
            Kind::Internal => SpanKind::Internal,
        };
        let mut builder = tracer.span_builder(name).with_kind(kind).with_start_time(since);
        let parent = match causes.as_slice() {
            [only] => Context::new().with_remote_span_context(remote(*only)),
            several => {
                builder = builder
                    .with_links(several.iter().map(|cause| Link::with_context(remote(*cause))).collect());
                Context::new()
            }
        };
        Some(Self(builder.start_with_context(&tracer, &parent)))
    }

    /// Says something of it.
    pub fn say(&mut self, key: &'static str, value: impl Into<Value>) {
        self.0.set_attribute(KeyValue::new(key, value.into()));
    }

    /// It did not end well.
    pub fn failed(&mut self, why: String) {
        self.0.set_status(Status::error(why));
    }

    /// What it causes belongs there.
    pub fn traceparent(&self) -> Option<TraceParent> {
        local(self.0.span_context())
    }

    /// It is over.
    pub fn end(mut self) {
        self.0.end();
    }
}
