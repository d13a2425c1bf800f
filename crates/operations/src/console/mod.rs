//! The page: plain HTML, a style sheet and a few modules, in the program itself. Nothing is built, nothing is fetched
//! from elsewhere.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};

/// The page itself.
const PAGE: &str = include_str!("page/index.html");

/// What it loads: name, type, content.
const PARTS: &[(&str, &str, &str)] = &[
    ("style.css", CSS, include_str!("page/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("theme.js", JS, include_str!("page/theme.js")),
    ("app.js", JS, include_str!("page/app.js")),
    ("api.js", JS, include_str!("page/api.js")),
    ("dom.js", JS, include_str!("page/dom.js")),
    ("format.js", JS, include_str!("page/format.js")),
    ("flow.js", JS, include_str!("page/flow.js")),
    ("glance.js", JS, include_str!("page/glance.js")),
    ("files.js", JS, include_str!("page/files.js")),
    ("story.js", JS, include_str!("page/story.js")),
    ("aside.js", JS, include_str!("page/aside.js")),
    ("heavy.js", JS, include_str!("page/heavy.js")),
    ("upload.js", JS, include_str!("page/upload.js")),
];
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// `/`, and `/console/…` for what the page loads.
pub fn router() -> Router {
    Router::new().route("/", get(page)).route("/console/{part}", get(part))
}

async fn page() -> Response {
    answer("text/html; charset=utf-8", PAGE)
}

async fn part(Path(name): Path<String>) -> Response {
    match PARTS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, content)) => answer(kind, content),
        None => (StatusCode::NOT_FOUND, "the page has no such part\n").into_response(),
    }
}

/// Of another version after an upgrade: asked for each time.
fn answer(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a page may weigh that is loaded over a slow line into a pocket.
    const MAX_BYTES: usize = 80_000;

    #[test]
    fn it_is_small_and_refers_to_nothing_elsewhere() {
        let contents: Vec<&str> = std::iter::once(PAGE).chain(PARTS.iter().map(|part| part.2)).collect();
        assert!(contents.iter().map(|content| content.len()).sum::<usize>() < MAX_BYTES);
        for content in contents {
            let elsewhere = content.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{content}");
        }
    }

    #[test]
    fn strangers_texts_never_become_markup() {
        for (name, _, content) in PARTS {
            for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!content.contains(way), "{name} has {way}");
            }
        }
    }

    #[test]
    fn every_part_that_is_named_is_there() {
        for content in std::iter::once(PAGE).chain(PARTS.iter().map(|part| part.2)) {
            let named =
                content.split("/console/").skip(1).map(|rest| rest.split(['"', '\'']).next().unwrap());
            let imported = content.split("from \"./").skip(1).map(|rest| rest.split('"').next().unwrap());
            for name in named.chain(imported) {
                assert!(PARTS.iter().any(|(known, ..)| *known == name), "{name}");
            }
        }
    }
}
