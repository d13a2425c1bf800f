//! Tables behind Iceberg's REST protocol.
//!
//! | file | what it holds |
//! |---|---|
//! | `paths` | which URL is what |
//! | `wire` | the shapes of the answers |
//! | `client` | sending: time-outs, sizes, what is sent again and what never |
//! | `auth`, `oauth`, `sigv4` | who we are |
//! | `vended` | the stores of a table, with the credentials that came with it |
//! | `commit` | what an answer to a commit proves |

mod auth;
mod client;
mod commit;
mod oauth;
mod paths;
mod sigv4;
mod vended;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderValue, StatusCode};
use iceberg::spec::TableMetadataRef;
use iceberg::table::Table;
use iceberg::{Runtime, TableIdent};

use super::recent::Recent;
use super::{Tables, properties};
use crate::creation::Design;
use crate::error::{Error, Result};
use crate::storage::Stores;

use client::{Answer, Client};
use paths::Paths;
use vended::{Lender, Lent, Vended};

/// A catalog behind the REST protocol.
#[derive(Debug)]
pub(super) struct RestCatalog {
    client: Client,
    paths: Paths,
    warehouse: String,
    lender: Lender,
    runtime: Runtime,
    loaded: Recent<Loaded>,
}

/// A table as the catalog gave it last.
#[derive(Clone)]
struct Loaded {
    location: Option<String>,
    etag: Option<HeaderValue>,
    metadata: TableMetadataRef,
    lent: Lent,
    /// Length of the answer that it came in.
    bytes: u64,
}

impl RestCatalog {
    /// Asks the catalog for its configuration, which goes around the given properties: its defaults under them,
    /// its overrides over them. Who we are and where tokens come from is not the server's to say.
    pub(super) async fn open(properties: &BTreeMap<String, String>, stores: Arc<Stores>) -> Result<Self> {
        let runtime = Runtime::try_current()
            .map_err(|e| Error::config("a catalog needs a tokio runtime").caused_by(e))?;
        let mut client = Client::new(properties)?;
        let asked = paths::config(properties::optional(properties, "warehouse"));
        let answer = client.get(&asked, None).await?;
        if !answer.status.is_success() {
            return Err(answer.error("cannot read the configuration of the catalog"));
        }
        let served: wire::Config = answer.read("the configuration of the catalog")?;
        let mut merged = served.defaults();
        merged.extend(properties.clone());
        merged.extend(served.overrides());
        client.follow(properties::required(&merged, "uri")?)?;
        let warehouse = properties::optional(&merged, "warehouse").unwrap_or_default();
        Ok(Self {
            paths: Paths::new(&asked, &merged)?,
            warehouse: warehouse.trim_end_matches('/').to_owned(),
            lender: Lender::new(stores, vended::storage_changes(properties, &merged)),
            client,
            runtime,
            loaded: Recent::new(),
        })
    }

    /// The name or the location of the warehouse; may be empty.
    pub(super) fn warehouse(&self) -> &str {
        &self.warehouse
    }

    fn take_in(&self, ident: &TableIdent, answer: &Answer, known: Option<Loaded>) -> Result<Loaded> {
        let what = format!("table `{ident}`");
        let head: wire::LoadedHead = answer.read(&what)?;
        let vended = Vended::new(head.config, head.storage_credentials);
        let lent = match &known {
            Some(known) if known.lent.is_of(&vended) => known.lent.clone(),
            _ => self.lender.lend(ident, vended)?,
        };
        let metadata = match known {
            // A metadata file never changes: what was parsed is what this answer says.
            Some(known) if known.location.is_some() && known.location == head.metadata_location => {
                known.metadata
            }
            _ => Arc::new(answer.read::<wire::LoadedBody>(&what)?.metadata),
        };
        Ok(Loaded {
            location: head.metadata_location,
            etag: answer.etag.clone(),
            metadata,
            lent,
            bytes: answer.bytes(),
        })
    }

    fn table(&self, ident: &TableIdent, loaded: &Loaded) -> Result<Table> {
        let mut table = Table::builder()
            .file_io(self.lender.file_io(&loaded.lent))
            .identifier(ident.clone())
            .metadata(loaded.metadata.clone())
            .runtime(self.runtime.clone());
        if let Some(location) = &loaded.location {
            table = table.metadata_location(location);
        }
        table.build().map_err(|e| Error::unavailable(format!("cannot load table `{ident}`")).caused_by(e))
    }
}

#[async_trait]
impl Tables for RestCatalog {
    async fn load(&self, ident: &TableIdent) -> Result<Option<Table>> {
        let known = self.loaded.get(ident);
        // "Not modified" brings no credentials: where they are vended, the whole answer is asked for.
        let etag = known.as_ref().filter(|known| !known.lent.expires()).and_then(|known| known.etag.clone());
        let answer = self.client.get(&self.paths.load(ident), etag.as_ref()).await?;
        let loaded = match (answer.status, known) {
            (StatusCode::NOT_MODIFIED, Some(known)) if etag.is_some() => known,
            (StatusCode::OK, known) => self.take_in(ident, &answer, known)?,
            // Only the catalog itself can say so: a proxy or a wrong path answers 404 as well.
            (StatusCode::NOT_FOUND, _) if answer.fault().is_some() => return Ok(None),
            _ => return Err(answer.error(&format!("cannot load table `{ident}`"))),
        };
        let table = self.table(ident, &loaded)?;
        let bytes = loaded.bytes;
        self.loaded.put(ident, loaded, bytes);
        Ok(Some(table))
    }

    async fn create(&self, ident: &TableIdent, design: Design) -> Result<()> {
        let namespace = ident.namespace();
        for depth in 1..=namespace.len() {
            let body = wire::NewNamespace { namespace: &namespace[..depth], properties: BTreeMap::new() };
            let answer = self.client.post(&self.paths.namespaces(), &body).await?;
            // 409: it is there. An account that may not make namespaces may still make tables.
            if !answer.status.is_success() && answer.status != StatusCode::CONFLICT {
                let error = answer.error(&format!("namespace of `{ident}`"));
                tracing::debug!(table = %ident, %error, "a namespace was not made");
            }
        }
        let body = wire::NewTable {
            name: ident.name(),
            schema: &design.schema,
            partition_spec: &design.spec,
            write_order: &design.order,
            properties: &design.properties,
        };
        let answer = self.client.post(&self.paths.tables(ident), &body).await?;
        if answer.status.is_success() || answer.status == StatusCode::CONFLICT {
            return Ok(());
        }
        Err(answer.error("the catalog refuses"))
    }

    async fn ready(&self) -> Result<()> {
        let answer = self.client.get(self.paths.config(), None).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(answer.error("the catalog is not ready"))
    }

    fn stores(&self, table: &Table) -> Option<Arc<Stores>> {
        self.lender.stores(table.file_io())
    }
}
