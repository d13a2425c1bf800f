//! Where each column of a table comes from, for files with one schema.

use std::collections::HashSet;
use std::fmt;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, FieldRef, Fields};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::create::{entry, join};
use super::fit::fits;

/// For each column of a table, in the table's order, where its values come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// One for each column of the table.
    pub columns: Vec<Origin>,
}

/// Where the values of a column, or of a field of a struct, come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// The file's column at this place among its siblings.
    Column(usize, Node),
    /// Nowhere: they are null.
    Absent,
    /// They are all this one: an array of one row, of the column's type. Never within a struct.
    Constant(ArrayRef),
}

/// How a column of the file becomes one of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// By its value.
    Leaf,
    /// Field by field of the table's struct.
    Struct(Vec<Origin>),
    /// By its elements.
    List(Box<Node>),
    /// By its keys and values.
    Map(Box<Node>, Box<Node>),
}

/// Which columns are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Matching {
    /// Names that differ only in the case of their letters are the same.
    pub ignore_case: bool,
    /// The field ids in a file have to be those of the table's columns with the same names.
    pub field_ids: bool,
}

impl Matching {
    /// Whether two names stand for the same column.
    pub fn same(self, a: &str, b: &str) -> bool {
        a == b || (self.ignore_case && a.to_lowercase() == b.to_lowercase())
    }
}

/// A column of a file that the table does not hold, or one of the table that the file lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// The table has no such column.
    Unknown {
        /// The path of the struct that it is in; empty at the top.
        parent: String,
        /// The file's column.
        column: FieldRef,
    },
    /// The table's type does not hold each value of the file's.
    Type {
        /// Path of the column.
        path: String,
        /// The file's type.
        from: DataType,
        /// The table's.
        to: DataType,
    },
    /// The table requires values and the file has no such column.
    Missing(String),
    /// Two columns have this path.
    Twice(String),
    /// The file gives the column another field id than the table.
    Id {
        /// Path of the column.
        path: String,
        /// The id in the file; none if it has none.
        file: Option<String>,
        /// The id in the table.
        table: String,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Unknown { parent, column } => {
                write!(f, "column `{}` is not in the table's schema", join(parent, column.name()))
            }
            Misfit::Type { path, from, to } => {
                write!(f, "column `{path}` has type {from}, the table holds {to}")
            }
            Misfit::Missing(path) => write!(f, "column `{path}` is required by the table and missing"),
            Misfit::Twice(path) => write!(f, "column `{path}` appears twice"),
            Misfit::Id { path, file: Some(id), table } => {
                write!(f, "column `{path}` has field id {id}, in the table it has {table}")
            }
            Misfit::Id { path, file: None, table } => {
                write!(f, "column `{path}` has no field id, in the table it has {table}")
            }
        }
    }
}

/// Maps the columns of files with schema `file` to those of `table`. The mapping holds for the file's rows only if
/// there is no misfit.
pub fn map(file: &Fields, table: &Fields, matching: Matching) -> (Mapping, Vec<Misfit>) {
    let mut mapper = Mapper { matching, misfits: Vec::new() };
    let columns = mapper.fields(file, table, "");
    (Mapping { columns }, mapper.misfits)
}

struct Mapper {
    matching: Matching,
    misfits: Vec<Misfit>,
}

impl Mapper {
    fn fields(&mut self, file: &Fields, table: &Fields, parent: &str) -> Vec<Origin> {
        let mut seen = HashSet::new();
        for column in file {
            if !seen.insert(self.name(column)) {
                self.misfits.push(Misfit::Twice(join(parent, column.name())));
            }
        }
        let known: HashSet<String> = table.iter().map(|column| self.name(column)).collect();
        for column in file {
            // A column of nulls alone asks for no place.
            if known.contains(&self.name(column)) || *column.data_type() == DataType::Null {
                continue;
            }
            self.misfits.push(Misfit::Unknown { parent: parent.to_owned(), column: column.clone() });
        }
        table.iter().map(|column| self.origin(file, column, parent)).collect()
    }

    fn origin(&mut self, file: &Fields, column: &Field, parent: &str) -> Origin {
        let path = join(parent, column.name());
        let name = self.name(column);
        match file.iter().position(|candidate| self.name(candidate) == name) {
            Some(place) => {
                self.check_id(&file[place], column, &path);
                Origin::Column(place, self.node(file[place].data_type(), column.data_type(), &path))
            }
            None if column.is_nullable() => Origin::Absent,
            None => {
                self.misfits.push(Misfit::Missing(path));
                Origin::Absent
            }
        }
    }

    fn node(&mut self, from: &DataType, to: &DataType, path: &str) -> Node {
        match (from, to) {
            (DataType::Struct(from), DataType::Struct(to)) => Node::Struct(self.fields(from, to, path)),
            (DataType::List(from), DataType::List(to)) => {
                let path = join(path, "element");
                self.check_id(from, to, &path);
                Node::List(Box::new(self.node(from.data_type(), to.data_type(), &path)))
            }
            (DataType::Map(from, _), DataType::Map(to, _)) => match (entry(from), entry(to)) {
                (Ok((from_key, from_value)), Ok((to_key, to_value))) => {
                    let (key, value) = (join(path, "key"), join(path, "value"));
                    self.check_id(from_key, to_key, &key);
                    self.check_id(from_value, to_value, &value);
                    Node::Map(
                        Box::new(self.node(from_key.data_type(), to_key.data_type(), &key)),
                        Box::new(self.node(from_value.data_type(), to_value.data_type(), &value)),
                    )
                }
                _ => self.unfit(from.data_type(), to.data_type(), path),
            },
            _ if fits(from, to) => Node::Leaf,
            _ => self.unfit(from, to, path),
        }
    }

    fn unfit(&mut self, from: &DataType, to: &DataType, path: &str) -> Node {
        self.misfits.push(Misfit::Type { path: path.to_owned(), from: from.clone(), to: to.clone() });
        Node::Leaf
    }

    fn check_id(&mut self, file: &Field, column: &Field, path: &str) {
        let id = |field: &Field| field.metadata().get(PARQUET_FIELD_ID_META_KEY).cloned();
        if !self.matching.field_ids {
            return;
        }
        if let Some(table) = id(column).filter(|table| id(file).as_ref() != Some(table)) {
            self.misfits.push(Misfit::Id { path: path.to_owned(), file: id(file), table });
        }
    }

    /// What two columns have to share to be the same.
    fn name(&self, field: &Field) -> String {
        if self.matching.ignore_case { field.name().to_lowercase() } else { field.name().clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, DataType)]) -> Fields {
        list.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect()
    }

    fn misfits(file: &Fields, table: &Fields) -> Vec<String> {
        map(file, table, Matching::default()).1.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_mismatch_names_the_nested_column() {
        let file = fields(&[("a", DataType::Struct(fields(&[("b", DataType::Utf8)])))]);
        let table = fields(&[("a", DataType::Struct(fields(&[("b", DataType::Int64)])))]);
        assert_eq!(misfits(&file, &table), ["column `a.b` has type Utf8, the table holds Int64"]);
    }

    #[test]
    fn unknown_missing_and_doubled_columns_are_told_apart() {
        let table: Fields =
            vec![Field::new("id", DataType::Int64, false), Field::new("x", DataType::Int64, true)].into();
        let unknown = misfits(&fields(&[("id", DataType::Int64), ("y", DataType::Int64)]), &table);
        let missing = misfits(&fields(&[("x", DataType::Int64)]), &table);
        let twice = misfits(&fields(&[("id", DataType::Int64), ("id", DataType::Int64)]), &table);
        assert_eq!(unknown, ["column `y` is not in the table's schema"]);
        assert_eq!(missing, ["column `id` is required by the table and missing"]);
        assert_eq!(twice, ["column `id` appears twice"]);
        assert!(misfits(&fields(&[("id", DataType::Int64)]), &table).is_empty());
    }

    #[test]
    fn case_counts_unless_the_table_says_otherwise() {
        let (file, table) = (fields(&[("ID", DataType::Int64)]), fields(&[("id", DataType::Int64)]));
        assert_eq!(misfits(&file, &table).len(), 1);
        let (mapping, misfits) = map(&file, &table, Matching { ignore_case: true, field_ids: false });
        assert_eq!((mapping.columns, misfits), (vec![Origin::Column(0, Node::Leaf)], vec![]));
        let both = fields(&[("ID", DataType::Int64), ("id", DataType::Int64)]);
        let (_, misfits) = map(&both, &table, Matching { ignore_case: true, field_ids: false });
        assert_eq!(misfits, [Misfit::Twice("id".to_owned())]);
    }

    #[test]
    fn ids_have_to_agree_with_names_where_the_table_wants_ids() {
        let with_id = |id: &str| -> Fields {
            let key = PARQUET_FIELD_ID_META_KEY.to_owned();
            vec![Field::new("a", DataType::Int64, true).with_metadata([(key, id.to_owned())].into())].into()
        };
        let ids = Matching { ignore_case: false, field_ids: true };
        assert!(map(&with_id("1"), &with_id("1"), ids).1.is_empty());
        assert_eq!(map(&with_id("2"), &with_id("1"), ids).1.len(), 1);
        assert_eq!(map(&fields(&[("a", DataType::Int64)]), &with_id("1"), ids).1.len(), 1);
        assert!(map(&with_id("2"), &with_id("1"), Matching::default()).1.is_empty());
    }
}
