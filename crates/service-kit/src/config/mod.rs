//! Helpers over clap: value parsers, passed-through properties, and the listing behind `--print-config`.

mod environment;
mod parse;
mod print;
mod properties;

pub use environment::variables;
pub use parse::{
    byte_size, duration, key_value, number, number_from_one_to, positive, socket_address, some_time,
};
pub use print::print_config;
pub use properties::{Origin, Property, is_secret, key_values, mask};
