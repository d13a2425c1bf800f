//! From `traceparent` to spans and back.

use ingest_core::TraceParent;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Makes a new span the continuation of what a `traceparent` tells of. Without one, or with one that cannot be read, it
/// begins a trace. Of no effect, and no cost, while no traces are made.
pub fn continued(span: Span, traceparent: Option<&str>) -> Span {
    if !span.is_disabled()
        && let Some(parent) = traceparent.and_then(|text| text.parse().ok())
    {
        // It fails for a span that has begun, which this one has not.
        let _ = span.set_parent(Context::new().with_remote_span_context(remote(parent)));
    }
    span
}

/// The `traceparent` of what the current span causes; none while no traces are made.
pub fn traceparent() -> Option<String> {
    let span = Span::current();
    if span.is_disabled() {
        return None;
    }
    local(span.context().span().span_context()).map(|context| context.to_string())
}

/// A place in a trace, of another process.
pub(super) fn remote(parent: TraceParent) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(parent.trace_id),
        SpanId::from_bytes(parent.span_id),
        TraceFlags::new(parent.flags),
        true,
        TraceState::default(),
    )
}

/// A place in a trace, for another process.
pub(super) fn local(context: &SpanContext) -> Option<TraceParent> {
    context.is_valid().then(|| TraceParent {
        trace_id: context.trace_id().to_bytes(),
        span_id: context.span_id().to_bytes(),
        flags: context.trace_flags().to_u8(),
    })
}
