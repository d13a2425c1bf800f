//! Applications of the backend spark-operator as they go out, held against the definition that a cluster holds them
//! against. The same against a real API server: tests/tests/kube.
#![cfg(test)]

mod definition;
mod deployed;
mod golden;
