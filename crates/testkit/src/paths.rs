//! Where the files of the checkout are.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The root of the checkout whose tests run. A build may be shared by several clones, so it is asked at run time.
pub fn repository() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let package =
            std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells tests where their package is");
        let root = Path::new(&package).ancestors().find(|folder| folder.join("Cargo.lock").is_file());
        root.expect("a package of the workspace lies below its lock file").to_owned()
    });
    &ROOT
}

/// The definitions of other people's custom resources, a folder a project: `CRDS_DIR`, or beside the checkout. `None` is
/// nowhere; whoever asked says so.
pub fn crds() -> Option<PathBuf> {
    let named = std::env::var_os("CRDS_DIR").map(PathBuf::from);
    if let Some(folder) = &named {
        assert!(
            folder.join("spark-operator").is_dir(),
            "CRDS_DIR: {} holds no definitions",
            folder.display()
        );
    }
    named.or_else(|| Some(repository().join("../shared/crds")).filter(|beside| beside.is_dir()))
}

/// The Parquet files of `examples/data`, by name.
pub fn example_files() -> Vec<PathBuf> {
    let folder = repository().join("examples/data");
    let mut files: Vec<PathBuf> = folder
        .read_dir()
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", folder.display()))
        .map(|entry| entry.expect("a folder that opens can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no Parquet file", folder.display());
    files
}

/// A program of this workspace, as built for the profile that the running test was built for.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test knows its own path");
    // <target>/<profile>/deps/<test>
    let folder = test.ancestors().nth(2).expect("cargo puts tests two folders deep");
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing: run 'make build'", path.display());
    path
}
