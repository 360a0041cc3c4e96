//! The file of `--strategy-catalog`: read at the start, and again whenever its content changes.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    controllers::{context::Context, strategy_instance::catalogue::replace},
    domain::{
        catalogue::{self, Catalogue, MAX_BYTES},
        digest::sha256_hex,
    },
};

/// How often the file is read. A ConfigMap's file changes by an exchange of links, a minute or so after the ConfigMap: there
/// is nothing to be told of in time.
const INTERVAL: Duration = Duration::from_secs(2);

/// The file, and what was last found in it.
pub struct CatalogueFile {
    path: PathBuf,
    seen: Content,
    /// Found once since then: perhaps it is being written.
    candidate: Option<Content>,
}

/// A digest of the file's bytes, or why there are none.
type Content = Result<String, String>;

impl CatalogueFile {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// When it can't be read or is no catalogue, in one line.
    pub fn open(path: PathBuf) -> Result<(Self, Catalogue), String> {
        let told = |what: &str| format!("--strategy-catalog {}: {what}", path.display());
        let bytes = read(&path).map_err(|error| told(&error))?;
        let catalogue = catalogue::parse(&bytes).map_err(|error| told(&error.to_string()))?;
        Ok((Self { path, seen: Ok(digest(&bytes)), candidate: None }, catalogue))
    }

    /// Follows the file for ever: what it says twice in a row is put in force, unless it is wrong; then what was in force
    /// stays.
    pub async fn follow(mut self, ctx: Arc<Context>) {
        let is_good = ctx.metrics.strategy_catalog_is_good();
        is_good.set(1);
        loop {
            tokio::time::sleep(INTERVAL).await;
            let (path, seen) = (self.path.clone(), self.seen.clone());
            // A volume can hang, and a large file takes a while to parse.
            let Ok(news) = tokio::task::spawn_blocking(move || news(&path, &seen)).await else { return };
            let Some((content, parsed)) = news else {
                self.candidate = None;
                continue;
            };
            if self.candidate.as_ref() != Some(&content) {
                self.candidate = Some(content);
                continue;
            }
            self.seen = content;
            is_good.set(i64::from(parsed.is_ok()));
            let path = self.path.display();
            match parsed {
                Ok(new) => {
                    let objects = replace(&ctx, new);
                    tracing::info!(%path, objects, "strategy catalogue is read again");
                }
                Err(error) => {
                    tracing::error!(%path, error, "strategy catalogue is refused: the one before stays in force");
                }
            }
        }
    }
}

/// What the file holds, unless that is what was seen before.
fn news(path: &Path, seen: &Content) -> Option<(Content, Result<Catalogue, String>)> {
    let found = read(path);
    let content = found.as_deref().map(digest).map_err(Clone::clone);
    let parse = |bytes: Vec<u8>| catalogue::parse(&bytes).map_err(|error| error.to_string());
    (content != *seen).then(|| (content, found.and_then(parse)))
}

fn digest(bytes: &[u8]) -> String {
    sha256_hex(&[bytes])
}

/// At most one byte more than a catalogue may have.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        // What is no file, such as a pipe, could block for ever.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it must be a file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    // While links are exchanged, the one that is followed may go.
    read().or_else(|_| read()).map_err(|error: io::Error| format!("it can't be read: {error}"))
}
