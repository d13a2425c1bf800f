//! Structs, and the rows themselves.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, StructArray};
use arrow_buffer::NullBufferBuilder;
use arrow_schema::Fields;

use super::super::csv::Fields as CsvFields;
use super::super::decode::wrong_width;
use super::super::json::{Json, Kind, OBJECT};
use super::super::rejected::{Flaw, excerpt};
use super::{Context, Slot, no};

/// The members of a struct, or the columns of a file.
#[derive(Debug)]
pub(in super::super) struct Object {
    members: Vec<Member>,
    /// Where each name is.
    places: HashMap<String, usize>,
    ignore_case: bool,
    validity: NullBufferBuilder,
    /// Bytes that one takes beside texts and elements.
    cell_bytes: usize,
}

#[derive(Debug)]
struct Member {
    slot: Slot,
    /// How long it is: longer than the struct by one once the row under way has filled it.
    rows: usize,
}

impl Object {
    /// # Errors
    /// The type of a field, which is named, that text cannot hold.
    pub(in super::super) fn new(fields: &Fields, ignore_case: bool) -> Result<Self, String> {
        let slots = fields.iter().map(|field| Slot::new(field, ignore_case));
        let members: Vec<Member> =
            slots.map(|slot| Ok(Member { slot: slot?, rows: 0 })).collect::<Result<_, String>>()?;
        let name = |name: &str| if ignore_case { name.to_lowercase() } else { name.to_owned() };
        let places = fields.iter().enumerate().map(|(place, field)| (name(field.name()), place)).collect();
        let bytes = members.iter().map(|member| member.slot.cell_bytes());
        let cell_bytes = bytes.fold(0, usize::saturating_add);
        Ok(Self { members, places, ignore_case, validity: NullBufferBuilder::new(0), cell_bytes })
    }

    /// Bytes that one takes beside texts and elements, and a null as well.
    pub(in super::super) fn cell_bytes(&self) -> usize {
        self.cell_bytes
    }

    /// The fields as they are handed out.
    pub(in super::super) fn fields(&self) -> Fields {
        self.members.iter().map(|member| member.slot.field.clone()).collect()
    }

    /// How many there are.
    pub(in super::super) fn rows(&self) -> usize {
        self.validity.len()
    }

    pub(in super::super) fn null(&mut self) {
        for member in &mut self.members {
            member.slot.null();
            member.rows += 1;
        }
        self.validity.append_null();
    }

    /// Adds the object that comes next, whose cells are not counted here.
    pub(in super::super) fn json(
        &mut self,
        json: &mut Json<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Flaw> {
        let added = self.fill(json, context);
        let completed = self.complete();
        added.and(completed)
    }

    fn fill(&mut self, json: &mut Json<'_>, context: &mut Context<'_>) -> Result<(), Flaw> {
        if json.kind()? != Kind::Object {
            return Err(no(json, "object"));
        }
        let mut expected = 0;
        let mut more = json.open(OBJECT)?;
        while more {
            let key = json.string(&mut context.string)?;
            let Some(place) = self.place(key, expected) else {
                return Err(Flaw::new(format!("there is no column {}", excerpt(key))));
            };
            json.colon()?;
            let rows = self.validity.len();
            let Member { slot, rows: filled } = &mut self.members[place];
            if *filled > rows {
                return Err(Flaw::new("the key appears twice").within(slot.field.name()));
            }
            *filled += 1;
            slot.json(json, context).map_err(|flaw| flaw.within(slot.field.name()))?;
            expected = place + 1;
            more = json.another(OBJECT)?;
        }
        Ok(())
    }

    /// Where a key is. Keys mostly come in the order of the columns.
    fn place(&self, key: &str, expected: usize) -> Option<usize> {
        if self.members.get(expected).is_some_and(|member| member.slot.field.name() == key) {
            return Some(expected);
        }
        let place =
            if self.ignore_case { self.places.get(&key.to_lowercase()) } else { self.places.get(key) };
        place.copied()
    }

    /// Ends a row: what it did not fill is null.
    fn complete(&mut self) -> Result<(), Flaw> {
        let rows = self.validity.len();
        let mut completed = Ok(());
        for Member { slot, rows: filled } in &mut self.members {
            if *filled > rows {
                continue;
            }
            *filled += 1;
            let absent = slot.absent();
            if completed.is_ok() {
                completed = absent.map_err(|flaw| flaw.within(slot.field.name()));
            }
        }
        self.validity.append_non_null();
        completed
    }

    /// Adds a CSV row, whose fields are the columns in their order.
    pub(in super::super) fn csv(
        &mut self,
        fields: Result<CsvFields<'_>, Flaw>,
        context: &mut Context<'_>,
    ) -> Result<(), Flaw> {
        let added = fields.and_then(|fields| self.fill_csv(&fields, context));
        let completed = self.complete();
        added.and(completed)
    }

    fn fill_csv(&mut self, fields: &CsvFields<'_>, context: &mut Context<'_>) -> Result<(), Flaw> {
        if fields.len() != self.members.len() {
            return Err(wrong_width(fields.len(), self.members.len()));
        }
        let mut scratch = std::mem::take(&mut context.field);
        let added = self.members.iter_mut().enumerate().try_for_each(|(index, Member { slot, rows })| {
            *rows += 1;
            let field = fields.get(index, &mut scratch);
            slot.csv(&field, context).map_err(|flaw| flaw.within(slot.field.name()))
        });
        context.field = scratch;
        added
    }

    /// The rows so far as an array for each column; there are none afterwards.
    ///
    /// # Errors
    /// Never for what was added through this type; the text says what does not fit together.
    pub(in super::super) fn columns(&mut self) -> Result<Vec<ArrayRef>, String> {
        self.validity.finish();
        self.members.iter_mut().map(Member::finish).collect()
    }

    pub(in super::super) fn finish(&mut self) -> Result<ArrayRef, String> {
        let (length, nulls) = (self.validity.len(), self.validity.finish());
        let columns = self.columns()?;
        let array = StructArray::try_new_with_length(self.fields(), columns, nulls, length);
        Ok(Arc::new(array.map_err(|e| e.to_string())?))
    }
}

impl Member {
    fn finish(&mut self) -> Result<ArrayRef, String> {
        self.rows = 0;
        self.slot.finish()
    }
}
