//! Behaviour of the contract and the rules, through the public interface.
#![cfg(test)]

mod backpressure;
mod batching;
mod golden;
mod keys;
mod notifications;
mod request;
mod route_limits;
mod rules;
