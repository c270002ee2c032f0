//! What a URL of a store says.

use std::fmt;

use sync_tracker_core::{Error, Result};

/// Where a store is, as URLs that the driver knows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Server(String),
    Sentinel {
        sentinels: Vec<String>,
        /// A URL with what all servers have in common; its host is none.
        server: String,
        master: String,
    },
    Cluster(Vec<String>),
}

impl Address {
    /// Does not repeat the URL, which may have a password.
    pub(crate) fn invalid() -> Error {
        Error::invalid(
            "URL",
            "is of no Redis server",
            "redis://host, redis-sentinel://host,host/master, redis-cluster://host,host",
        )
    }

    pub(crate) fn parse(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").ok_or_else(Self::invalid)?;
        let (word, kind) = scheme.split_once('-').unwrap_or((scheme, ""));
        if !matches!(word, "redis" | "rediss") {
            return Err(Self::invalid());
        }
        let (user, hosts) = match rest.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), rest),
        };
        let (hosts, path) = hosts.split_once('/').unwrap_or((hosts, ""));
        let urls = |user: &str| -> Result<Vec<String>> {
            let url = |host: &str| {
                if host.is_empty() {
                    return Err(Self::invalid());
                }
                Ok(format!("{word}://{user}{host}/"))
            };
            hosts.split(',').map(url).collect()
        };
        match kind {
            "" if !scheme.ends_with('-') => Ok(Self::Server(url.into())),
            "cluster" if path.is_empty() => Ok(Self::Cluster(urls(&user)?)),
            "sentinel" if !path.is_empty() => Ok(Self::Sentinel {
                sentinels: urls("")?,
                server: format!("{word}://{user}server/"),
                master: path.into(),
            }),
            _ => Err(Self::invalid()),
        }
    }

    pub(crate) fn is_by_tls(&self) -> bool {
        let url = match self {
            Self::Server(url) | Self::Sentinel { server: url, .. } => Some(url),
            Self::Cluster(urls) => urls.first(),
        };
        url.is_some_and(|url| url.starts_with("rediss:"))
    }
}

/// Without user and password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |url: &String| {
            let rest = url.split_once("://").map_or("", |(_, rest)| rest);
            rest.rsplit_once('@').map_or(rest, |(_, host)| host).to_owned()
        };
        match self {
            Self::Server(url) => f.debug_tuple("Server").field(&host(url)).finish(),
            Self::Sentinel { sentinels, server: _, master } => {
                let sentinels: Vec<_> = sentinels.iter().map(host).collect();
                f.debug_tuple("Sentinel").field(&sentinels).field(master).finish()
            }
            Self::Cluster(urls) => {
                f.debug_tuple("Cluster").field(&urls.iter().map(host).collect::<Vec<_>>()).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_a_server_a_master_or_a_cluster() {
        let server = "rediss://app:pw@host:7000/2";
        assert_eq!(Address::parse(server).unwrap(), Address::Server(server.into()));
        let cluster = Address::parse("redis-cluster://app:p@w@a:1,b").unwrap();
        let urls = ["redis://app:p@w@a:1/", "redis://app:p@w@b/"].map(Into::into);
        assert_eq!(cluster, Address::Cluster(urls.into()));
        let sentinel = Address::parse("redis-sentinel://:pw@a:1,b:2/main").unwrap();
        assert_eq!(
            sentinel,
            Address::Sentinel {
                sentinels: ["redis://a:1/", "redis://b:2/"].map(Into::into).into(),
                server: "redis://:pw@server/".into(),
                master: "main".into(),
            }
        );
        for shown in [cluster, sentinel] {
            assert!(!format!("{shown:?}").contains("pw"), "{shown:?}");
        }
    }

    #[test]
    fn other_urls_are_refused_without_being_repeated() {
        let urls = ["redis", "http://pw@a", "redis-cluster://pw@", "redis-sentinel://pw@a,b"];
        for url in urls.into_iter().chain(["redis-ring://pw@a", "redis-://pw@a"]) {
            let refused = Address::parse(url).unwrap_err();
            assert!(!format!("{refused:?}").contains("pw"), "{refused:?}");
        }
    }
}
