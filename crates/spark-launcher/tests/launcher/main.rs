//! The service over a real socket, its records in a folder, with a table and a Spark that answer as the test says.

mod config;
mod fakes;
mod inline;
mod requests;
mod scans;
mod simulation;
