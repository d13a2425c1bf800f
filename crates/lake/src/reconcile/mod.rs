//! Bucket and ledger compared: which objects of a listing are not in the table, and why.
//!
//! A listing gives key, ETag, size and time, and no version id. The ledger knows an object by its version id where
//! the bucket has versions, by its ETag elsewhere. So an object is looked up by its listed ETag first, which costs no
//! request to the bucket and settles nearly all of a bucket without versions. Only what the ledger does not have
//! under that name is asked for its identity (HEAD): in a bucket without versions these are the objects that are to be
//! ingested anyway; in a bucket with versions it is every object, so there a reconciliation costs one HEAD an object.
//! Where a bucket was given versions after its objects were ingested, the entry under the ETag still stands for an
//! object: a version with the same bytes under the same key, put since, is left out.
//!
//! [`Candidate`] is the machine that decides about one object: it says what it has to know next, and then what is to
//! be done. [`abandoned`] finds the ledgers of snapshots that `main` has left behind.

mod abandoned;
mod candidate;

pub use abandoned::abandoned;
pub use candidate::{Answer, Candidate, Policy, Question, Step, Verdict};
