//! The REST catalog against a server whose answers the test chooses.

mod auth;
mod commits;
mod loads;
mod server;

use std::collections::BTreeMap;
use std::sync::Arc;

use iceberg::table::Table;
use ingest_core::TableName;
use lake::catalog::Catalog;
use lake::storage::Stores;

use server::Server;

async fn try_open(server: &Server, more: &[(&str, &str)]) -> lake::Result<Catalog> {
    let mut properties = BTreeMap::from([("uri".to_owned(), server.uri.clone())]);
    properties.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let stores = Arc::new(Stores::new(properties.clone())?);
    Catalog::open("my_catalog", &properties, stores).await
}

async fn open(server: &Server, more: &[(&str, &str)]) -> Catalog {
    try_open(server, more).await.unwrap()
}

fn events() -> TableName {
    TableName::parse("db.events").unwrap()
}

async fn load(catalog: &Catalog) -> Table {
    catalog.load(&events()).await.unwrap().unwrap()
}
