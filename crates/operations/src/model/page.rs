//! Bounded lists and counts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Some of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// What to give as `after` to get those that follow; `null` if these are the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A list that ends here.
    #[must_use]
    pub fn last(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// A number that was counted up to some bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// So many.
    pub number: u64,
    /// Or more: counting stopped here.
    pub at_least: bool,
}

impl Count {
    /// Counted to the end.
    #[must_use]
    pub fn exact(number: u64) -> Self {
        Self { number, at_least: false }
    }
}

impl std::ops::Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { number: self.number + other.number, at_least: self.at_least || other.at_least }
    }
}
