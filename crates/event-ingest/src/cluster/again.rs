//! Objects of the quarantine, requested again from the light worker. Their records stay: lists leave out those of objects
//! that are in the table by then, and a worker may set an object aside again under the same name at any time.

use std::collections::HashMap;

use ingest_core::TableName;
use lake::Lake;
use lake::allow::OUTSIDE;
use operations::PlantError;
use operations::model::{Changed, Outcome};
use service_kit::kafka::ClientProperties;
use service_kit::outlet::{Outlet, OutletConfig};

use crate::overview::again::{self, Chosen};
use crate::overview::failed;

/// `source` of the requests.
const SOURCE: &str = "/event-ingest/console";

pub(super) async fn request(
    lake: &Lake,
    kafka: &ClientProperties,
    topic: &str,
    table: &TableName,
    ids: &[String],
) -> Result<Changed, PlantError> {
    let fail = |error: lake::Error| failed(&error);
    lake.allow().check_table(table).map_err(fail)?;
    let config = OutletConfig { topic: Some((topic.to_owned(), kafka.clone())), sink: None };
    let outlet = Outlet::new(&config).map_err(|error| PlantError::invalid(error.to_string()))?;
    let outlet = outlet.expect("a topic is named");
    let (chosen, unknown) = again::choose(lake, table, ids).await.map_err(fail)?;
    let may = |chosen: &Chosen| {
        chosen.kept.record.requested().is_ok_and(|object| lake.allow().allows_source(&object.uri))
    };
    let (chosen, outside): (Vec<_>, Vec<_>) = chosen.into_iter().partition(may);
    let mut outcomes: HashMap<String, (bool, String)> = HashMap::new();
    let said = format!("nothing of that name is set aside for {table}");
    outcomes.extend(unknown.into_iter().map(|id| (id, (false, said.clone()))));
    outcomes.extend(outside.into_iter().map(|chosen| (chosen.kept.name, (false, OUTSIDE.to_owned()))));
    for (route, some) in again::by_route(table, chosen) {
        let request =
            again::request(&route, &some, false).map_err(|error| PlantError::invalid(error.to_string()))?;
        let said = match outlet.send(again::event(&request, SOURCE), &table.to_string()).await {
            Ok(()) => (true, format!("requested from the light worker, request {}", request.request_id)),
            Err(error) => (false, error.to_string()),
        };
        outcomes.extend(some.into_iter().map(|chosen| (chosen.kept.name, said.clone())));
    }
    let outcome = |id: &String| {
        let (done, message) = outcomes.get(id).cloned()?;
        Some(Outcome { id: id.clone(), done, message })
    };
    Ok(Changed { outcomes: ids.iter().filter_map(outcome).collect() })
}
