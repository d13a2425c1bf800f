//! One suite over every catalog: SQLite, PostgreSQL and the Iceberg project's REST server. PyIceberg works on the same
//! tables, and after each step it and DuckDB count every row.

mod answers;
mod delivery;
mod history;
mod neighbours;
mod world;

pub use world::{counted, source};

/// Makes a test of each behaviour on each catalog.
macro_rules! on_every_catalog {
    ($($module:ident::$behaviour:ident,)*) => {
        on_every_catalog!(@ sqlite Sqlite $($module::$behaviour,)*);
        on_every_catalog!(@ postgres Postgres $($module::$behaviour,)*);
        on_every_catalog!(@ rest Rest $($module::$behaviour,)*);
    };
    (@ $catalog:ident $kind:ident $($module:ident::$behaviour:ident,)*) => {
        mod $catalog {
            use super::*;
            $(
                #[tokio::test]
                async fn $behaviour() {
                    $module::$behaviour(&world::World::new(world::Kind::$kind).await).await;
                }
            )*
        }
    };
}

on_every_catalog! {
    delivery::a_first_request_makes_the_table_and_a_redelivery_adds_nothing,
    delivery::namespaces_have_levels,
    delivery::two_processes_with_overlapping_requests_write_each_object_once,
    neighbours::a_table_that_pyiceberg_made_takes_both_writers_rows,
    neighbours::a_table_that_pyiceberg_dropped_is_begun_anew,
    neighbours::a_renamed_table_keeps_its_ledger,
    history::a_rollback_takes_its_objects_out_of_the_ledger,
    history::a_branch_may_raise_the_sequence_number_and_become_main,
    history::a_replaced_main_begins_a_new_ledger,
    history::expired_history_is_bridged_or_said,
}
