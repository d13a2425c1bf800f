//! What the services export, and that the documentation names it.

use testkit::paths;

/// The value of one series, by its name and labels as they stand on the page; none while nothing was counted.
pub async fn metric(url: &str, series: &str) -> Option<f64> {
    let page = page(url).await;
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(value.parse().unwrap())
}

/// The values of all series that begin like this.
pub async fn metrics(url: &str, begin: &str) -> Vec<f64> {
    let page = page(url).await;
    let series = page.lines().filter(|line| line.starts_with(begin));
    series.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

async fn page(url: &str) -> String {
    reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap()
}

/// Asserts that every metric of ours on a service's page is in `docs/metrics.md`.
pub async fn assert_documented(url: &str) {
    let page = page(url).await;
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
