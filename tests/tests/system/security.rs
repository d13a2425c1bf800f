//! Dispatcher and worker over listeners as Strimzi offers them: TLS, mutual TLS, SCRAM-SHA-512 and OAUTHBEARER. With the
//! right credentials rows arrive; with wrong ones a service says what is wrong and is not ready.

use testkit::kafka::{Access, SecuredKafka};
use testkit::notifications::Producer;
use testkit::{Program, eventually, paths};

use crate::bucket::{Lakehouse, Standalone, Stored, WITHIN};
use crate::pipeline::Pipeline;

type Settings = Vec<(String, String)>;

async fn rows_arrive(access: Access) {
    let secured = SecuredKafka::shared().await;
    let kafka = secured.plain();
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &[]).await;
    let lakehouse = Lakehouse::new();
    let pipeline = Pipeline::over(kafka, secured.settings(access)).await;
    let stored = Stored::put(&bucket, "incoming/a.parquet", &paths::example_files()[0]).await;
    let announced = Producer::Ceph.created(&stored.object(&bucket.endpoint.bucket));
    kafka.send(&pipeline.events, announced).await;
    kafka.send(&pipeline.events, "this is no notification").await;

    let dispatcher = pipeline.dispatcher(&["--batch-max-wait", "100ms"]).await;
    let worker = pipeline.worker(&bucket, &lakehouse).await;
    let answers = pipeline.answers().await;
    assert_eq!(answers.iter().map(|answer| answer.files_processed).sum::<u64>(), 1, "{answers:?}");
    lakehouse.reader("db.flights").assert_holds(&[&stored.source]).await;
    assert_eq!(kafka.records(&pipeline.dead).await.len(), 1);
    if access == Access::OAuth {
        // Each of the consumers and producers asks anew before its token ends.
        let issued = secured.tokens_issued();
        eventually("tokens are asked for again", WITHIN, async || {
            (secured.tokens_issued() > issued).then_some(())
        })
        .await;
    }
    for program in [dispatcher.program, worker] {
        assert!(!program.log().contains(SecuredKafka::SECRET), "a secret is in the log");
        let status = program.terminate().await;
        assert!(status.success(), "{status}");
    }
    bucket.stop().await;
}

#[tokio::test]
async fn over_tls() {
    rows_arrive(Access::Tls).await;
}

#[tokio::test]
async fn over_mutual_tls() {
    rows_arrive(Access::MutualTls).await;
}

#[tokio::test]
async fn over_scram() {
    rows_arrive(Access::Scram).await;
}

#[tokio::test]
async fn over_oauth() {
    rows_arrive(Access::OAuth).await;
}

/// These settings, one of them another.
fn but(mut settings: Settings, name: &str, value: &str) -> Settings {
    settings.retain(|(setting, _)| setting != name);
    settings.push((name.to_owned(), value.to_owned()));
    settings
}

/// The same without one.
fn without(mut settings: Settings, names: &[&str]) -> Settings {
    settings.retain(|(setting, _)| !names.contains(&setting.as_str()));
    settings
}

/// Waits until a service that cannot do its work says so, and why.
async fn says(mut program: Program, reason: &str) {
    let url = program.listening().await;
    let what = format!("/readyz says {reason:?}");
    eventually(&what, WITHIN, async || {
        let answer = reqwest::get(format!("{url}/readyz")).await.unwrap();
        let status = answer.status();
        assert!(!status.is_success(), "it is ready");
        let text = answer.text().await.unwrap();
        text.contains(reason).then_some(())
    })
    .await;
    assert!(!program.log().contains(SecuredKafka::SECRET), "a secret is in the log");
    let status = program.terminate().await;
    assert!(status.success(), "it ends when told to: {status}");
}

#[tokio::test]
async fn wrong_credentials_are_named() {
    let secured = SecuredKafka::shared().await;
    let kafka = secured.plain();
    let other_ca = secured.file("other-ca.crt").display().to_string();
    let scram = secured.settings(Access::Scram);
    let oauth = secured.settings(Access::OAuth);
    let wrong_password =
        but(without(scram.clone(), &["KAFKA_SASL_PASSWORD_FILE"]), "KAFKA_SASL_PASSWORD", "wrong");
    let wrong_secret = without(oauth.clone(), &["KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET_FILE"]);
    let wrong_secret = but(wrong_secret, "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", "wrong");
    let no_certificate = without(
        secured.settings(Access::MutualTls),
        &["KAFKA_SSL_CERTIFICATE_LOCATION", "KAFKA_SSL_KEY_LOCATION"],
    );
    let cases = [
        (wrong_password, "invalid credentials"),
        (but(scram.clone(), "KAFKA_SSL_CA_LOCATION", &other_ca), "certificate verify failed"),
        (no_certificate, "alert"),
        (wrong_secret, "invalid_client"),
        (but(oauth, "KAFKA_HTTPS_CA_LOCATION", &other_ca), "issuer certificate"),
        (but(scram, "KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"), "another security.protocol"),
        (secured.settings_of_stranger(), "has no rights"),
    ];
    let dispatchers = cases.map(async |(settings, reason)| {
        let pipeline = Pipeline::over(kafka, settings).await;
        says(pipeline.start(&["--ready-timeout", "3s", "--shutdown-timeout", "1s"]), reason).await;
    });
    futures::future::join_all(dispatchers).await;
}

#[tokio::test]
async fn a_worker_names_wrong_credentials() {
    let secured = SecuredKafka::shared().await;
    let lakehouse = Lakehouse::new();
    let scram = without(secured.settings(Access::Scram), &["KAFKA_SASL_PASSWORD_FILE"]);
    let pipeline = Pipeline::over(secured.plain(), but(scram, "KAFKA_SASL_PASSWORD", "wrong")).await;
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &[]).await;
    says(pipeline.start_worker(&bucket, &lakehouse), "invalid credentials").await;
    bucket.stop().await;
}

#[tokio::test]
async fn settings_are_shown_without_secrets() {
    let secured = SecuredKafka::shared().await;
    for access in Access::ALL {
        let settings = secured.settings(access);
        let (status, shown) = Program::start("dispatcher", ["--print-config"], settings).exited().await;
        assert!(status.success(), "{shown}");
        assert!(!shown.contains(SecuredKafka::SECRET), "{shown}");
        assert!(shown.contains("kafka.ssl.ca.location = "), "{shown}");
    }
}
