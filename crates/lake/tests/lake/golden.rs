//! The data of `dev.eventingest.quarantined.v1`, byte for byte: a change of it needs a new version.

use std::path::PathBuf;

use lake::quarantine::Notice;

#[test]
fn news_of_the_quarantine_version_1() {
    // Asked when it runs: a build that several clones share may come from one that is gone.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells tests where their package is");
    let golden = PathBuf::from(package).join("tests/golden/quarantined-v1.json");
    let golden = std::fs::read_to_string(golden).unwrap();
    let notice: Notice = serde_json::from_str(&golden).unwrap();
    assert_eq!(serde_json::to_string_pretty(&notice).unwrap(), golden.trim_end());
    assert_eq!(notice.id(), "e4d3e002ba57e2774ae4d66027710c7a08705819");
}
