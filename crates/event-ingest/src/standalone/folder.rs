//! The data folder: what lies where, who may use it, and the two small files beside the databases.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::config::Credentials;

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
        let warehouse = folder.warehouse();
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

    /// Where tables are written.
    #[must_use]
    pub fn warehouse(&self) -> PathBuf {
        self.root.join("warehouse")
    }

    /// The SQLite file of the Iceberg catalog.
    #[must_use]
    pub fn catalog(&self) -> PathBuf {
        self.root.join("catalog.db")
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
        self.write_private("endpoint.json", endpoint)
    }

    /// Takes that back.
    ///
    /// # Errors
    /// What the file system says.
    pub fn retract_endpoint(&self) -> Result<(), FolderError> {
        let path = self.root.join("endpoint.json");
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
