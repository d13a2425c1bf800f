//! What may be done here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What may be done here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Abilities {
    /// Changes that this plant can make.
    pub changes: Vec<Ability>,
    /// Where an upload goes, if [`Ability::Upload`] is among the changes.
    pub upload: Option<UploadTarget>,
}

/// A change that a plant may be able to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    /// Request objects of the quarantine again.
    RetryQuarantined,
    /// Send dead letters back.
    Redrive,
    /// Let a heavy request that was given up try again.
    RetryHeavy,
    /// End a heavy request.
    CancelHeavy,
    /// Take a file.
    Upload,
}

/// Where an upload goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadTarget {
    /// The bucket.
    pub bucket: String,
    /// Largest file in bytes.
    pub max_bytes: u64,
}

/// What the sender of a request may do here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Permissions {
    /// What may be done here at all.
    pub abilities: Abilities,
    /// Nothing can be changed: this server was given no token.
    pub read_only: bool,
    /// The request showed the right token.
    pub admitted: bool,
}
