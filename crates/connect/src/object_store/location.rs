use std::path::PathBuf;

use lapwing_vocabulary::PortError;

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// Everything under `prefix` in a bucket; no slash at either end.
    S3 { bucket: String, prefix: String },
    /// Everything under `path`, with the name node, or name service, that has it.
    Hdfs { authority: String, path: String },
}

impl Location {
    /// Reads `s3://bucket/prefix`, `hdfs://host:port/path` or `file:///path`.
    pub(super) fn parse(url: &str) -> Result<Self, PortError> {
        let wrong = |why: &str| Err(PortError::Operator(format!("state location: {why}; {FORMS}")));
        let Some((scheme, rest)) = url.split_once("://") else {
            return wrong("it is no URL");
        };
        // Not shown with the URL: what stands before an @ or in a query may be a secret.
        if rest.contains(['@', '?', '#']) {
            return wrong("`@`, `?` and `#` have no place in it: credentials come from the environment");
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let inner = path.trim_matches('/').to_owned();
        if inner.split('/').any(|part| part == "." || part == "..") {
            return wrong("`.` and `..` have no place in it");
        }
        match scheme {
            "s3" if authority.is_empty() => wrong("the bucket is missing"),
            "s3" => Ok(Self::S3 { bucket: authority.to_owned(), prefix: inner }),
            "hdfs" if authority.is_empty() => wrong("the name node is missing"),
            "hdfs" => Ok(Self::Hdfs { authority: authority.to_owned(), path: inner }),
            "file" if !matches!(authority, "" | "localhost") || path.is_empty() => wrong("a file URL names a folder"),
            "file" => Ok(Self::Folder(PathBuf::from(format!("/{path}")))),
            _ => wrong(&format!("nothing is known of `{scheme}://`")),
        }
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Folder(path) => path.display().to_string(),
            Self::S3 { bucket, prefix } => format!("s3://{bucket}/{prefix}"),
            Self::Hdfs { authority, path } => format!("hdfs://{authority}/{path}"),
        }
    }
}

const FORMS: &str = "give s3://BUCKET/PREFIX, hdfs://HOST:PORT/PATH or file:///PATH";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_url_is_read_and_shown() {
        let cases = [
            ("s3://bucket/a/b/", "s3://bucket/a/b"),
            ("s3://bucket", "s3://bucket/"),
            ("hdfs://node:8020/state", "hdfs://node:8020/state"),
            ("file:///var/state", "/var/state"),
        ];
        for (url, shown) in cases {
            assert_eq!(Location::parse(url).unwrap().describe(), shown, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused_with_the_forms_there_are_and_without_secrets() {
        for url in ["/var/state", "s3:///p", "hdfs:///p", "gs://b", "file://host/p", "s3://k:hunter2@b", "s3://b/../c"]
        {
            let Err(PortError::Operator(text)) = Location::parse(url) else { panic!("{url} was taken") };
            assert!(text.contains("s3://BUCKET/PREFIX") && !text.contains("hunter2"), "{text}");
        }
    }
}
