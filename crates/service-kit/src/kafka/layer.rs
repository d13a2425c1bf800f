//! The properties that one source gives, the environment or the command line: as values, or as files that hold them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::policy::ALIASES;
use super::properties::PropertyError;
use crate::config::{Origin, Property};

/// A name that ends in this, and that librdkafka has not, names the file that holds the value.
const FILE_SUFFIX: &str = ".file";

/// A longer file holds no property; a chain of certificates takes some ten thousand bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// What one source gives: the environment, or the command line.
#[derive(Default)]
pub(super) struct Layer(pub BTreeMap<String, Property>);

impl Layer {
    /// Takes a value, or reads it from its file. Of one name a source gives one: which of two would win, nobody knows.
    pub fn add(&mut self, name: &str, value: String, origin: Origin) -> Result<(), PropertyError> {
        let (name, value) = match file_of(name) {
            Some(name) => (canonical(name), read(name, value, &origin)?),
            None => (canonical(name), value),
        };
        let given = Property { value, origin: origin.clone() };
        match self.0.insert(name.clone(), given) {
            // A flag that is repeated goes over itself, as ever.
            Some(earlier) if earlier.origin != Origin::Flag => {
                Err(PropertyError::Twice { name, first: earlier.origin, second: origin })
            }
            _ => Ok(()),
        }
    }
}

/// The property whose value a file of this name's holds, if that is what the name means.
pub(super) fn file_of(name: &str) -> Option<&str> {
    let property = name.strip_suffix(FILE_SUFFIX)?;
    (!is_known(name) && is_known(&canonical(property))).then_some(property)
}

/// The text of the file, without the line's end that editors leave there.
fn read(name: &str, path: String, origin: &Origin) -> Result<String, PropertyError> {
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
    let read = read.and_then(|bytes| match bytes as u64 {
        0..=MAX_FILE_BYTES => Ok(()),
        _ => Err(io::Error::other(format!("it is longer than {MAX_FILE_BYTES} bytes"))),
    });
    match read {
        Ok(()) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(source) => {
            Err(PropertyError::File { name: name.to_owned(), origin: origin.clone(), path, source })
        }
    }
}

fn canonical(name: &str) -> String {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, canonical)| canonical).to_owned()
}

/// Whether librdkafka has a property of this name: any complaint but "unknown" is about the value.
pub(super) fn is_known(name: &str) -> bool {
    !matches!(
        ClientConfig::new().set(name, "").create_native_config().err(),
        Some(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..))
    )
}
