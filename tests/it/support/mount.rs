//! A Secret as a pod sees it: files in a directory, as the kubelet's `AtomicWriter` writes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::Secret;

/// Link to the directory that holds the files.
const DATA: &str = "..data";

/// A mounted Secret.
///
/// ```text
/// secret -> ..data/secret
/// ..data -> ..2026_11_22_10_30_00.000000001
/// ..2026_11_22_10_30_00.000000001/secret
/// ```
pub struct Mount {
    dir: tempfile::TempDir,
    updates: u32,
}

impl Mount {
    pub fn new(secret: &Secret) -> Self {
        // In memory, as the kubelet mounts Secrets.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let mut mount = Self { dir: dir.unwrap(), updates: 0 };
        mount.update(secret);
        mount
    }

    /// Makes the files those of the Secret: all at once, by the rename of one link. Writes nothing if they are already.
    pub fn update(&mut self, secret: &Secret) {
        let files: BTreeMap<String, Vec<u8>> =
            secret.data.iter().flatten().map(|(name, bytes)| (name.clone(), bytes.0.clone())).collect();
        let old = fs::read_link(self.path().join(DATA)).ok();
        if old.is_some() && self.read() == files {
            return;
        }
        self.updates += 1;
        let new = format!("..2026_11_22_10_30_00.{:09}", self.updates);
        let dir = self.path().join(&new);
        fs::create_dir(&dir).unwrap();
        for (name, bytes) in &files {
            fs::write(dir.join(name), bytes).unwrap();
        }
        let fresh = self.path().join("..data_tmp");
        symlink(&new, &fresh).unwrap();
        fs::rename(&fresh, self.path().join(DATA)).unwrap();
        let shown: BTreeSet<String> = self.names();
        for name in files.keys().filter(|name| !shown.contains(*name)) {
            symlink(Path::new(DATA).join(name), self.path().join(name)).unwrap();
        }
        for name in shown.iter().filter(|name| !files.contains_key(*name)) {
            fs::remove_file(self.path().join(name)).unwrap();
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.path().join(old)).unwrap();
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Which version of the files is there.
    pub fn version(&self) -> PathBuf {
        fs::read_link(self.path().join(DATA)).unwrap()
    }

    /// One file's bytes, by its own name.
    pub fn file(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path().join(name))
    }

    /// One file's text.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.file(name).unwrap_or_else(|error| panic!("{name}: {error}"))).unwrap()
    }

    /// All files of one version.
    pub fn read(&self) -> BTreeMap<String, Vec<u8>> {
        let dir = self.path().join(self.version());
        let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
        files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.filter(|name| !name.starts_with("..")).collect()
    }
}
