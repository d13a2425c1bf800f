//! Lists.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray};
use arrow_buffer::{NullBufferBuilder, OffsetBufferBuilder};
use arrow_schema::FieldRef;

use super::super::json::{Json, Kind, LIST};
use super::super::rejected::Flaw;
use super::{Context, Slot, no};

#[derive(Debug)]
pub(super) struct List {
    element: Slot,
    lengths: OffsetBufferBuilder<i32>,
    validity: NullBufferBuilder,
}

impl List {
    pub(super) fn new(element: &FieldRef, ignore_case: bool) -> Result<Self, String> {
        Ok(Self {
            element: Slot::new(element, ignore_case)?,
            lengths: OffsetBufferBuilder::new(0),
            validity: NullBufferBuilder::new(0),
        })
    }

    pub(super) fn element(&self) -> FieldRef {
        self.element.field.clone()
    }

    pub(super) fn null(&mut self) {
        self.lengths.push_length(0);
        self.validity.append_null();
    }

    pub(super) fn json(&mut self, json: &mut Json<'_>, context: &mut Context<'_>) -> Result<(), Flaw> {
        let mut elements = 0;
        let added = self.elements(json, context, &mut elements);
        self.lengths.push_length(elements);
        self.validity.append_non_null();
        added
    }

    fn elements(
        &mut self,
        json: &mut Json<'_>,
        context: &mut Context<'_>,
        elements: &mut usize,
    ) -> Result<(), Flaw> {
        if json.kind()? != Kind::List {
            return Err(no(json, "list"));
        }
        let mut more = json.open(LIST)?;
        while more {
            context.count(self.element.cell_bytes())?;
            *elements += 1;
            self.element.json(json, context).map_err(|flaw| flaw.within("element"))?;
            more = json.another(LIST)?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, String> {
        let offsets = std::mem::replace(&mut self.lengths, OffsetBufferBuilder::new(0)).finish();
        let (values, nulls) = (self.element.finish()?, self.validity.finish());
        let list = ListArray::try_new(self.element(), offsets, values, nulls).map_err(|e| e.to_string())?;
        Ok(Arc::new(list))
    }
}
