//! The backend spark-operator against a real Kubernetes API with the operator's own definition. No operator runs: what it
//! would say of an application, a test says.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails with the line that says so")]

mod attempts;
mod away;
mod deployed;
mod refused;
mod roles;
mod world;
