//! The manifests in examples/, and what each says will come of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Error, provider::Provider};

/// Folder of the manifests that are in order.
pub const GOOD: &str = "examples";
/// Folder of those that are wrong on purpose.
pub const BROKEN: &str = "examples/broken";

/// Starts a manifest that is wrong, and says what comes of it: `refused` at apply, or a reason.
const EXPECTED: &str = "# Expected: ";

/// What comes of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Each of its objects becomes Ready.
    Ready,
    /// The API server refuses it.
    Refused,
    /// Ready is False, for this reason.
    Reason(String),
}

/// A file of one of the two folders.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its path, from the folder that holds examples/.
    pub path: PathBuf,
    /// What comes of it.
    pub expected: Expected,
}

/// The manifests below `root`/examples, sorted by name, those in order first.
pub fn read(root: &Path) -> Result<Vec<Manifest>, Error> {
    let mut all = Vec::new();
    for path in files(root, GOOD)? {
        all.push(Manifest { path, expected: Expected::Ready });
    }
    for path in files(root, BROKEN)? {
        let text = fs::read_to_string(root.join(&path))?;
        let expected = match text.lines().next().and_then(|line| line.strip_prefix(EXPECTED)) {
            Some("refused") => Expected::Refused,
            Some(reason) => Expected::Reason(reason.to_owned()),
            None => return Err(format!("{} must start with '{EXPECTED}..'", path.display()).into()),
        };
        all.push(Manifest { path, expected });
    }
    Ok(all)
}

/// Copies the manifests below `root` to `to`, with the identity provider where it is.
pub fn copy(root: &Path, to: &Path, provider: &Provider) -> Result<(), Error> {
    for folder in [GOOD, BROKEN] {
        fs::create_dir_all(to.join(folder))?;
        for path in files(root, folder)? {
            let text = fs::read_to_string(root.join(&path))?;
            fs::write(to.join(&path), provider.found_in(&text))?;
        }
    }
    Ok(())
}

fn files(root: &Path, folder: &str) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root.join(folder))?.collect::<io::Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> = entries
        .iter()
        .map(|entry| Path::new(folder).join(entry.file_name()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    Ok(files)
}
