//! What has to hold beside a file's columns before a table may own it.

use std::collections::{HashMap, HashSet};

use iceberg::spec::DEFAULT_SCHEMA_NAME_MAPPING;
use ingest_core::{ObjectHint, RequestedObject};

use super::Lake;
use super::plan::{Planned, Way};
use super::slice::Slice;
use super::tables::View;
use crate::error::Result;
use crate::ledger::ObjectName;
use crate::source::{Resolved, resolve};
use crate::write::{Target, needed_mapping};

impl Lake {
    /// Which of the objects that are ready no table may own, and why. The path is what a data file is known by, so it is
    /// always the current version that readers see, and one version of a key at most can be in the table.
    pub(super) async fn barred(&self, view: &View, slice: &Slice<'_>) -> Result<HashMap<usize, String>> {
        let mut barred = HashMap::new();
        let mut keys = HashSet::new();
        for (place, source) in slice.ready() {
            let object = source.object();
            let name = ObjectName::of(&object.identity);
            let unpinned = RequestedObject { uri: object.uri.clone(), hint: ObjectHint::default() };
            let current = resolve(&self.tables.stores, &self.config.store_name, &unpinned).await?;
            let is_current = matches!(&current, Resolved::Object(now) if now.identity == object.identity);
            if !self.config.allow.allows_owning(&object.uri) {
                barred.insert(place, "it is in no bucket and prefix that tables may own".to_owned());
            } else if !is_current {
                barred.insert(place, "it is not the current version of its key".to_owned());
            } else if view.ledger.is_registered(&view.head, std::slice::from_ref(&name)).await?
                || !keys.insert(name)
            {
                barred.insert(
                    place,
                    "another version of its key is a data file of the table already".to_owned(),
                );
            }
        }
        Ok(barred)
    }
}

/// The table property by which readers find the columns of registered files that bear no field ids.
pub(super) fn name_mapping(
    target: &Target,
    files: &[Planned],
) -> Result<HashMap<String, String>, (usize, String)> {
    let mut properties = HashMap::new();
    let mut held = target.table.properties().get(DEFAULT_SCHEMA_NAME_MAPPING).cloned();
    for file in files {
        if !matches!(&file.way, Way::Register(registered) if registered.by_name) {
            continue;
        }
        let columns = file.source.schema().fields();
        let needed = needed_mapping(held.as_deref(), target, &file.mapping, columns);
        if let Some(needed) = needed.map_err(|reason| (file.place, reason))? {
            properties.insert(DEFAULT_SCHEMA_NAME_MAPPING.to_owned(), needed.clone());
            held = Some(needed);
        }
    }
    Ok(properties)
}
