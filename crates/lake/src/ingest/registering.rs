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
use crate::options::Mode;
use crate::source::{Resolved, SourceObject, resolve};
use crate::write::{Target, needed_mapping};

impl Lake {
    /// Which of the objects that are ready may not get into the table, and why. A registered object is known by its
    /// key: readers see the key's current version there, whichever came in. So it is the current one that is
    /// registered, and none gets in beside it, whatever its way.
    pub(super) async fn barred(
        &self,
        view: &View,
        slice: &Slice<'_>,
        mode: Mode,
    ) -> Result<HashMap<usize, String>> {
        let mut barred = HashMap::new();
        let mut keys = HashSet::new();
        let register = mode == Mode::Register;
        let ownable = slice.ready().into_iter().map(|(_, source)| source.object().clone());
        let ownable = ownable.filter(|object| self.config.allow.allows_owning(&object.uri));
        let ownable: Vec<ObjectName> = ownable.map(|object| ObjectName::of(&object.identity)).collect();
        let rivals = view.ledger.rivals(&view.head, &ownable, register).await?;
        for (place, source) in slice.ready() {
            let object = source.object();
            let name = ObjectName::of(&object.identity);
            let reason = if !self.config.allow.allows_owning(&object.uri) {
                register.then_some("it is in no bucket and prefix that tables may own")
            } else if register && !self.is_current(object).await? {
                Some("it is not the current version of its key")
            } else if rivals.contains(&name) || (register && !keys.insert(name)) {
                Some(
                    "another version of its key is in the table already, and the key is all that readers go by",
                )
            } else {
                None
            };
            barred.extend(reason.map(|reason| (place, reason.to_owned())));
        }
        Ok(barred)
    }

    async fn is_current(&self, object: &SourceObject) -> Result<bool> {
        let unpinned = RequestedObject { uri: object.uri.clone(), hint: ObjectHint::default() };
        let current = resolve(&self.tables.stores, &self.config.store_name, &unpinned).await?;
        Ok(matches!(&current, Resolved::Object(now) if now.identity == object.identity))
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
