//! Mode `register`: a source that lies where the table's data may lie becomes a data file as it is. No byte is
//! written, so every reader has to read the file as it stands: each type is Iceberg's own for the column, or one that
//! Iceberg's rules of promotion allow.

use std::collections::HashMap;

use arrow_schema::{DataType, Field, Fields};
use iceberg::spec::{DataFile, NestedField, NestedFieldRef, PartitionKey, PrimitiveType, Transform, Type};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type as SchemaType};

use super::statistics::{Description, Trust, describe};
use super::target::Target;
use crate::columns::{Mapping, Node, Origin, entry, join, leaves};
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
    let parquet = metadata.file_metadata().schema_descr();
    if let Some(column) = parquet.root_schema().get_fields().iter().find(|column| irregular(column, false)) {
        return Err(format!("column `{}` has a list or map of an older form", column.name()));
    }
    let mut check = Check { parquet, ids: vec![None; parquet.num_columns()], named: 0, bare: 0 };
    // Readers take the values of identity partitions from the manifest where the file lacks the column.
    let known = |id: i32| partition.is_some_and(|key| identity(key, id));
    let fields = target.schema.as_struct().fields();
    check.fields(source.schema().fields(), &mapping.columns, fields, "", 0, &known)?;
    if check.named > 0 && check.bare > 0 {
        return Err("some columns of the file have field ids and some have none".to_owned());
    }
    readable(metadata.row_groups().iter().flat_map(|group| group.columns()))?;
    let file = describe(&Description {
        metadata,
        target,
        path: url,
        size: source.object().size,
        partition: partition.map(PartitionKey::data),
        ids: &check.ids,
        nan_counts: &HashMap::new(),
        trust: Trust::Foreign,
        sort_order_id: None,
    })?;
    Ok(Registered { file, rows: source.rows(), by_name: check.named == 0 })
}

fn identity(key: &PartitionKey, id: i32) -> bool {
    key.spec().fields().iter().any(|field| field.source_id == id && field.transform == Transform::Identity)
}

/// Codecs that PyIceberg, Spark, DuckDB and Trino all read.
fn readable<'a>(chunks: impl Iterator<Item = &'a ColumnChunkMetaData>) -> Result<(), String> {
    for chunk in chunks {
        match chunk.compression() {
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) | Compression::ZSTD(_) => {
            }
            other => {
                let path = chunk.column_path().string();
                return Err(format!(
                    "column `{path}` is compressed with {other}, which not every reader knows"
                ));
            }
        }
    }
    Ok(())
}

/// The walk along a file's columns and the table's.
struct Check<'a> {
    parquet: &'a SchemaDescriptor,
    /// The table's field id of each leaf.
    ids: Vec<Option<i32>>,
    /// Columns with a field id of their own, and without.
    named: usize,
    bare: usize,
}

impl Check<'_> {
    fn fields(
        &mut self,
        file: &Fields,
        origins: &[Origin],
        table: &[NestedFieldRef],
        parent: &str,
        first_leaf: usize,
        known: &dyn Fn(i32) -> bool,
    ) -> Result<(), String> {
        for (column, origin) in table.iter().zip(origins) {
            let path = join(parent, &column.name);
            match origin {
                Origin::Column(place, node) => {
                    let before = file.iter().take(*place).map(|field| leaves(field.data_type()));
                    self.field(&file[*place], node, column, &path, first_leaf + before.sum::<usize>())?;
                }
                Origin::Constant(_) if !known(column.id) => {
                    return Err(format!("column `{path}` is not in the file itself"));
                }
                Origin::Absent | Origin::Constant(_) => {}
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        file: &Field,
        node: &Node,
        column: &NestedField,
        path: &str,
        leaf: usize,
    ) -> Result<(), String> {
        self.check_id(file, column.id, path)?;
        if column.required && file.is_nullable() {
            return Err(format!("column `{path}` is required by the table and optional in the file"));
        }
        let nowhere = |_: i32| false;
        match (file.data_type(), node, column.field_type.as_ref()) {
            (DataType::Struct(fields), Node::Struct(origins), Type::Struct(held)) => {
                self.fields(fields, origins, held.fields(), path, leaf, &nowhere)
            }
            (DataType::List(element), Node::List(node), Type::List(held)) => {
                self.field(element, node, &held.element_field, &join(path, "element"), leaf)
            }
            (DataType::Map(entries, _), Node::Map(key_node, value_node), Type::Map(held)) => {
                let (key, value) = entry(entries)?;
                let value_leaf = leaf + leaves(key.data_type());
                self.field(key, key_node, &held.key_field, &join(path, "key"), leaf)?;
                self.field(value, value_node, &held.value_field, &join(path, "value"), value_leaf)
            }
            (_, Node::Leaf, Type::Primitive(kind)) => {
                let place = self.ids.get_mut(leaf).ok_or("the file has fewer leaves than columns")?;
                if place.replace(column.id).is_some() {
                    return Err(format!("column `{path}` is read twice from one column of the file"));
                }
                let descriptor = self.parquet.column(leaf);
                in_place(kind, &descriptor).map_err(|held| {
                    format!("column `{path}` is kept as {held}, which is not read as {kind} in place")
                })
            }
            (held, _, kind) => Err(format!("column `{path}` has type {held}, the table holds {kind}")),
        }
    }

    fn check_id(&mut self, file: &Field, id: i32, path: &str) -> Result<(), String> {
        match file.metadata().get(PARQUET_FIELD_ID_META_KEY) {
            None => self.bare += 1,
            Some(own) if *own == id.to_string() => self.named += 1,
            Some(own) => {
                return Err(format!("column `{path}` has field id {own} in the file and {id} in the table"));
            }
        }
        Ok(())
    }
}

/// Whether something repeats below other than as the elements of a list or the entries of a map in their present
/// forms: each reader takes the older forms differently.
fn irregular(t: &SchemaType, within_collection: bool) -> bool {
    let info = t.get_basic_info();
    let repeated = info.has_repetition() && info.repetition() == Repetition::REPEATED;
    if repeated != within_collection {
        return true;
    }
    if t.is_primitive() {
        return false;
    }
    let (logical, converted) = (info.logical_type_ref(), info.converted_type());
    let list = logical == Some(&LogicalType::List) || converted == ConvertedType::LIST;
    let map = logical == Some(&LogicalType::Map) || converted == ConvertedType::MAP;
    let fields = t.get_fields();
    let old_name =
        |middle: &SchemaType| middle.name() == "array" || middle.name() == format!("{}_tuple", t.name());
    match fields {
        [middle] if list => entries(middle) != Some(1) || old_name(middle) || irregular(middle, true),
        [middle] if map => entries(middle) != Some(2) || irregular(middle, true),
        _ if list || map => true,
        _ => fields.iter().any(|field| irregular(field, false)),
    }
}

fn entries(middle: &SchemaType) -> Option<usize> {
    middle.is_group().then(|| middle.get_fields().len())
}

/// Whether Iceberg's readers read a leaf as that type; else how it is kept.
fn in_place(kind: &PrimitiveType, leaf: &ColumnDescriptor) -> Result<(), String> {
    use LogicalType as L;
    use PhysicalType as P;
    use PrimitiveType as K;
    let (physical, logical, converted) =
        (leaf.physical_type(), leaf.logical_type_ref(), leaf.converted_type());
    let plain = logical.is_none() && converted == ConvertedType::NONE;
    let text = matches!(logical, Some(L::String)) || converted == ConvertedType::UTF8;
    let signed = |bits: i8| {
        let logical =
            matches!(logical, Some(L::Integer { bit_width, is_signed: true }) if *bit_width <= bits);
        let converted = match converted {
            ConvertedType::INT_8 | ConvertedType::INT_16 | ConvertedType::INT_32 => true,
            ConvertedType::INT_64 => bits == 64,
            _ => false,
        };
        plain || logical || converted
    };
    let micros = |adjusted: Option<bool>| match logical {
        Some(L::Timestamp { unit: TimeUnit::MICROS, is_adjusted_to_u_t_c }) => {
            adjusted == Some(*is_adjusted_to_u_t_c)
        }
        None => converted == ConvertedType::TIMESTAMP_MICROS && adjusted == Some(true),
        _ => false,
    };
    let nanos = |adjusted: bool| matches!(logical, Some(L::Timestamp { unit: TimeUnit::NANOS, is_adjusted_to_u_t_c }) if *is_adjusted_to_u_t_c == adjusted);
    let time = match logical {
        Some(L::Time { unit: TimeUnit::MICROS, .. }) => true,
        None => converted == ConvertedType::TIME_MICROS,
        _ => false,
    };
    let date = matches!(logical, Some(L::Date)) || converted == ConvertedType::DATE;
    let decimal = |precision: u32, scale: u32| {
        let is = matches!(logical, Some(L::Decimal { .. })) || converted == ConvertedType::DECIMAL;
        let narrower = u32::try_from(leaf.type_precision()).is_ok_and(|own| own <= precision);
        is && narrower && u32::try_from(leaf.type_scale()).is_ok_and(|own| own == scale)
    };
    let fits = match (kind, physical) {
        (K::Boolean, P::BOOLEAN) | (K::Float | K::Double, P::FLOAT) | (K::Double, P::DOUBLE) => plain,
        (K::Int | K::Long, P::INT32) => signed(32),
        (K::Long, P::INT64) => signed(64),
        (K::Date, P::INT32) => date,
        (K::Time, P::INT64) => time,
        (K::Timestamp, P::INT64) => micros(Some(false)),
        (K::Timestamptz, P::INT64) => micros(Some(true)),
        (K::TimestampNs, P::INT64) => nanos(false),
        (K::TimestamptzNs, P::INT64) => nanos(true),
        (K::String, P::BYTE_ARRAY) => text,
        (K::Binary, P::BYTE_ARRAY) => plain,
        (K::Uuid, P::FIXED_LEN_BYTE_ARRAY) => logical == Some(&L::Uuid) && leaf.type_length() == 16,
        (K::Fixed(length), P::FIXED_LEN_BYTE_ARRAY) => {
            plain && u64::try_from(leaf.type_length()).is_ok_and(|own| own == *length)
        }
        (K::Decimal { precision, scale }, P::INT32 | P::INT64 | P::FIXED_LEN_BYTE_ARRAY) => {
            decimal(*precision, *scale)
        }
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let physical = format!("{physical}");
    Err(match (logical, converted) {
        (Some(logical), _) => format!("{physical} ({logical:?})"),
        (None, ConvertedType::NONE) => physical,
        (None, converted) => format!("{physical} ({converted})"),
    })
}
