//! What the services export is what the documentation names.

use testkit::paths;

/// Asserts that every metric of ours on a service's page is in `docs/metrics.md`.
pub async fn assert_documented(url: &str) {
    let page = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    let exported: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_whitespace().next())
        .filter(|name| name.starts_with("event_ingest_"))
        .collect();
    assert!(!exported.is_empty(), "{url} exports no metric of ours:\n{page}");
    let documented = std::fs::read_to_string(paths::repository().join("docs/metrics.md")).unwrap();
    for name in exported {
        assert!(documented.contains(&format!("`{name}`")), "docs/metrics.md does not name {name}");
    }
}
