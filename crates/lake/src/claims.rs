//! One flight per object version and table in a process: whoever comes second waits, and then finds it in the
//! ledger, instead of reading and writing it again for nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use ingest_core::{ObjectIdentity, TableName};
use tokio::sync::Notify;

type Key = (TableName, ObjectIdentity);

/// What is being ingested now.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    held: Mutex<HashSet<Key>>,
    released: Notify,
}

/// Holds some object versions until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Arc<Claims>,
    keys: Vec<Key>,
}

impl Claims {
    /// Waits until none of the identities is held for the table, then holds all of them. All or none at a time:
    /// two requests that overlap cannot wait for each other.
    pub(crate) async fn acquire(self: &Arc<Self>, table: &TableName, identities: &[ObjectIdentity]) -> Claim {
        let keys: Vec<Key> = identities.iter().map(|identity| (table.clone(), identity.clone())).collect();
        loop {
            // Listening begins before looking, so that a release between the two is not missed.
            let released = self.released.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            {
                let mut held = self.lock();
                if keys.iter().all(|key| !held.contains(key)) {
                    held.extend(keys.iter().cloned());
                    return Claim { claims: self.clone(), keys };
                }
            }
            released.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.held.lock().expect("no code panics while it holds this lock")
    }
}

impl Claim {
    /// Whether all of these are held for the table.
    pub(crate) fn covers(&self, identities: &[ObjectIdentity]) -> bool {
        identities.iter().all(|identity| self.keys.iter().any(|(_, held)| held == identity))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = self.claims.lock();
        for key in &self.keys {
            held.remove(key);
        }
        drop(held);
        self.claims.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use ingest_core::ObjectVersion;

    use super::*;

    fn identity(key: &str) -> ObjectIdentity {
        ObjectIdentity {
            store: "s3".into(),
            bucket: "b".into(),
            key: key.into(),
            version: ObjectVersion::ETag("e".into()),
        }
    }

    #[tokio::test]
    async fn an_overlap_waits_and_other_tables_do_not() {
        let claims = Arc::new(Claims::default());
        let (one, two) = (TableName::parse("db.one").unwrap(), TableName::parse("db.two").unwrap());
        let first = claims.acquire(&one, &[identity("a"), identity("b")]).await;
        let _elsewhere = claims.acquire(&two, &[identity("a")]).await;
        let _apart = claims.acquire(&one, &[identity("c")]).await;

        let waiting = {
            let (claims, one) = (claims.clone(), one.clone());
            tokio::spawn(async move { claims.acquire(&one, &[identity("b"), identity("d")]).await })
        };
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "two flights of one object");
        // While it waits it holds nothing: what it also wants is free for others.
        drop(claims.acquire(&one, &[identity("d")]).await);
        drop(first);
        waiting.await.unwrap();
    }
}
