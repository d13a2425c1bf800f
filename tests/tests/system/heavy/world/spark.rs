//! What is run by Spark, or by Iceberg, beside the launcher: a job by hand, maintenance, statements of SQL.

use std::fs::File;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use testkit::paths;

use super::{CATALOG, WITHIN, World, ledger_root};

impl World {
    /// Runs the job itself, as whoever submits it by hand.
    pub async fn job(&self, request: &Value) -> Output {
        self.submit("spark/main.py", &[&request.to_string()]).await
    }

    /// Runs all of Iceberg's maintenance, as hard as it goes.
    pub async fn maintain(&self) {
        // All files are two days old: what nobody names is not spared for its youth.
        age(self.folder.path());
        let output = self.submit("tests/spark/maintain.py", &[CATALOG, &self.table]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The table's name in SQL.
    pub fn path_in_spark(&self) -> String {
        format!("{CATALOG}.{}", self.table)
    }

    /// Runs statements of SQL in Spark, and returns the rows of the last one.
    pub async fn sql(&self, statements: &[&str]) -> Value {
        let output = self.submit("tests/spark/sql.py", statements).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let rows =
            said.lines().find_map(|line| line.strip_prefix("rows ")).expect("the script says the rows");
        serde_json::from_str(rows).unwrap()
    }

    /// Has an older release of Iceberg expire all snapshots that may go.
    pub async fn expire_by_older_release(&self) {
        let script = paths::repository().join("scripts/old-iceberg.sh");
        let at = self.folder.path().display();
        let (namespace, table) = self.table.split_once('.').expect("a namespace and a name");
        let (catalog, warehouse) = (format!("{at}/catalog.db"), format!("file://{at}/warehouse"));
        let mut command = tokio::process::Command::new(script);
        command.args(["expire", &catalog, &warehouse, CATALOG, namespace, table]).kill_on_drop(true);
        let output = tokio::time::timeout(WITHIN, command.output()).await.expect("Java ends").unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("iceberg 1.4.3"), "{said}");
    }

    async fn submit(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(&self.submit);
        command.args(["--master", "local[2,4]"]);
        for setting in self.spark_conf() {
            command.args(["--conf", &setting]);
        }
        command.arg(paths::repository().join(program)).args(arguments);
        let stages = format!("{}/heavy/stages", ledger_root(&self.folder));
        command.envs(self.job_environment()).env("STAGES_ROOT", stages).kill_on_drop(true);
        tokio::time::timeout(WITHIN, command.output()).await.expect("Spark ends").unwrap()
    }

    /// Has `event-ingest maintain` run Spark: its exit code, and all that it wrote.
    pub async fn maintain_by_command(&self, options: &[&str]) -> (i32, String) {
        let mut command = tokio::process::Command::new(paths::program("event-ingest"));
        command.args(["maintain", &self.table, "--spark-submit", &self.submit, "--spark-master", "local[2]"]);
        command.arg("--spark-job").arg(paths::repository().join("spark/event_ingest_job/maintenance.py"));
        for setting in self.spark_conf() {
            command.args(["--spark-conf", &setting]);
        }
        command.args(["--", "--catalog", CATALOG]).args(options);
        command.envs(self.job_environment()).kill_on_drop(true);
        let output = tokio::time::timeout(WITHIN, command.output()).await.expect("Spark ends").unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().expect("no signal ended it"), String::from_utf8_lossy(&said).into_owned())
    }

    /// What Spark is configured with.
    pub(super) fn spark_conf(&self) -> Vec<String> {
        let at = self.folder.path().display();
        let catalog = format!("spark.sql.catalog.{CATALOG}");
        let mut conf = vec![
            "spark.ui.enabled=false".to_owned(),
            "spark.driver.host=127.0.0.1".to_owned(),
            "spark.driver.bindAddress=127.0.0.1".to_owned(),
            "spark.driver.memory=1g".to_owned(),
            "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC".to_owned(),
            "spark.sql.shuffle.partitions=2".to_owned(),
            format!("spark.local.dir={at}/spark-local"),
            format!("spark.sql.warehouse.dir={at}/spark-warehouse"),
            "spark.sql.extensions=org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
                .to_owned(),
            format!("{catalog}=org.apache.iceberg.spark.SparkCatalog"),
        ];
        let property =
            |name: &str| self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        match property("warehouse") {
            Some(warehouse) => conf.extend([
                format!("{catalog}.type=jdbc"),
                format!("{catalog}.uri=jdbc:sqlite:{at}/catalog.db"),
                format!("{catalog}.jdbc.schema-version=V1"),
                format!("{catalog}.warehouse={warehouse}"),
            ]),
            None => conf.extend([
                format!("{catalog}.type=rest"),
                format!("{catalog}.uri={}", property("uri").expect("every catalog has one")),
            ]),
        }
        conf
    }
}

/// Makes all files below a folder two days older than now.
fn age(folder: &Path) {
    let time = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else if path
            .components()
            .any(|part| part.as_os_str() == "warehouse" || part.as_os_str() == "ledger")
        {
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
    }
}
