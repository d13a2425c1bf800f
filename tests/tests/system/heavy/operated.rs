//! What a person sees of the heavy path, and may do about it: `event-ingest heavy` and `maintain`, beside running programs.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::Value;
use testkit::eventually;

use super::world::{Kind, WITHIN, World};

/// A `spark-submit` that does what a file says, line for line as a shell would.
struct Told {
    folder: tempfile::TempDir,
    world: World,
}

impl Told {
    async fn new() -> Self {
        let (folder, world) = (tempfile::tempdir().unwrap(), World::new(Kind::Sqlite).await);
        let told = Self { folder, world };
        let script = format!("#!/bin/sh\n. '{}'\n", told.path("told").display());
        std::fs::write(told.path("spark-submit"), script).unwrap();
        std::fs::set_permissions(told.path("spark-submit"), std::fs::Permissions::from_mode(0o755)).unwrap();
        told
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tell(&self, line: &str) {
        std::fs::write(self.path("told"), format!("{line}\n")).unwrap();
    }

    /// From now on it is the real one.
    fn tell_the_truth(&self) {
        let real = testkit::paths::repository().join("scripts/spark-submit.sh");
        self.tell(&format!("exec '{}' \"$@\"", real.display()));
    }

    async fn launcher(&self) -> super::world::Launcher {
        let program = self.path("spark-submit").display().to_string();
        self.world.launcher_with(&["--backend", "spark-submit", "--spark-submit", &program]).await
    }

    /// The state in which `heavy list` shows a request, and the command's exit code.
    async fn listed(&self, id: &str) -> (Option<String>, i32) {
        let (code, said) = self.world.operate(&["heavy", "list", "--output", "json"]).await;
        let mut lines = said.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        let line = lines.find(|line| line["record_id"] == id);
        (line.map(|line| line["state"].as_str().unwrap().to_owned()), code)
    }
}

#[tokio::test]
async fn a_request_that_was_given_up_is_seen_mended_and_let_try_again() {
    let told = Told::new().await;
    let world = &told.world;
    let (sources, files) = world.put_examples(2).await;
    // The job's own exit code for what no retry can mend.
    told.tell("echo the table is locked by hand; exit 2");
    let launcher = told.launcher().await;
    let id = launcher.take(world, &world.request(&files)).await;
    eventually("it is given up", WITHIN, async || {
        (told.listed(&id).await == (Some("failed".to_owned()), 3)).then_some(())
    })
    .await;

    let (code, text) = world.operate(&["heavy", "list", "--state", "failed"]).await;
    assert!(code == 3 && text.contains("the table is locked by hand"), "{code}: {text}");
    assert_eq!(world.operate(&["heavy", "list", "--state", "running"]).await, (0, String::new()));
    let (code, shown) = world.operate(&["heavy", "show", &id[..8]]).await;
    assert_eq!(code, 0, "{shown}");
    let log = format!("ingest-{id}-1/log below --spark-work-dir");
    for part in ["state     failed", "attempt   1  refused after", "exit code 2", &log, "heavy retry"] {
        assert!(shown.contains(part), "no {part:?}: {shown}");
    }
    assert!(
        !world.work_folder().join(format!("ingest-{id}-2")).exists(),
        "one attempt, for none can do better"
    );

    told.tell_the_truth();
    let (code, said) = world.operate(&["heavy", "retry", "--dry-run", "--all"]).await;
    assert!(code == 0 && said.contains("would try again"), "{code}: {said}");
    assert_eq!(told.listed(&id).await, (Some("failed".to_owned()), 3));
    let (code, said) = world.operate(&["heavy", "retry", &format!("ingest-{id}-1")]).await;
    assert!(code == 0 && said.contains("tries again"), "{code}: {said}");
    world.closed(&id).await;
    world.assert_holds(&sources).await;

    assert_eq!(told.listed(&id).await, (None, 0));
    let (code, said) = world.operate(&["heavy", "list", "--closed", "5"]).await;
    let line = said.lines().find(|line| line.contains(&id));
    assert!(code == 0 && line.is_some_and(|line| line.starts_with("done")), "{code}: {said}");
    let (_, shown) = world.operate(&["heavy", "show", &id]).await;
    let log = format!("ingest-{id}-2/log below --spark-work-dir");
    assert!(shown.contains("state     done") && shown.contains(&log), "{shown}");
    for wrong in [["heavy", "retry", &id], ["heavy", "show", "0123456789"]] {
        let (code, said) = world.operate(&wrong).await;
        assert!(code == 1 && said.contains("no "), "{wrong:?}: {code}: {said}");
    }
}

#[tokio::test]
async fn a_request_that_nobody_wants_is_ended_with_what_runs_for_it() {
    let told = Told::new().await;
    let world = &told.world;
    let (_, files) = world.put_examples(1).await;
    told.tell("echo $$ > \"$0.pid\"; exec sleep 3600");
    let launcher = told.launcher().await;
    let id = launcher.take(world, &world.request(&files)).await;
    assert_eq!(told.listed(&id).await, (Some("running".to_owned()), 0));
    let (code, said) = world.operate(&["heavy", "retry", &id]).await;
    assert!(code == 1 && said.contains("goes on by itself"), "{code}: {said}");
    let pid = eventually("the driver runs", WITHIN, async || {
        std::fs::read_to_string(told.path("spark-submit.pid")).ok()?.trim().parse::<u32>().ok()
    })
    .await;

    let (code, said) = world.operate(&["heavy", "cancel", "--dry-run", &id]).await;
    assert!(code == 0 && said.contains("would be cancelled"), "{code}: {said}");
    assert_eq!(told.listed(&id).await, (Some("running".to_owned()), 0));
    let (code, said) = world.operate(&["heavy", "cancel", &id]).await;
    assert!(code == 0 && said.contains("ends with the launcher's next scan"), "{code}: {said}");
    world.closed(&id).await;
    let running = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(!running.contains("sleep"), "process {pid} goes on");
    let (code, said) = world.operate(&["heavy", "show", &id]).await;
    assert!(
        code == 0 && said.contains("closed: cancelled") && said.contains("stopped after"),
        "{code}: {said}"
    );
    // What is in no table comes in by whoever sends it again.
    assert_eq!(world.light(&files).await["files_processed"], 1);
}

#[tokio::test]
async fn maintenance_by_command_harms_nothing_and_says_how_it_went() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(3).await;
    for file in &files {
        world.light(std::slice::from_ref(file)).await;
    }
    let (code, said) = world.maintain_by_command(&["--orphans-older-than", "1h"]).await;
    assert!(code == 2 && said.contains("at least 3 days"), "{code}: {said}");
    let (code, said) = world.maintain_by_command(&["--rewrite-option", "rewrite-all=true"]).await;
    assert_eq!(code, 0, "{said}");
    for procedure in ["rewrite_data_files", "rewrite_manifests", "expire_snapshots", "remove_orphan_files"] {
        let line = said.lines().find(|line| line.contains(&format!(r#""procedure": "{procedure}""#)));
        let line: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{said}"))).unwrap();
        assert!(line.get("error").is_none(), "{line}");
    }
    world.assert_holds(&sources).await;
    assert_eq!(world.light(&files).await["files_skipped"], 3);
}
