//! Where objects go.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use super::Target;
use crate::{FileFormat, TableName, batching::RouteLimits};

/// Most routes of captured names that are kept ready. Beyond it all are made anew as they are needed: more tables cost
/// time, not memory.
pub const MAX_ROUTES: usize = 1_024;

/// Where an object goes. Objects of equal routes share batches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The table.
    pub table: TableName,
    /// The format.
    pub format: FileFormat,
    /// Options that override the table's own.
    pub options: BTreeMap<String, String>,
    /// When its batches close, and which of them are light.
    pub limits: RouteLimits,
}

impl Route {
    /// A route without options, with the limits of the batching machine.
    pub fn new(table: TableName, format: FileFormat) -> Self {
        Self { table, format, options: BTreeMap::new(), limits: RouteLimits::default() }
    }

    /// The route of a rule's objects of one table and format.
    pub(super) fn of(target: &Target, table: TableName, format: FileFormat) -> Arc<Self> {
        Arc::new(Self { table, format, options: target.options.clone(), limits: target.limits })
    }
}

/// Routes of captured names, so that an announcement costs none of its own.
#[derive(Debug, Default)]
pub(super) struct Routes(Mutex<HashMap<(usize, FileFormat, TableName), Arc<Route>>>);

impl Routes {
    /// The route of this rule's objects of one table and format.
    pub(super) fn get(
        &self,
        rule: usize,
        target: &Target,
        table: TableName,
        format: FileFormat,
    ) -> Arc<Route> {
        let mut known = self.0.lock().expect("no holder of this lock panics");
        let key = (rule, format, table);
        if let Some(route) = known.get(&key) {
            return Arc::clone(route);
        }
        if known.len() >= MAX_ROUTES {
            known.clear();
        }
        let route = Route::of(target, key.2.clone(), format);
        known.insert(key, Arc::clone(&route));
        route
    }

    /// The tables of a rule that are known.
    pub(super) fn tables(&self, rule: usize) -> Vec<TableName> {
        let known = self.0.lock().expect("no holder of this lock panics");
        known.keys().filter(|(of, ..)| *of == rule).map(|(.., table)| table.clone()).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().expect("no holder of this lock panics").len()
    }
}
