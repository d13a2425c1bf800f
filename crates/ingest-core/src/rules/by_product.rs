//! Objects that are never data.

use crate::ObjectUri;

/// The folder of Hadoop's committers for what is not committed yet.
const TEMPORARY: &str = "_temporary";

/// Why an object is no data by the conventions of Hadoop, Spark and S3 browsers; `None` if it may be.
pub(super) fn by_product(uri: &ObjectUri, size: Option<u64>) -> Option<&'static str> {
    let name = uri.file_name();
    // Splitting costs more than all else here, and next to no key needs it.
    if uri.key().contains(TEMPORARY) && uri.key().split('/').any(|segment| segment == TEMPORARY) {
        Some("temporary")
    } else if name.is_empty() && size.unwrap_or(0) == 0 {
        Some("folder-marker")
    } else if name.starts_with('_') {
        Some("underscore-name")
    } else if name.starts_with('.') && name != "." && name != ".." {
        // Keys that end in a dot segment cannot be addressed: the worker sets them aside with that reason.
        Some("hidden-name")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_products_of_writers_are_known() {
        for (key, expected) in [
            ("out/_SUCCESS", Some("underscore-name")),
            ("out/_temporary/0/part.parquet", Some("temporary")),
            ("_temporary/x", Some("temporary")),
            ("out/.part.crc", Some("hidden-name")),
            ("out/", Some("folder-marker")),
            ("", Some("folder-marker")),
            ("_in/a.parquet", None),
            ("my_temporary/a.parquet", None),
            ("a/..", None),
        ] {
            assert_eq!(by_product(&ObjectUri::new("b", key).unwrap(), None), expected, "{key}");
        }
        assert_eq!(by_product(&ObjectUri::new("b", "out/").unwrap(), Some(1)), None);
    }
}
