//! The heavy path with real Spark: whoever dies, repeats or interferes, each row is in the table once.

mod batch;
mod killed;
mod maintained;
mod operated;
mod over_kafka;
mod overlap;
mod records;
mod set_aside;
mod standalone;
mod v3;
mod without_spark;
mod world;
