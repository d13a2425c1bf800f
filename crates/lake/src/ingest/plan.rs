//! How each file of a slice gets into its table, decided from footers and the table alone.

use std::sync::Arc;

use arrow_schema::Fields;
use chrono::{DateTime, Utc};
use iceberg::spec::{Schema, SchemaRef, TableMetadata};

use crate::columns::{Constant, Fitting, Mapping, schema_for, with_constants};
use crate::error::Result;
use crate::options::{Mode, TableOptions};
use crate::source::{Source, SourceObject};
use crate::write::Target;

/// Files that fit their table, and the table that they were planned for.
#[derive(Debug)]
pub(super) struct Plan {
    /// What is written for.
    pub(super) target: Target,
    /// The schema that the table has to get with them, if its own is not enough.
    pub(super) evolved: Option<SchemaRef>,
    /// The files that fit.
    pub(super) files: Vec<Planned>,
    /// The files that do not, and why.
    pub(super) unfit: Vec<(usize, String)>,
}

/// A file and the way it goes.
#[derive(Debug)]
pub(super) struct Planned {
    /// Its place in the slice.
    pub(super) place: usize,
    pub(super) source: Source,
    pub(super) mapping: Arc<Mapping>,
    pub(super) way: Way,
    /// Why it is this way, for a person.
    pub(super) why: String,
}

/// How the rows of a file become rows of the table.
#[derive(Debug)]
pub(super) enum Way {
    /// They are decoded and written anew.
    Rewrite,
}

impl Way {
    /// The name under which ledger and results know it.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Way::Rewrite => "rewrite",
        }
    }
}

/// Plans the files of a slice, with their places there, for a table.
///
/// # Errors
/// A table that cannot be written.
pub(super) fn plan(
    table: &Arc<TableMetadata>,
    options: &TableOptions,
    sources: Vec<(usize, Source)>,
    now: DateTime<Utc>,
) -> Result<Plan> {
    let mut fitting = Fitting::new(table, options.schema_policy, options.matching)?;
    let mut unfit = Vec::new();
    let mut admitted = Vec::with_capacity(sources.len());
    for (place, source) in sources {
        let fits = constants(source.object(), options, &fitting, now).and_then(|constants| {
            fitting.admit(source.schema().fields(), &constants)?;
            Ok(constants)
        });
        match fits {
            Ok(constants) => admitted.push((place, source, constants)),
            Err(reason) => unfit.push((place, reason)),
        }
    }
    // Only now is it known what the table becomes.
    let target = Target::with_schema(table.clone(), fitting.schema.clone())?;
    let mut files = Vec::with_capacity(admitted.len());
    for (place, source, constants) in admitted {
        let planned = fitting.mapping(source.schema().fields(), &constants).and_then(|mapping| {
            decide(&source, &mapping, &target, options).map(|decided| (mapping, decided))
        });
        match planned {
            Ok((mapping, (way, why))) => {
                files.push(Planned { place, source, mapping: Arc::new(mapping), way, why });
            }
            Err(reason) => unfit.push((place, reason)),
        }
    }
    Ok(Plan { target, evolved: fitting.evolved().cloned(), files, unfit })
}

/// The schema of a table made for files like this one.
///
/// # Errors
/// The text names the column that Iceberg cannot hold, or a value of the key that means nothing.
pub(super) fn schema_after(
    source: &Source,
    options: &TableOptions,
    now: DateTime<Utc>,
) -> Result<Schema, String> {
    let columns = source.schema().fields();
    let constants = options.added.constants(&source.object().uri, now, &Fields::empty(), options.matching)?;
    schema_for(&with_constants(columns, &constants, options.matching))
}

fn constants(
    object: &SourceObject,
    options: &TableOptions,
    fitting: &Fitting,
    now: DateTime<Utc>,
) -> Result<Vec<Constant>, String> {
    options.added.constants(&object.uri, now, fitting.columns.fields(), options.matching)
}

/// The way of one file, and why.
fn decide(
    _source: &Source,
    _mapping: &Mapping,
    _target: &Target,
    options: &TableOptions,
) -> Result<(Way, String), String> {
    match options.mode {
        Mode::Rewrite => Ok((Way::Rewrite, "the option `mode` says so".to_owned())),
        Mode::Auto | Mode::Register => Ok((Way::Rewrite, String::new())),
    }
}
