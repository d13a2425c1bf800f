//! The listing behind `--print-config`: every effective value with where it came from, secrets masked.

use std::io::{self, Write};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::properties::{Origin, Property, mask};

/// Writes one line for each setting of the command and for each passed-through property.
///
/// `extra` names those properties as they should appear, such as `kafka.security.protocol`. One that has the name of
/// a flag stands in its place.
/// Arguments with `hide_env_values`, and properties that [`super::is_secret`] knows by name, are masked.
pub fn print_config(
    command: &Command,
    matches: &ArgMatches,
    extra: &[(String, Property)],
    out: &mut dyn Write,
) -> io::Result<()> {
    for arg in command.get_arguments() {
        let name = arg.get_long().unwrap_or(arg.get_id().as_str());
        let elsewhere = extra.iter().any(|(property, _)| property == name);
        if elsewhere || ["help", "version", "print-config"].contains(&name) {
            continue;
        }
        let value = shown_value(arg, matches);
        writeln!(out, "{name} = {value}  # {}", origin(arg, matches))?;
    }
    for (name, property) in extra {
        writeln!(out, "{name} = {}  # {}", mask(name, &property.value), property.origin)?;
    }
    Ok(())
}

fn shown_value(arg: &Arg, matches: &ArgMatches) -> String {
    let Ok(Some(values)) = matches.try_get_raw(arg.get_id().as_str()) else {
        return "(unset)".to_owned();
    };
    if arg.is_hide_env_values_set() {
        return "****".to_owned();
    }
    let shown = values.map(|value| {
        let value = value.to_string_lossy();
        match value.split_once('=') {
            Some((key, rest)) => format!("{key}={}", mask(key, rest)),
            None => mask("", &value),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn origin(arg: &Arg, matches: &ArgMatches) -> Origin {
    match matches.value_source(arg.get_id().as_str()) {
        Some(ValueSource::EnvVariable) => {
            Origin::Env(arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
        }
        Some(ValueSource::CommandLine) => Origin::Flag,
        _ => Origin::Default,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, CommandFactory, FromArgMatches, Parser};

    use super::*;
    use crate::config::key_value;

    #[derive(Parser)]
    struct Example {
        #[arg(long, default_value = "8080")]
        port: u16,
        #[arg(long, hide_env_values = true)]
        api_secret: Option<String>,
        #[arg(long)]
        topic: Option<String>,
        #[arg(long = "kafka", value_parser = key_value)]
        kafka: Vec<(String, String)>,
        #[command(flatten)]
        more: More,
    }

    #[derive(Args)]
    struct More {
        #[arg(long, default_value = "5s")]
        delay: String,
    }

    #[test]
    fn every_value_is_listed_with_its_origin_and_secrets_are_masked() {
        let command = Example::command();
        let line = [
            "example",
            "--port",
            "1",
            "--api-secret",
            "hunter2",
            "--kafka",
            "sasl.password=hunter2",
            "--kafka",
            "acks=all",
        ];
        let matches = command.clone().get_matches_from(line);
        let parsed = Example::from_arg_matches(&matches).expect("valid arguments");
        assert_eq!((parsed.port, parsed.more.delay.as_str(), parsed.topic), (1, "5s", None));
        assert_eq!((parsed.kafka.len(), parsed.api_secret.as_deref()), (2, Some("hunter2")));

        let from_env = |value: &str| Property { value: value.into(), origin: Origin::Env("X".into()) };
        let extra = [
            ("kafka.sasl.password".to_owned(), from_env("hunter2")),
            ("kafka.sasl.oauthbearer.client.secret".to_owned(), from_env("hunter2")),
            ("kafka.ssl.key.pem".to_owned(), from_env("hunter2")),
            ("kafka.ssl.key.password".to_owned(), from_env("hunter2")),
            ("catalog.uri".to_owned(), from_env("u")),
        ];
        let mut out = Vec::new();
        print_config(&command, &matches, &extra, &mut out).expect("written to memory");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(!text.contains("hunter2"), "{text}");
        for line in [
            "port = 1  # flag",
            "api-secret = ****  # flag",
            "topic = (unset)  # default",
            "kafka = sasl.password=****, acks=all  # flag",
            "delay = 5s  # default",
            "kafka.sasl.password = ****  # env X",
            "catalog.uri = u  # env X",
        ] {
            assert!(text.lines().any(|l| l == line), "missing {line:?} in\n{text}");
        }
    }
}
