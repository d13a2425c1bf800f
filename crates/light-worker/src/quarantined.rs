//! The news that a file was set aside, as CloudEvents.

use async_trait::async_trait;
use cloudevents::{Event, EventBuilder, EventBuilderV10};
use ingest_core::event::{JSON, TYPE_QUARANTINED};
use lake::quarantine::{Notice, QuarantineListener};
use lake::{Error, ErrorKind};
use service_kit::outlet::Outlet;

use crate::SOURCE;

/// Sends an event for each file that is set aside.
#[derive(Debug)]
pub struct QuarantineEvents(Outlet);

impl QuarantineEvents {
    /// Sends them through `outlet`.
    pub fn new(outlet: Outlet) -> Self {
        Self(outlet)
    }
}

#[async_trait]
impl QuarantineListener for QuarantineEvents {
    async fn set_aside(&self, notice: &Notice) -> lake::Result<()> {
        self.0.send(quarantined(notice), &notice.record.table).await.map_err(|error| {
            let file = &notice.record.file;
            Error::new(ErrorKind::Unavailable, format!("`{file}` was set aside, but nobody was told"))
                .caused_by(error)
        })
    }
}

/// The event of a notice. A repeat has the same id, so that a receiver can tell it.
pub fn quarantined(notice: &Notice) -> Event {
    let table = notice.record.table.as_str();
    let body = serde_json::to_value(notice).expect("a notice is made of strings, numbers and lists");
    EventBuilderV10::new()
        .id(notice.id())
        .ty(TYPE_QUARANTINED)
        .source(SOURCE)
        .subject(table)
        .time(notice.record.time)
        .extension("partitionkey", table)
        .data(JSON, body)
        .build()
        .expect("all required attributes are given")
}
