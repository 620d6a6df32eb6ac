use std::collections::BTreeMap;

use lapwing_state::LocalFolder;
use lapwing_vocabulary::PortError;
use object_store::path::Path;
use object_store::{Error, ObjectStore};
use tokio::runtime::{Builder, Runtime};

use super::fault::{Meaning, Secrets, meaning, remedy};
use super::location::Location;
use super::remote::Remote;

/// A store that was opened, or the folder that needs none.
type Opened = Result<Remote, LocalFolder>;

/// A client, and what it must not show.
type Client = (Box<dyn ObjectStore>, Secrets);

/// Opens what a URL names, and makes sure that it answers.
pub(super) fn open_remote(url: &str, options: &BTreeMap<String, String>) -> Result<Opened, PortError> {
    let location = Location::parse(url)?;
    let shown = location.describe();
    let wrong = |why: &str| PortError::Operator(format!("state location {shown}: {why}"));
    let (client, base) = match &location {
        Location::Folder(_) if !options.is_empty() => return Err(wrong("a folder has no options; leave them out")),
        Location::Folder(folder) => {
            let opened = LocalFolder::open(folder);
            return opened.map(Err).map_err(|error| PortError::Storage(error.to_string()));
        }
        Location::S3 { bucket, prefix } => (s3(bucket, options), prefix),
        Location::Hdfs { authority, path } => (hdfs(authority, options), path),
    };
    let (store, secrets) = client.map_err(|why| wrong(&why))?;
    let base = Path::parse(base).map_err(|error| wrong(&error.to_string()))?;
    let remote = Remote::new(store, base, shown.clone(), secrets, runtime().map_err(|why| wrong(&why))?);
    check(&remote)?;
    Ok(Ok(remote))
}

/// One thread suffices: it waits for the network.
fn runtime() -> Result<Runtime, String> {
    let built = Builder::new_multi_thread().worker_threads(1).thread_name("object-store").enable_all().build();
    built.map_err(|error| format!("start its thread: {error}"))
}

/// Lists the place once, so that a wrong bucket or credential is told at the start.
fn check(remote: &Remote) -> Result<(), PortError> {
    let error = match remote.wait(remote.store.list_with_delimiter(Some(&remote.base))) {
        Ok(_) => return Ok(()),
        Err(Error::NotFound { .. }) if remote.shown.starts_with("hdfs://") => return Ok(()),
        Err(error) => error,
    };
    let text = remote.secrets.hide(&error.to_string());
    let text = format!("open state location {}: {text}; {}", remote.shown, remedy(&error));
    Err(match meaning(&error) {
        Meaning::Missing | Meaning::Denied => PortError::Operator(text),
        Meaning::Unreachable => PortError::Unreachable(text),
    })
}

#[cfg(not(feature = "s3"))]
fn s3(_: &str, _: &BTreeMap<String, String>) -> Result<Client, String> {
    Err("this build knows no S3: build with `--features s3`".to_owned())
}

#[cfg(feature = "s3")]
fn s3(bucket: &str, options: &BTreeMap<String, String>) -> Result<Client, String> {
    use std::time::Duration;

    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
    use object_store::client::ClientConfigKey;
    use object_store::{BackoffConfig, RetryConfig};

    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    for (name, value) in options {
        let key = name.parse::<AmazonS3ConfigKey>().map_err(|_| unknown_option(name))?;
        builder = builder.with_config(key, value);
    }
    let given = |builder: &AmazonS3Builder, key| builder.get_config_value(&key).is_some_and(|value| !value.is_empty());
    // A request carries at most one part.
    let limits = [(ClientConfigKey::Timeout, "30 seconds"), (ClientConfigKey::ConnectTimeout, "5 seconds")];
    for (key, value) in limits.map(|(key, value)| (AmazonS3ConfigKey::Client(key), value)) {
        if !given(&builder, key) {
            builder = builder.with_config(key, value);
        }
    }
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint).unwrap_or_default();
    let http = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    if endpoint.starts_with("http://") && http.is_none_or(|allowed| allowed != "true") {
        return Err("its endpoint is http://, which is not encrypted: use https://, or set `allow_http` to \"true\" \
                    (AWS_ALLOW_HTTP=true)"
            .to_owned());
    }
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() };
    let retry = RetryConfig { backoff, max_retries: 6, retry_timeout: Duration::from_secs(60) };
    let hidden = [AmazonS3ConfigKey::AccessKeyId, AmazonS3ConfigKey::SecretAccessKey, AmazonS3ConfigKey::Token];
    let secrets = Secrets(hidden.iter().filter_map(|key| builder.get_config_value(key)).collect());
    let store = builder.with_retry(retry).build().map_err(|error| secrets.hide(&error.to_string()))?;
    Ok((Box::new(store), secrets))
}

#[cfg(feature = "s3")]
fn unknown_option(name: &str) -> String {
    let usual = ["region", "endpoint", "allow_http", "virtual_hosted_style_request", "unsigned_payload", "timeout"];
    let scored = usual.map(|known| (strsim::jaro_winkler(name, known), known));
    let near = scored.into_iter().filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    let near = near.map(|(_, known)| format!("; did you mean `{known}`?")).unwrap_or_default();
    format!("S3 has no option `{name}`{near}")
}

#[cfg(not(feature = "hdfs"))]
fn hdfs(_: &str, _: &BTreeMap<String, String>) -> Result<Client, String> {
    Err("this build knows no HDFS: build with `--features hdfs`".to_owned())
}

#[cfg(feature = "hdfs")]
fn hdfs(authority: &str, options: &BTreeMap<String, String>) -> Result<Client, String> {
    let builder = hdfs_native_object_store::HdfsObjectStoreBuilder::new().with_url(format!("hdfs://{authority}"));
    let store = builder.with_config(options.clone()).build().map_err(|error| error.to_string())?;
    Ok((Box::new(store), Secrets::default()))
}
