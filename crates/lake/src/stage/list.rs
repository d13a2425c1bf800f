//! Reading the list of a stage's objects: only from where jobs put them.

use ingest_core::staged::{MAX_STAGED_LIST_BYTES, Staged, StagedList};
use object_store::ObjectStoreExt;

use crate::error::{Error, Result};
use crate::ingest::Lake;
use crate::maintain::canonical;

/// The folder of lists below the heavy root.
const STAGES: &str = "stages";

impl Lake {
    /// The list that an event names, of the same request and table, with nothing in it that may not be read.
    ///
    /// # Errors
    /// It is elsewhere, too large, no list, another's, or its digest is not that of its objects; or the store does not
    /// answer.
    pub(crate) async fn staged_list(&self, staged: &Staged) -> Result<StagedList> {
        let url = &staged.objects;
        if !is_list(self.heavy_root(), &staged.request_id, url) {
            return Err(Error::forbidden(format!(
                "`{url}` is no file of `{}/{STAGES}/{}/`: give launcher, job and worker the same heavy root",
                self.heavy_root(),
                staged.request_id
            )));
        }
        let at = self.tables.stores.locate(url)?;
        let unread = |e| Error::unavailable(format!("cannot read `{url}`")).caused_by(e);
        let found = match at.store.get(&at.path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(Error::invalid(format!("there is no list at `{url}`")));
            }
            Err(e) => return Err(unread(e)),
        };
        if found.meta.size > MAX_STAGED_LIST_BYTES {
            return Err(Error::invalid(format!("`{url}` has more than {MAX_STAGED_LIST_BYTES} bytes")));
        }
        let bytes = found.bytes().await.map_err(unread)?;
        let list =
            StagedList::from_json(&bytes).map_err(|e| Error::invalid(format!("`{url}`")).caused_by(e))?;
        self.check_list(staged, &list)?;
        Ok(list)
    }

    fn check_list(&self, staged: &Staged, list: &StagedList) -> Result<()> {
        let url = &staged.objects;
        if (&list.request_id, &list.table) != (&staged.request_id, &staged.table) {
            return Err(Error::invalid(format!("`{url}` is the list of another request or table")));
        }
        if list.digest != list.computed_digest() {
            return Err(Error::invalid(format!("the digest in `{url}` is not that of its objects")));
        }
        if staged.stage.is_some() == list.staged.is_empty() {
            return Err(Error::invalid(format!(
                "`{url}` has {} staged objects, and the event a branch if, and only if, there are any",
                list.staged.len()
            )));
        }
        let staged = list.staged.iter().map(|staged| &staged.object);
        for object in staged.chain(list.rejected.iter().map(|rejected| &rejected.object)) {
            self.config
                .allow
                .check_source(&object.uri)
                .map_err(|e| Error::forbidden(format!("`{}` in `{url}`", object.uri)).caused_by(e))?;
        }
        Ok(())
    }
}

/// Whether a URL is that of a list of this request.
fn is_list(root: &str, request_id: &str, url: &str) -> bool {
    let folder = format!("{}/{STAGES}/{request_id}/", canonical(root));
    let url = canonical(url);
    let name = url.strip_prefix(&folder).and_then(|name| name.strip_suffix(".json"));
    name.is_some_and(|name| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_file_of_its_requests_folder() {
        let is = |url| is_list("file:///w/heavy", "r", url);
        for url in
            ["file:///w/heavy/stages/r/b.json", "file:/w/heavy/stages/r/b.json", "/w/heavy/stages/r/b.json"]
        {
            assert!(is(url), "{url}");
        }
        for url in [
            "file:///w/heavy/stages/r/../../x.json",
            "file:///w/heavy/stages/r/..json",
            "file:///w/heavy/stages/r/.json",
            "file:///w/heavy/stages/s/b.json",
            "file:///w/heavy/stages/r/b.txt",
            "file:///w/heavy/records/r/b.json",
            "s3://w/heavy/stages/r/b.json",
            "file:///w/heavy/stages/r/c/b.json",
        ] {
            assert!(!is(url), "{url}");
        }
        assert!(is_list("s3://b/heavy", "r", "s3a://b/heavy/stages/r/b.json"));
    }
}
