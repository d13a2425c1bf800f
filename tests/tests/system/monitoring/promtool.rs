//! Each alert fires on the state that it is for, and on no other: `tests/alerts`, by promtool.

use std::fs::{copy, read_to_string, write};

use testkit::{paths, promtool};

use super::{names, rule_files};

#[test]
fn every_alert_fires_on_the_state_that_it_is_for_and_on_no_other() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rules) in rule_files() {
        write(folder.path().join(&name), &rules).unwrap();
        let test = paths::repository().join("tests/alerts").join(&name);
        let copied = format!("test-{name}");
        copy(&test, folder.path().join(&copied)).unwrap();
        for arguments in [["check", "rules", &name], ["test", "rules", &copied]] {
            let output = promtool(folder.path(), &arguments);
            let (said, failed) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "promtool {}:\n{said}{failed}", arguments.join(" "));
        }
        let tests = read_to_string(test).unwrap();
        assert!(tests.contains("name: all is well"), "{name}: no alert may fire on a healthy state");
        for alert in names(&rules) {
            let fires = format!("alertname=\"{alert}\"");
            assert!(tests.contains(&fires), "tests/alerts/{name}: {alert} is never seen to fire");
        }
    }
}
