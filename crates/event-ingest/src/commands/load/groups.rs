//! Objects on their way, by where they go: handed on when there are enough of them for one look-up or one request.

use std::collections::HashMap;
use std::sync::Arc;

use ingest_core::Route;

/// Objects of a full group: what the ledger looks up, and the sink commits, at once.
pub(crate) const FULL: usize = 200;
/// Objects held in all groups together. When there are more, the largest group is handed on as it is.
pub(crate) const MAX_HELD: usize = 4_000;

/// Open groups of `T`.
#[derive(Debug)]
pub(crate) struct Groups<T> {
    open: HashMap<Arc<Route>, Vec<T>>,
    held: usize,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Self { open: HashMap::new(), held: 0 }
    }
}

impl<T> Groups<T> {
    /// Adds one; returns a group that is to be handed on, if there is one now.
    pub(crate) fn add(&mut self, route: Arc<Route>, item: T) -> Option<(Arc<Route>, Vec<T>)> {
        let group = self.open.entry(route.clone()).or_default();
        group.push(item);
        self.held += 1;
        if group.len() >= FULL {
            return self.take(&route);
        }
        if self.held > MAX_HELD {
            return self.take_largest();
        }
        None
    }

    /// Hands on what there is, the largest group first; `None` once nothing is held.
    pub(crate) fn take_largest(&mut self) -> Option<(Arc<Route>, Vec<T>)> {
        let largest =
            self.open.iter().max_by_key(|(_, group)| group.len()).map(|(route, _)| route.clone())?;
        self.take(&largest)
    }

    fn take(&mut self, route: &Route) -> Option<(Arc<Route>, Vec<T>)> {
        let (route, group) = self.open.remove_entry(route)?;
        self.held -= group.len();
        Some((route, group))
    }
}

#[cfg(test)]
mod tests {
    use ingest_core::FileFormat;

    use super::*;

    fn route(number: usize) -> Arc<Route> {
        Arc::new(Route::new(format!("db.t{number}").parse().unwrap(), FileFormat::Parquet))
    }

    #[test]
    fn a_full_group_is_handed_on_and_the_others_stay() {
        let mut groups = Groups::default();
        assert!(groups.add(route(2), 0).is_none());
        let handed: Vec<_> = (0..FULL).filter_map(|n| groups.add(route(1), n)).collect();
        assert_eq!(handed, [(route(1), (0..FULL).collect::<Vec<_>>())]);
        assert_eq!(groups.held, 1);
        assert_eq!(groups.take_largest(), Some((route(2), vec![0])));
        assert_eq!((groups.take_largest(), groups.held), (None, 0));
    }

    #[test]
    fn many_tables_hold_no_more_than_the_bound() {
        let mut groups = Groups::default();
        let (mut most, mut handed) = (0, 0);
        for n in 0..10 * MAX_HELD {
            handed += groups.add(route(n % 1_000), n).map_or(0, |(_, group)| group.len());
            most = most.max(groups.held);
        }
        assert_eq!(most, MAX_HELD);
        while let Some((_, group)) = groups.take_largest() {
            handed += group.len();
        }
        assert_eq!((handed, groups.held), (10 * MAX_HELD, 0));
    }
}
