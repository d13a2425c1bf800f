//! News of the quarantine, as a sink over HTTP receives it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use ingest_core::FileFormat;
use lake::ErrorKind;
use lake::quarantine::{Announced, Notice, QuarantineListener, Record};
use light_worker::QuarantineEvents;
use service_kit::intake::http::{self, HttpLimits};
use service_kit::intake::{Handler, Incoming, IntakeMetrics, RejectStatus, Reply};
use service_kit::metrics::Metrics;
use service_kit::outlet::{Outlet, OutletConfig, SinkUrl};
use service_kit::serve::serve;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Takes events, or refuses them if it has had enough.
#[derive(Default)]
struct Sink {
    taken: Mutex<Vec<Incoming>>,
    refuses: bool,
}

#[async_trait]
impl Handler for Sink {
    async fn handle(&self, event: Incoming) -> Reply {
        if self.refuses {
            return Reply::Reject { status: RejectStatus::Forbidden, reason: "no more".to_owned() };
        }
        let answer = light_worker::quarantined(&notice());
        self.taken.lock().expect("not poisoned").push(event);
        Reply::Done(Box::new(answer))
    }
}

fn notice() -> Notice {
    let announced = Announced { size: None, etag: None, version_id: None, event_time: None };
    Notice {
        table_uuid: None,
        record: Record {
            file: "s3://inbox/ü.parquet".to_owned(),
            identity: None,
            announced,
            reason: "the bucket has no such object".to_owned(),
            table: "db.täble".to_owned(),
            format: FileFormat::Parquet,
            options: Default::default(),
            request_id: "r".to_owned(),
            time: DateTime::UNIX_EPOCH,
        },
    }
}

async fn events_to(sink: Arc<Sink>, stop: &CancellationToken) -> QuarantineEvents {
    let second = Duration::from_secs(1);
    let limits = HttpLimits {
        body: 65_536,
        body_timeout: second,
        request_timeout: second * 10,
        concurrency: 1,
        queue: 1,
    };
    let router = http::router(sink, limits, IntakeMetrics::new(&Metrics::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(serve(listener, router, stop.clone(), second));
    let sink = SinkUrl::parse(&format!("http://{address}/")).expect("an address");
    let outlet = Outlet::new(&OutletConfig { topic: None, sink: Some(sink) }).expect("valid settings");
    QuarantineEvents::new(outlet.expect("a sink is configured"))
}

#[tokio::test]
async fn a_sink_receives_each_record_as_a_cloud_event_and_a_repeat_under_its_id() {
    let stop = CancellationToken::new();
    let sink = Arc::new(Sink::default());
    let events = events_to(sink.clone(), &stop).await;
    for _ in 0..2 {
        events.set_aside(&notice()).await.expect("taken");
    }
    stop.cancel();
    let taken = sink.taken.lock().expect("not poisoned");
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0], taken[1]);
    let event = &taken[0];
    assert_eq!(event.ty.as_deref(), Some("dev.eventingest.quarantined.v1"));
    assert_eq!(event.subject.as_deref(), Some("db.täble"));
    assert_eq!(event.source.as_deref(), Some(light_worker::SOURCE));
    assert_eq!(event.id, Some(notice().id()));
    assert_eq!(serde_json::from_slice::<Notice>(&event.body).expect("a notice"), notice());
}

#[tokio::test]
async fn a_sink_that_refuses_makes_the_request_come_again() {
    let stop = CancellationToken::new();
    let events = events_to(Arc::new(Sink { refuses: true, ..Sink::default() }), &stop).await;
    let error = events.set_aside(&notice()).await.expect_err("refused");
    stop.cancel();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("403"), "{error}");
}
