//! From one value's text to one typed cell, or to the reason why not; and back: which type a text shows.

mod leaf;
mod number;
mod seen;
mod times;

pub(super) use leaf::Leaf;
pub(super) use seen::Seen;
pub(super) use times::Times;
