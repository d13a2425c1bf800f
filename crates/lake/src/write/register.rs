//! Mode `register`: a source that lies where the table's data may lie becomes a data file as it is. No byte is
//! written, so every reader has to read the file as it stands: each type is Iceberg's own for the column, or one that
//! Iceberg's rules of promotion allow.

use std::collections::HashMap;

use iceberg::spec::{DataFile, PartitionKey, Transform};

use super::splice::{Forms, Leaf, shape_of};
use super::statistics::{Description, Trust, describe, field_ids};
use super::target::Target;
use crate::columns::Mapping;
use crate::source::ParquetSource;

/// A source that is a data file now.
#[derive(Debug)]
pub struct Registered {
    /// The file, described, part of no snapshot yet.
    pub file: DataFile,
    /// Rows that it holds.
    pub rows: u64,
    /// It bears no field ids: readers find its columns by the table's name mapping, see [`super::needed_mapping`].
    pub by_name: bool,
}

/// Describes the source at `url` as a data file of `target`. `mapping` was made for the columns of both, without a
/// misfit.
///
/// # Errors
/// The text names the column, or what else of the file, that Iceberg's readers could not read in place.
pub fn register(
    source: &ParquetSource,
    mapping: &Mapping,
    target: &Target,
    url: &str,
    partition: Option<&PartitionKey>,
) -> Result<Registered, String> {
    let metadata = source.metadata();
    let (shape, own) = shape_of(metadata, mapping, target, Forms::Readable)?;
    if let Some(reason) = own.foreign {
        return Err(reason);
    }
    if own.named > 0 && own.bare > 0 {
        return Err("some columns of the file have field ids and some have none".to_owned());
    }
    let mut ids = vec![None; metadata.file_metadata().schema_descr().num_columns()];
    for (leaf, id) in shape.leaves.iter().zip(field_ids(&shape.schema)) {
        match leaf {
            Leaf::File(place) => *ids.get_mut(*place).ok_or("the file has fewer leaves than columns")? = id,
            // Readers take the values of identity partitions from the manifest where the file lacks the column.
            Leaf::Constant(_) if id.zip(partition).is_some_and(|(id, key)| identity(key, id)) => {}
            Leaf::Constant(made) => {
                return Err(format!("column `{}` is not in the file itself", made.schema.field(0).name()));
            }
        }
    }
    let file = describe(&Description {
        metadata,
        target,
        path: url,
        size: source.object().size,
        partition: partition.map(PartitionKey::data),
        ids: &ids,
        nan_counts: &HashMap::new(),
        trust: Trust::Foreign,
        sort_order_id: None,
    })?;
    Ok(Registered { file, rows: source.rows(), by_name: own.named == 0 })
}

fn identity(key: &PartitionKey, id: i32) -> bool {
    key.spec().fields().iter().any(|field| field.source_id == id && field.transform == Transform::Identity)
}
