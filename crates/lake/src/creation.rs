//! What a rule says of the tables that it makes: how they are partitioned, sorted and set.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use iceberg::spec::{
    NullOrder, Schema, SortDirection, SortField, SortOrder, Transform, UnboundPartitionSpec,
    UnboundPartitionSpecBuilder,
};

use crate::error::{Error, Result};
use crate::options::OptionError;

/// Option: partition fields of a new table, as `day(ts), bucket(16, id), region`.
pub(crate) const PARTITION_BY: &str = "create.partition-by";
/// Option: sort order of a new table, as `ts desc, id asc nulls last`.
pub(crate) const SORT_BY: &str = "create.sort-by";
/// What options that are properties of a new table begin with.
pub(crate) const PROPERTY_PREFIX: &str = "create.property.";
/// The id of the first sort order of a table.
const FIRST_ORDER: i64 = 1;

/// Partition fields, sort order and properties of a table that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Creation {
    partition_by: Vec<Term>,
    sort_by: Vec<SortTerm>,
    properties: HashMap<String, String>,
}

/// A table as it is to be made.
#[derive(Debug, Clone)]
pub struct Design {
    /// Its columns.
    pub schema: Schema,
    /// Its partition fields.
    pub spec: UnboundPartitionSpec,
    /// Its sort order, made for `schema`.
    pub order: SortOrder,
    /// Its properties.
    pub properties: HashMap<String, String>,
}

/// The first spec of a table. Java's REST catalog wants it numbered.
fn first_spec() -> UnboundPartitionSpecBuilder {
    UnboundPartitionSpec::builder().with_spec_id(0)
}

impl Design {
    /// A table with these columns, and nothing else that is special.
    pub fn plain(schema: Schema, properties: HashMap<String, String>) -> Self {
        let (spec, order) = (first_spec().build(), SortOrder::unsorted_order());
        Self { schema, spec, order, properties }
    }
}

/// A transform of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    transform: Transform,
    column: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct SortTerm {
    term: Term,
    direction: SortDirection,
    nulls: NullOrder,
}

/// The properties that a request gives to a table that is made for it.
pub(crate) fn properties_of(options: &BTreeMap<String, String>) -> HashMap<String, String> {
    let property = |(name, value): (&String, &String)| {
        name.strip_prefix(PROPERTY_PREFIX).map(|name| (name.to_owned(), value.clone()))
    };
    options.iter().filter_map(property).collect()
}

impl Creation {
    /// What the options of a request say.
    ///
    /// # Errors
    /// A term that means nothing.
    pub fn of(options: &BTreeMap<String, String>) -> Result<Self, OptionError> {
        let given = |name: &str| options.get(name).map(String::as_str).unwrap_or_default();
        Ok(Self {
            partition_by: terms(PARTITION_BY, given(PARTITION_BY))?,
            sort_by: terms(SORT_BY, given(SORT_BY))?,
            properties: properties_of(options),
        })
    }

    /// The table for a schema. `properties` are those that every table of ours gets unless the rule says otherwise.
    ///
    /// # Errors
    /// A column that the schema does not have, or a transform that its type does not take.
    pub fn design(&self, schema: Schema, mut properties: HashMap<String, String>) -> Result<Design> {
        properties.extend(self.properties.clone());
        let spec = self.spec(&schema)?;
        let order = self.order(&schema)?;
        Ok(Design { schema, spec, order, properties })
    }

    fn spec(&self, schema: &Schema) -> Result<UnboundPartitionSpec> {
        let mut spec = first_spec();
        for term in &self.partition_by {
            let id = term.source(schema, PARTITION_BY)?;
            spec = spec
                .add_partition_field(id, term.field_name(), term.transform)
                .map_err(|e| Error::invalid(format!("option `{PARTITION_BY}`")).caused_by(e))?;
        }
        Ok(spec.build())
    }

    fn order(&self, schema: &Schema) -> Result<SortOrder> {
        if self.sort_by.is_empty() {
            return Ok(SortOrder::unsorted_order());
        }
        let mut order = SortOrder::builder();
        order.with_order_id(FIRST_ORDER);
        for SortTerm { term, direction, nulls } in &self.sort_by {
            let field = SortField::builder()
                .source_id(term.source(schema, SORT_BY)?)
                .transform(term.transform)
                .direction(*direction)
                .null_order(*nulls)
                .build();
            order.with_sort_field(field);
        }
        order.build(schema).map_err(|e| Error::invalid(format!("option `{SORT_BY}`")).caused_by(e))
    }
}

impl Term {
    fn source(&self, schema: &Schema, option: &str) -> Result<i32> {
        let field = schema.field_by_name(&self.column).ok_or_else(|| {
            Error::invalid(format!("option `{option}`: there is no column `{}`", self.column))
        })?;
        if self.transform.result_type(&field.field_type).is_err() {
            return Err(Error::invalid(format!(
                "option `{option}`: column `{}` is of type {}, which `{}` does not take",
                self.column, field.field_type, self.transform
            )));
        }
        Ok(field.id)
    }

    /// The name of the partition field, as Iceberg's own writers give it.
    fn field_name(&self) -> String {
        let suffix = match self.transform {
            Transform::Bucket(_) => "bucket",
            Transform::Truncate(_) => "trunc",
            Transform::Year => "year",
            Transform::Month => "month",
            Transform::Day => "day",
            Transform::Hour => "hour",
            Transform::Identity | Transform::Void | Transform::Unknown => return self.column.clone(),
        };
        format!("{}_{suffix}", self.column)
    }
}

/// A list of terms, separated by commas that are not within parentheses.
fn terms<T: FromStr>(option: &'static str, text: &str) -> Result<Vec<T>, OptionError> {
    let mut depth = 0;
    let parts = text.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    let term = |part: &str| {
        part.trim().parse().map_err(|_| OptionError::Value {
            name: option.to_owned(),
            expected: "terms such as `day(ts)`, `bucket(16, id)`, `truncate(4, code)` or `region`, a sort order also `ts desc nulls last`",
            given: part.trim().to_owned(),
        })
    };
    if text.trim().is_empty() { Ok(Vec::new()) } else { parts.map(term).collect() }
}

impl FromStr for Term {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let named = |transform, column: &str| {
            let column = column.trim().to_owned();
            let odd = column.is_empty() || column.contains(['(', ')', ',']);
            if odd { Err(()) } else { Ok(Self { transform, column }) }
        };
        let Some((name, arguments)) = text.split_once('(') else { return named(Transform::Identity, text) };
        let arguments = arguments.strip_suffix(')').ok_or(())?;
        let parameter = |text: &str| text.trim().parse::<u32>().ok().filter(|n| *n > 0).ok_or(());
        match (name.trim().to_lowercase().as_str(), arguments.split_once(',')) {
            ("identity", None) => named(Transform::Identity, arguments),
            ("year" | "years", None) => named(Transform::Year, arguments),
            ("month" | "months", None) => named(Transform::Month, arguments),
            ("day" | "days", None) => named(Transform::Day, arguments),
            ("hour" | "hours", None) => named(Transform::Hour, arguments),
            ("bucket", Some((n, column))) => named(Transform::Bucket(parameter(n)?), column),
            ("truncate", Some((n, column))) => named(Transform::Truncate(parameter(n)?), column),
            _ => Err(()),
        }
    }
}

impl FromStr for SortTerm {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // Words after a parenthesis, or after the name.
        let end = text.rfind(')').map_or_else(|| text.find(' ').unwrap_or(text.len()), |at| at + 1);
        let (term, words) = text.split_at(end);
        let lower = words.to_lowercase();
        let mut words = lower.split_whitespace().peekable();
        let direction = match words.peek() {
            Some(&"asc") => words.next().map(|_| SortDirection::Ascending),
            Some(&"desc") => words.next().map(|_| SortDirection::Descending),
            _ => None,
        };
        let direction = direction.unwrap_or(SortDirection::Ascending);
        let nulls = match (words.next(), words.next(), words.next()) {
            // Iceberg's defaults.
            (None, None, None) if direction == SortDirection::Ascending => NullOrder::First,
            (None, None, None) | (Some("nulls"), Some("last"), None) => NullOrder::Last,
            (Some("nulls"), Some("first"), None) => NullOrder::First,
            _ => return Err(()),
        };
        Ok(Self { term: term.parse()?, direction, nulls })
    }
}

#[cfg(test)]
mod tests {
    use iceberg::spec::{NestedField, PrimitiveType, Type};

    use super::*;

    fn schema() -> Schema {
        let column = |id, name, t| NestedField::optional(id, name, Type::Primitive(t)).into();
        Schema::builder()
            .with_fields([
                column(1, "id", PrimitiveType::Long),
                column(2, "ts", PrimitiveType::Timestamptz),
                column(3, "region", PrimitiveType::String),
            ])
            .build()
            .unwrap()
    }

    fn design(pairs: &[(&str, &str)]) -> Result<Design> {
        let options = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let creation = Creation::of(&options).map_err(|e| Error::invalid(e.to_string()))?;
        creation.design(schema(), HashMap::from([("p".to_owned(), "ours".to_owned())]))
    }

    #[test]
    fn a_table_is_designed_by_the_rule() {
        let design = design(&[
            (PARTITION_BY, "days(ts), bucket(16, id),region, truncate( 2 ,region)"),
            (SORT_BY, "ts desc, bucket(4, id) nulls last, region"),
            ("create.property.p", "theirs"),
            ("mode", "rewrite"),
        ])
        .unwrap();
        let fields: Vec<_> = design
            .spec
            .fields()
            .iter()
            .map(|field| (field.name.as_str(), field.source_id, field.transform))
            .collect();
        assert_eq!(
            fields,
            [
                ("ts_day", 2, Transform::Day),
                ("id_bucket", 1, Transform::Bucket(16)),
                ("region", 3, Transform::Identity),
                ("region_trunc", 3, Transform::Truncate(2)),
            ]
        );
        let order: Vec<_> = design
            .order
            .fields
            .iter()
            .map(|field| (field.source_id, field.direction, field.null_order))
            .collect();
        assert_eq!(
            order,
            [
                (2, SortDirection::Descending, NullOrder::Last),
                (1, SortDirection::Ascending, NullOrder::Last),
                (3, SortDirection::Ascending, NullOrder::First),
            ]
        );
        assert_eq!(design.properties, HashMap::from([("p".to_owned(), "theirs".to_owned())]));
    }

    #[test]
    fn what_means_nothing_is_refused_by_name() {
        let cases = [
            (PARTITION_BY, "day(ts", "day(ts"),
            (PARTITION_BY, "bucket(0, id)", "bucket(0, id)"),
            (PARTITION_BY, "week(ts)", "week(ts)"),
            (PARTITION_BY, "day(when)", "`when`"),
            (PARTITION_BY, "day(id)", "`id`"),
            (SORT_BY, "ts upwards", "ts upwards"),
        ];
        for (option, value, named) in cases {
            let error = design(&[(option, value)]).unwrap_err().to_string();
            assert!(error.contains(option) && error.contains(named), "{error}");
        }
    }
}
