//! The data folder: what lies where, who may use it, and the two small files beside the databases.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::config::Credentials;

/// The SQLite file of the Iceberg catalog, and the folder of its tables.
const CATALOG: &str = "catalog.db";
const WAREHOUSE: &str = "warehouse";
/// What scripts need to know about a running server.
const ENDPOINT: &str = "endpoint.json";

/// The data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process works in it.
    #[error("{0} is in use by another event-ingest process; stop that one or give another --data")]
    InUse(PathBuf),
    /// A file in it cannot be read or written.
    #[error("{path}: {source}; check the path and its permissions")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file in it is not what this program wrote.
    #[error("{path} is damaged ({source}); delete it to have it made anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// No standalone instance ever worked in it.
    #[error("{0} is no data folder of a standalone instance: it has no {CATALOG}; check --data")]
    Foreign(PathBuf),
}

/// A data folder that this process alone may use, as long as this value lives.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    _lock: File,
}

/// What scripts need to know about a running server, as `endpoint.json` holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointFile {
    /// URL of the S3 endpoint.
    pub url: String,
    /// URL of health, metrics and activity.
    pub admin_url: String,
    /// Access key of the S3 endpoint.
    pub access_key: String,
    /// Secret key of the S3 endpoint.
    pub secret_key: String,
    /// Region that clients sign for.
    pub region: String,
    /// The bucket whose objects are ingested.
    pub bucket: String,
    /// The table that objects go to unless a route says otherwise.
    pub table: String,
    /// Name of the Iceberg catalog.
    pub catalog_name: String,
    /// URI of the Iceberg catalog, for PyIceberg.
    pub catalog_uri: String,
    /// Where the tables lie.
    pub warehouse: String,
    /// Process id of the server.
    pub pid: u32,
}

impl DataFolder {
    /// Opens or creates the folder, for this process alone.
    ///
    /// # Errors
    /// [`FolderError::InUse`], or what the file system says.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(at(path))?;
        let root = path.canonicalize().map_err(at(path))?;
        let lock_path = root.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse(root)),
            Err(TryLockError::Error(source)) => return Err(at(&lock_path)(source)),
        }
        let folder = Self { root, _lock: lock };
        let warehouse = folder.root.join(WAREHOUSE);
        fs::create_dir_all(&warehouse).map_err(at(&warehouse))?;
        // Of a process that was killed: nobody listens there any more.
        folder.retract_endpoint()?;
        Ok(folder)
    }

    /// The folder itself, as an absolute path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// URI of the Iceberg catalog.
    #[must_use]
    pub fn catalog_uri(&self) -> String {
        catalog_uri(&self.root)
    }

    /// The file of the Iceberg catalog.
    #[must_use]
    pub fn catalog_file(&self) -> PathBuf {
        self.root.join(CATALOG)
    }

    /// URI of the folder where tables are written.
    #[must_use]
    pub fn warehouse_uri(&self) -> String {
        warehouse_uri(&self.root)
    }

    /// The credentials that were generated when the folder was first used.
    ///
    /// # Errors
    /// [`FolderError::Damaged`], or what the file system says.
    pub fn credentials(&self) -> Result<Credentials, FolderError> {
        let path = self.root.join("credentials.json");
        match fs::read(&path) {
            Ok(found) => {
                serde_json::from_slice(&found).map_err(|source| FolderError::Damaged { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = generate();
                self.write_private("credentials.json", &made)?;
                Ok(made)
            }
            Err(source) => Err(at(&path)(source)),
        }
    }

    /// Tells scripts that the server is ready, and where.
    ///
    /// # Errors
    /// What the file system says.
    pub fn announce_endpoint(&self, endpoint: &EndpointFile) -> Result<(), FolderError> {
        self.write_private(ENDPOINT, endpoint)
    }

    /// Takes that back.
    ///
    /// # Errors
    /// What the file system says.
    pub fn retract_endpoint(&self) -> Result<(), FolderError> {
        let path = self.root.join(ENDPOINT);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(at(&path)(source)),
            _ => Ok(()),
        }
    }

    /// Writes a file that only its owner may read, all at once.
    fn write_private(&self, name: &str, content: &impl Serialize) -> Result<(), FolderError> {
        let path = self.root.join(name);
        let partial = self.root.join(format!("{name}.partial"));
        let write = || {
            match fs::remove_file(&partial) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&partial)?;
            serde_json::to_writer_pretty(&mut file, content)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&partial, &path)
        };
        write().map_err(at(&path))
    }
}

/// A folder as another process on the same machine sees it: it reads, and leaves the lock alone.
#[derive(Debug)]
pub struct Neighbour {
    root: PathBuf,
    endpoint: Option<EndpointFile>,
}

impl Neighbour {
    /// Looks at the folder of an instance, whether it runs or not.
    ///
    /// # Errors
    /// [`FolderError::Foreign`], [`FolderError::Damaged`], or what the file system says.
    pub fn look(path: &Path) -> Result<Self, FolderError> {
        let root = path.canonicalize().map_err(at(path))?;
        if !root.join(CATALOG).is_file() {
            return Err(FolderError::Foreign(root));
        }
        let path = root.join(ENDPOINT);
        let endpoint = match fs::read(&path) {
            Ok(found) => {
                Some(serde_json::from_slice(&found).map_err(|source| FolderError::Damaged { path, source })?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(at(&path)(source)),
        };
        Ok(Self { root, endpoint })
    }

    /// What its server says of itself while it runs.
    #[must_use]
    pub fn endpoint(&self) -> Option<&EndpointFile> {
        self.endpoint.as_ref()
    }

    /// Catalog and storage properties under Iceberg's names. The S3 endpoint is there only while the server runs.
    #[must_use]
    pub fn properties(&self) -> BTreeMap<String, String> {
        let mut pairs = vec![
            ("type", "sql".to_owned()),
            ("uri", catalog_uri(&self.root)),
            ("warehouse", warehouse_uri(&self.root)),
        ];
        if let Some(endpoint) = &self.endpoint {
            pairs.extend(endpoint.s3_properties());
        }
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl EndpointFile {
    /// How an S3 client reaches the server, under Iceberg's property names.
    #[must_use]
    pub fn s3_properties(&self) -> [(&'static str, String); 4] {
        [
            ("s3.endpoint", self.url.clone()),
            ("s3.region", self.region.clone()),
            ("s3.access-key-id", self.access_key.clone()),
            ("s3.secret-access-key", self.secret_key.clone()),
        ]
    }
}

fn catalog_uri(root: &Path) -> String {
    format!("sqlite:///{}", root.join(CATALOG).display())
}

fn warehouse_uri(root: &Path) -> String {
    format!("file://{}", root.join(WAREHOUSE).display())
}

fn at(path: &Path) -> impl Fn(io::Error) -> FolderError {
    move |source| FolderError::Io { path: path.to_owned(), source }
}

/// Keys in the usual lengths, from the system's random numbers.
fn generate() -> Credentials {
    let text = || format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    Credentials { access_key: text()[..20].to_uppercase(), secret_key: text()[..40].to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_process_is_kept_out_until_the_first_has_gone() {
        let place = tempfile::tempdir().unwrap();
        let first = DataFolder::open(place.path()).unwrap();
        assert!(matches!(DataFolder::open(place.path()), Err(FolderError::InUse(_))));
        drop(first);
        DataFolder::open(place.path()).unwrap();
    }

    #[test]
    fn credentials_are_generated_once_and_private() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(place.path()).unwrap();
        let made = folder.credentials().unwrap();
        assert_eq!((made.access_key.len(), made.secret_key.len()), (20, 40));
        assert_eq!(folder.credentials().unwrap(), made);
        let mode = fs::metadata(place.path().join("credentials.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn damaged_credentials_are_an_error_that_names_the_file() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(place.path()).unwrap();
        fs::write(place.path().join("credentials.json"), "{").unwrap();
        let error = folder.credentials().unwrap_err().to_string();
        assert!(error.contains("credentials.json") && error.contains("delete it"), "{error}");
    }

    #[test]
    fn the_endpoint_of_a_killed_process_is_retracted() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("endpoint.json"), "{}").unwrap();
        DataFolder::open(place.path()).unwrap();
        assert!(!place.path().join("endpoint.json").exists());
    }
}
