//! Maps: JSON objects whose keys are values.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, MapArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBufferBuilder};
use arrow_schema::{DataType, Field, FieldRef, Fields};

use super::super::json::{Json, Kind, OBJECT};
use super::super::rejected::{Flaw, excerpt};
use super::super::value::Leaf;
use super::{Context, Slot, no};
use crate::columns::entry;

#[derive(Debug)]
pub(super) struct Map {
    entries: Field,
    sorted: bool,
    key: FieldRef,
    keys: Leaf,
    value: Slot,
    lengths: OffsetBufferBuilder<i32>,
    validity: NullBufferBuilder,
    /// Keys of the row that is under way: a map has each once.
    seen: HashSet<String>,
}

impl Map {
    pub(super) fn new(entries: &FieldRef, sorted: bool, ignore_case: bool) -> Result<Self, String> {
        let (key, value) = entry(entries)?;
        // A key that is flawed could not be left out alone, and a null stands for nothing here.
        let keys = Leaf::new(key.data_type()).filter(Leaf::holds_text);
        let keys = keys.ok_or_else(|| {
            format!("a map with keys of type {} cannot be read from text; only strings can", key.data_type())
        })?;
        Ok(Self {
            entries: entries.as_ref().clone(),
            sorted,
            key: key.clone(),
            keys,
            value: Slot::new(value, ignore_case)?,
            lengths: OffsetBufferBuilder::new(0),
            validity: NullBufferBuilder::new(0),
            seen: HashSet::new(),
        })
    }

    /// The entries as they are handed out.
    pub(super) fn entries(&self) -> FieldRef {
        Arc::new(self.entries.clone().with_data_type(DataType::Struct(self.fields())))
    }

    fn fields(&self) -> Fields {
        vec![self.key.clone(), self.value.field.clone()].into()
    }

    pub(super) fn null(&mut self) {
        self.lengths.push_length(0);
        self.validity.append_null();
    }

    pub(super) fn json(&mut self, json: &mut Json<'_>, context: &mut Context<'_>) -> Result<(), Flaw> {
        self.seen.clear();
        let mut entries = 0;
        let added = self.fill(json, context, &mut entries);
        self.lengths.push_length(entries);
        self.validity.append_non_null();
        added
    }

    fn fill(
        &mut self,
        json: &mut Json<'_>,
        context: &mut Context<'_>,
        entries: &mut usize,
    ) -> Result<(), Flaw> {
        if json.kind()? != Kind::Object {
            return Err(no(json, "map"));
        }
        let mut more = json.open(OBJECT)?;
        while more {
            context.count(size_of::<i32>() + self.value.cell_bytes())?;
            let key = json.string(&mut context.string)?;
            if !self.seen.insert(key.to_owned()) {
                return Err(Flaw::new(format!("key {} appears twice", excerpt(key))));
            }
            self.keys.text(key, context.times)?;
            *entries += 1;
            let value = match json.colon() {
                Ok(()) => self.value.json(json, context),
                Err(flaw) => {
                    self.value.null();
                    Err(flaw)
                }
            };
            value.map_err(|flaw| flaw.within("value"))?;
            more = json.another(OBJECT)?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, String> {
        let failed = |e: arrow_schema::ArrowError| e.to_string();
        let offsets = std::mem::replace(&mut self.lengths, OffsetBufferBuilder::new(0)).finish();
        let columns = vec![self.keys.finish(), self.value.finish()?];
        let entries = StructArray::try_new(self.fields(), columns, None).map_err(failed)?;
        let nulls = self.validity.finish();
        let map = MapArray::try_new(self.entries(), offsets, entries, nulls, self.sorted).map_err(failed)?;
        Ok(Arc::new(map))
    }
}
