//! The table's sort order: by which keys rows are sorted.

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_schema::ArrowError;
use arrow_select::concat::concat;
use iceberg::spec::{NullOrder, SortDirection, Transform};

use super::partition::{Place, apply};
use super::target::Target;

/// The keys of a sort order, for batches of a target's schema.
pub(super) struct SortKeys {
    fields: Vec<(Place, Transform)>,
    options: Vec<SortOptions>,
}

impl SortKeys {
    /// The table's default order. None if it has none, or one that names what cannot be sorted by here: a sort order
    /// is a wish, and rows come first.
    pub(super) fn of(target: &Target) -> Option<Self> {
        let order = target.table.default_sort_order();
        if order.is_unsorted() {
            return None;
        }
        let field = |field: &iceberg::spec::SortField| {
            let place = Place::of(target.columns.fields(), field.source_id)?;
            (field.transform != Transform::Unknown).then_some((place, field.transform))
        };
        let fields = order.fields.iter().map(field).collect::<Option<Vec<_>>>()?;
        let options = order.fields.iter().map(|field| SortOptions {
            descending: field.direction == SortDirection::Descending,
            nulls_first: field.null_order == NullOrder::First,
        });
        let keys = Self { fields, options: options.collect() };
        let none = RecordBatch::new_empty(target.columns.clone());
        let sortable = keys.columns(&none).is_ok_and(|columns| keys.sorted(&columns).is_ok());
        sortable.then_some(keys)
    }

    /// The keys of a batch's rows.
    ///
    /// # Errors
    /// A key that cannot be made of a column; the text says why.
    pub(super) fn columns(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, String> {
        self.fields.iter().map(|(place, transform)| apply(*transform, &place.column(batch)?)).collect()
    }

    /// The places of rows with these keys, in order.
    ///
    /// # Errors
    /// Keys that do not compare.
    pub(super) fn sorted(&self, keys: &[ArrayRef]) -> Result<UInt32Array, ArrowError> {
        lexsort_to_indices(&self.sort_columns(keys), None)
    }

    /// The first and the last of keys that are in order.
    pub(super) fn span(&self, keys: &[ArrayRef], first: usize, last: usize) -> Span {
        let row = |at: usize| keys.iter().map(|key| key.slice(at, 1)).collect();
        Span { first: row(first), last: row(last), options: self.options.clone() }
    }

    fn sort_columns(&self, keys: &[ArrayRef]) -> Vec<SortColumn> {
        columns(keys, &self.options)
    }
}

fn columns(keys: &[ArrayRef], options: &[SortOptions]) -> Vec<SortColumn> {
    let column = |(values, options): (&ArrayRef, &SortOptions)| SortColumn {
        values: values.clone(),
        options: Some(*options),
    };
    keys.iter().zip(options).map(column).collect()
}

/// The keys of the first and the last of some sorted rows.
#[derive(Debug, Clone)]
pub(super) struct Span {
    first: Vec<ArrayRef>,
    last: Vec<ArrayRef>,
    options: Vec<SortOptions>,
}

impl Span {
    /// Whether all rows of `next` may come after these.
    pub(super) fn precedes(&self, next: &Self) -> bool {
        self.try_precedes(next).unwrap_or(false)
    }

    fn try_precedes(&self, next: &Self) -> Result<bool, ArrowError> {
        let pairs = self.last.iter().zip(&next.first);
        let mut keys: Vec<ArrayRef> =
            pairs.map(|(last, first)| concat(&[last, first])).collect::<Result<_, _>>()?;
        // Equal keys stay as they are.
        keys.push(std::sync::Arc::new(UInt32Array::from(vec![0, 1])));
        let mut options = self.options.clone();
        options.push(SortOptions::default());
        let sorted = lexsort_to_indices(&columns(&keys, &options), None)?;
        Ok(sorted.len() == 2 && sorted.value(0) == 0)
    }
}
