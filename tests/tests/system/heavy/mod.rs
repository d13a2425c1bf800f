//! The heavy path with real Spark: whoever dies, repeats or interferes, each row is in the table once.

mod batch;
mod killed;
mod maintained;
mod overlap;
mod set_aside;
mod without_spark;
mod world;
