//! The variables of this process.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The environment variables whose names and values are text. Others are none of ours, and no reason to fail.
#[must_use]
pub fn variables() -> BTreeMap<String, String> {
    texts(std::env::vars_os())
}

fn texts(all: impl IntoIterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    all.into_iter().filter_map(text).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn what_is_no_text_is_left_out() {
        let odd = || OsString::from_vec(vec![0xff]);
        let all = [("A".into(), "1".into()), ("B".into(), odd()), (odd(), "2".into())];
        assert_eq!(texts(all), BTreeMap::from([("A".to_owned(), "1".to_owned())]));
    }
}
