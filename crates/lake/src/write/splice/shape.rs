//! Whether a file's column chunks can stand in the table's data files as they are, and under which schema.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{Field, Schema as ArrowSchema};
use iceberg::spec::{NestedField, NestedFieldRef, Type as TableType};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, ConvertedType, Encoding, LogicalType, Repetition, Type as Physical};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr};

use super::leaf::{Forms, leaf};
use crate::columns::{Mapping, Node, Origin, join};
use crate::source::ParquetSource;
use crate::write::Target;
use crate::write::uuids::marked;

/// What the root of a schema is called; nothing depends on it.
const ROOT: &str = "table";

/// The Parquet schema of the data file that a source's chunks go into, and where each leaf of it comes from. Files
/// with equal shapes may share a data file.
#[derive(Debug, Clone)]
pub struct Shape {
    pub(in crate::write) schema: SchemaDescPtr,
    pub(in crate::write) leaves: Vec<Leaf>,
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.schema.root_schema() == other.schema.root_schema()
    }
}

/// Where the chunks of a leaf come from.
#[derive(Debug, Clone)]
pub(in crate::write) enum Leaf {
    /// The file's leaf at this place.
    File(usize),
    /// They are made: all values are this one.
    Constant(Constant),
}

/// A column whose values are all the same.
#[derive(Debug, Clone)]
pub(in crate::write) struct Constant {
    /// The table's column, with its field id.
    pub(in crate::write) schema: Arc<ArrowSchema>,
    /// An array of one row.
    pub(super) value: ArrayRef,
}

/// The shape of `source` for `target`. `mapping` was made for the columns of both, without a misfit.
///
/// # Errors
/// Why the file has to be decoded and encoded anew; the text names the column.
pub fn shape(source: &ParquetSource, mapping: &Mapping, target: &Target) -> Result<Shape, String> {
    shape_of(source.metadata(), mapping, target, Forms::Own).map(|(shape, _)| shape)
}

/// The same, with columns of values in such forms; and what field ids the file's own columns have.
pub(in crate::write) fn shape_of(
    footer: &ParquetMetaData,
    mapping: &Mapping,
    target: &Target,
    forms: Forms,
) -> Result<(Shape, OwnIds), String> {
    let mut builder = Builder { target, forms, leaves: Vec::new(), ids: OwnIds::default() };
    let file = footer.file_metadata().schema();
    let fields = target.schema.as_struct().fields();
    let fields = builder.fields(file.get_fields(), 0, fields, &mapping.columns, "")?;
    let Builder { leaves, ids, .. } = builder;
    let mut used: Vec<usize> = leaves
        .iter()
        .filter_map(|leaf| if let Leaf::File(leaf) = leaf { Some(*leaf) } else { None })
        .collect();
    if used.is_empty() {
        return Err("none of the file's columns is the table's".to_owned());
    }
    let columns = used.len();
    used.sort_unstable();
    used.dedup();
    if used.len() < columns {
        return Err("a column of the file is more than one of the table's".to_owned());
    }
    // Row groups without rows are not copied; but readers see those of a file that stays.
    let seen = |group: &&RowGroupMetaData| group.num_rows() > 0 || forms == Forms::Readable;
    for group in footer.row_groups().iter().filter(seen) {
        for place in &used {
            let chunk = group.columns().get(*place).ok_or("a row group lacks columns")?;
            plain(chunk).map_err(|reason| format!("column `{}` {reason}", chunk.column_path().string()))?;
        }
    }
    let root = Type::group_type_builder(ROOT).with_fields(fields).build().map_err(|e| e.to_string())?;
    Ok((Shape { schema: Arc::new(SchemaDescriptor::new(Arc::new(root))), leaves }, ids))
}

/// Whether all of `PyIceberg`, Spark, `DuckDB` and Trino read such a chunk, as far as the footer tells. What it does not
/// tell is found when the pages are walked.
fn plain(chunk: &ColumnChunkMetaData) -> Result<(), String> {
    use Compression as C;
    if !matches!(chunk.compression(), C::UNCOMPRESSED | C::SNAPPY | C::GZIP(_) | C::ZSTD(_)) {
        return Err(format!("is compressed by {}, which not every reader takes", chunk.compression()));
    }
    let known = |encoding: &Encoding| {
        // The footer also names the encodings of levels. Bit-packed ones are named by writers that use none.
        #[allow(deprecated, reason = "what old writers name has to be told from what is new")]
        let levels = [Encoding::RLE, Encoding::BIT_PACKED];
        let values = [Encoding::PLAIN, Encoding::PLAIN_DICTIONARY, Encoding::RLE_DICTIONARY];
        values.contains(encoding) || levels.contains(encoding)
    };
    if let Some(encoding) = chunk.encodings().find(|encoding| !known(encoding)) {
        return Err(format!("has the encoding {encoding}, which not every reader takes"));
    }
    let of_values = |encoding| {
        matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY)
    };
    let truth_values = chunk.column_type() == Physical::BOOLEAN && chunk.num_values() > 0;
    if truth_values && !chunk.encodings().any(of_values) {
        return Err("has run-length encoded truth values, which not every reader takes".to_owned());
    }
    if chunk.file_path().is_some() {
        return Err("is kept in another file".to_owned());
    }
    Ok(())
}

/// The field ids of a file's columns, beside those of the table's columns that they become.
#[derive(Debug, Default)]
pub(in crate::write) struct OwnIds {
    /// How many columns have one, and how many have none.
    pub(in crate::write) named: usize,
    pub(in crate::write) bare: usize,
    /// The first that is another than the table's, in words.
    pub(in crate::write) foreign: Option<String>,
}

impl OwnIds {
    fn note(&mut self, file: &Type, field: &NestedField, path: &str) {
        let info = file.get_basic_info();
        if !info.has_id() {
            self.bare += 1;
            return;
        }
        self.named += 1;
        if info.id() != field.id && self.foreign.is_none() {
            let reason = format!(
                "column `{path}` has field id {} in the file and {} in the table",
                info.id(),
                field.id
            );
            self.foreign = Some(reason);
        }
    }
}

struct Builder<'a> {
    target: &'a Target,
    forms: Forms,
    leaves: Vec<Leaf>,
    ids: OwnIds,
}

impl Builder<'_> {
    /// The output's fields for those of a struct of the table. `file` are the fields of the file's group, the first
    /// leaf of which is the file's leaf at `first`.
    fn fields(
        &mut self,
        file: &[TypePtr],
        first: usize,
        table: &[NestedFieldRef],
        origins: &[Origin],
        parent: &str,
    ) -> Result<Vec<TypePtr>, String> {
        if let Some(empty) = file.iter().find(|field| leaves(field) == 0) {
            // The decoder leaves such groups out, so that places would shift.
            return Err(format!("column `{}` has no columns in it", join(parent, empty.name())));
        }
        let mut made = Vec::with_capacity(table.len());
        for (field, origin) in table.iter().zip(origins) {
            let path = join(parent, &field.name);
            match origin {
                Origin::Column(place, node) => {
                    let from = file.get(*place).ok_or_else(|| format!("column `{path}` has no place"))?;
                    let first = first + file[..*place].iter().map(|field| leaves(field)).sum::<usize>();
                    made.push(self.column(from, first, field, node, &field.name, &path)?);
                }
                Origin::Constant(value) if parent.is_empty() => made.push(self.constant(field, value)?),
                Origin::Constant(_) => return Err(format!("column `{path}` is made, within another")),
                Origin::Absent if field.required || field.initial_default.is_some() => {
                    return Err(format!("column `{path}` is missing and may not be read as null"));
                }
                Origin::Absent => {}
            }
        }
        if made.is_empty() {
            return Err(match parent {
                "" => "none of the file's columns is the table's".to_owned(),
                _ => format!("column `{parent}` has none of the table's columns in it"),
            });
        }
        Ok(made)
    }

    fn column(
        &mut self,
        file: &TypePtr,
        first: usize,
        field: &NestedField,
        node: &Node,
        name: &str,
        path: &str,
    ) -> Result<TypePtr, String> {
        let refuse = |reason: &str| format!("column `{path}` {reason}");
        self.ids.note(file, field, path);
        let repetition = file.get_basic_info().repetition();
        if repetition == Repetition::REPEATED {
            return Err(refuse("is a list in an old form"));
        }
        if field.required && repetition != Repetition::REQUIRED {
            return Err(refuse("is required by the table and optional in the file"));
        }
        let group = |logical: Option<LogicalType>, fields| {
            let group = Type::group_type_builder(name)
                .with_repetition(repetition)
                .with_logical_type(logical)
                .with_id(Some(field.id))
                .with_fields(fields);
            group.build().map(Arc::new).map_err(|e| refuse(&e.to_string()))
        };
        match (field.field_type.as_ref(), node) {
            (TableType::Primitive(kind), Node::Leaf) => {
                let made = leaf(file, field, kind, name, self.forms).map_err(|reason| refuse(&reason))?;
                self.leaves.push(Leaf::File(first));
                Ok(Arc::new(made))
            }
            (TableType::Struct(table), Node::Struct(origins)) => {
                if annotated(file) {
                    return Err(refuse("is a group with a meaning of its own"));
                }
                let fields = self.fields(fields_of(file), first, table.fields(), origins, path)?;
                group(None, fields)
            }
            (TableType::List(table), Node::List(node)) => {
                let [element] = entries(file, LogicalType::List, ConvertedType::LIST).map_err(refuse)?;
                let path = join(path, "element");
                let element = self.column(element, first, &table.element_field, node, "element", &path)?;
                group(Some(LogicalType::List), vec![repeated("list", vec![element])?])
            }
            (TableType::Map(table), Node::Map(key_node, value_node)) => {
                let [key, value] = entries(file, LogicalType::Map, ConvertedType::MAP).map_err(refuse)?;
                let second = first + leaves(key);
                let (key_path, value_path) = (join(path, "key"), join(path, "value"));
                let fields = vec![
                    self.column(key, first, &table.key_field, key_node, "key", &key_path)?,
                    self.column(value, second, &table.value_field, value_node, "value", &value_path)?,
                ];
                group(Some(LogicalType::Map), vec![repeated("key_value", fields)?])
            }
            _ => Err(refuse("is nested otherwise than in the table")),
        }
    }

    fn constant(&mut self, field: &NestedField, value: &ArrayRef) -> Result<TypePtr, String> {
        let refuse = |reason: &str| format!("column `{}` {reason}", field.name);
        let column = self.target.columns.field_with_name(&field.name).map_err(|e| e.to_string())?;
        if value.len() != 1 || value.data_type() != column.data_type() || column.data_type().is_nested() {
            return Err(refuse("is made of a value that cannot be repeated"));
        }
        let column = Field::clone(column);
        let schema = Arc::new(ArrowSchema::new(vec![column]));
        let parquet = ArrowSchemaConverter::new().convert(&schema).map_err(|e| refuse(&e.to_string()))?;
        self.leaves.push(Leaf::Constant(Constant { schema, value: value.clone() }));
        marked(&parquet.root_schema().get_fields()[0], &self.target.schema)
            .map_err(|e| refuse(&e.to_string()))
    }
}

/// Leaves below a node of a schema, or the one that it is.
fn leaves(node: &Type) -> usize {
    match node {
        Type::PrimitiveType { .. } => 1,
        Type::GroupType { fields, .. } => fields.iter().map(|field| leaves(field)).sum(),
    }
}

fn fields_of(node: &Type) -> &[TypePtr] {
    match node {
        Type::PrimitiveType { .. } => &[],
        Type::GroupType { fields, .. } => fields,
    }
}

fn annotated(node: &Type) -> bool {
    let info = node.get_basic_info();
    info.logical_type_ref().is_some() || info.converted_type() != ConvertedType::NONE
}

/// The fields of the repeated group in a list or a map that is built as the format wants it, in three levels.
fn entries<const N: usize>(
    file: &TypePtr,
    logical: LogicalType,
    converted: ConvertedType,
) -> Result<[&TypePtr; N], &'static str> {
    let info = file.get_basic_info();
    let annotated = match info.logical_type_ref() {
        Some(found) => *found == logical,
        None => info.converted_type() == converted,
    };
    let [middle] = fields_of(file) else { return Err("is a list or map in an old form") };
    let old_name = converted == ConvertedType::LIST
        && (middle.name() == "array" || middle.name() == format!("{}_tuple", file.name()));
    if !annotated || old_name || middle.get_basic_info().repetition() != Repetition::REPEATED {
        return Err("is a list or map in an old form");
    }
    let fields: Vec<&TypePtr> = fields_of(middle).iter().collect();
    fields.try_into().map_err(|_| "is a list or map in an old form")
}

fn repeated(name: &str, fields: Vec<TypePtr>) -> Result<TypePtr, String> {
    let group = Type::group_type_builder(name).with_repetition(Repetition::REPEATED).with_fields(fields);
    group.build().map(Arc::new).map_err(|e| e.to_string())
}
