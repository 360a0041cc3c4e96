//! Where the programs of a control plane come from: `KUBEBUILDER_ASSETS`, then the cache, then a build.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use thiserror::Error;

use crate::go;
use crate::supervise::SuperviseError;

/// Why there are no programs to run.
#[derive(Debug, Error)]
pub enum BinariesError {
    /// `KUBEBUILDER_ASSETS` is set to a folder that lacks a program.
    #[error("KUBEBUILDER_ASSETS is set, but there is no file {}", .0.display())]
    MissingAsset(PathBuf),
    /// Nothing to run and no means to build it.
    #[error(
        "no Kubernetes control plane to test with: install Go 1.26 or newer (https://go.dev/dl/) to have one \
         built, or set KUBEBUILDER_ASSETS to a folder with kube-apiserver, kube-controller-manager, \
         etcd, kubectl and helm"
    )]
    NoGo,
    /// There is no folder for the cache.
    #[error("set HOME or XDG_CACHE_HOME: the built control plane is kept there")]
    NoCache,
    /// `go install` failed.
    #[error("building the control plane failed ({status}):\n{output}")]
    Build {
        /// How Go ended.
        status: ExitStatus,
        /// The last lines it wrote.
        output: String,
    },
    /// Go could not be run.
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
    /// A file operation failed.
    #[error("can't {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BinariesError {
    let path = path.to_owned();
    move |source| BinariesError::Io { action, path, source }
}

/// Paths of the programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub(crate) etcd: PathBuf,
    pub(crate) kube_apiserver: PathBuf,
    pub(crate) kube_controller_manager: PathBuf,
    pub(crate) kubectl: PathBuf,
    pub(crate) helm: PathBuf,
}

impl Binaries {
    fn in_folder(folder: &Path) -> Self {
        Self {
            etcd: folder.join("etcd"),
            kube_apiserver: folder.join("kube-apiserver"),
            kube_controller_manager: folder.join("kube-controller-manager"),
            kubectl: folder.join("kubectl"),
            helm: folder.join("helm"),
        }
    }

    fn paths_mut(&mut self) -> [&mut PathBuf; 5] {
        [&mut self.etcd, &mut self.kube_apiserver, &mut self.kube_controller_manager, &mut self.kubectl, &mut self.helm]
    }

    fn complete(mut self) -> Option<Self> {
        self.paths_mut().iter().all(|path| path.is_file()).then_some(self)
    }
}

/// The parts of the environment that say where programs may come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// `KUBEBUILDER_ASSETS`, the convention of controller-runtime's envtest. It holds `kube-apiserver` and `etcd`; the
    /// others are taken from it where present.
    pub(crate) assets: Option<PathBuf>,
    /// Folder that holds one folder for each version of the pinned modules.
    pub(crate) cache: Option<PathBuf>,
    /// `PATH`, where `go` is looked up.
    pub(crate) path: Option<OsString>,
    /// Whether to tell a person on standard error that the build goes on.
    pub(crate) progress: bool,
}

impl Sources {
    pub(crate) fn from_env() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let cache = set("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")));
        Self {
            assets: set("KUBEBUILDER_ASSETS").map(PathBuf::from),
            cache: cache.map(|folder| folder.join("idp-operator").join("control-plane")),
            path: set("PATH"),
            progress: true,
        }
    }

    /// Finds the programs, or builds them.
    pub(crate) fn binaries(&self) -> Result<Binaries, BinariesError> {
        let Some(assets) = &self.assets else {
            return self.built();
        };
        let mut binaries = Binaries::in_folder(assets);
        for required in [&binaries.kube_apiserver, &binaries.etcd] {
            if !required.is_file() {
                return Err(BinariesError::MissingAsset(required.clone()));
            }
        }
        if binaries.paths_mut().iter().all(|path| path.is_file()) {
            return Ok(binaries);
        }
        let mut built = self.built()?;
        for (path, other) in binaries.paths_mut().into_iter().zip(built.paths_mut()) {
            if !path.is_file() {
                path.clone_from(other);
            }
        }
        Ok(binaries)
    }

    fn built(&self) -> Result<Binaries, BinariesError> {
        let cache = self.cache.as_deref().ok_or(BinariesError::NoCache)?;
        let target = cache.join(go::fingerprint());
        if let Some(binaries) = Binaries::in_folder(&target).complete() {
            return Ok(binaries);
        }
        let go = go::find(self.path.as_deref()).ok_or(BinariesError::NoGo)?;
        fs::create_dir_all(cache).map_err(io_error("create", cache))?;
        let _lock = lock(&cache.join("lock"))?;
        // Another process may have built while this one waited.
        if Binaries::in_folder(&target).complete().is_none() {
            go::build(&go, &target, self.progress)?;
        }
        Ok(Binaries::in_folder(&target))
    }
}

/// Waits for an exclusive lock, which ends with the returned file.
fn lock(path: &Path) -> Result<File, BinariesError> {
    let file = File::create(path).map_err(io_error("create", path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => go::say("Waiting for another process that builds the control plane.\n"),
        Err(TryLockError::Error(source)) => return Err(io_error("lock", path)(source)),
    }
    file.lock().map_err(io_error("lock", path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "").unwrap();
        }
        folder
    }

    #[test]
    fn without_assets_cache_and_go_the_error_says_what_to_install() {
        let empty = folder_with(&[]);
        let sources =
            Sources { cache: Some(empty.path().join("cache")), path: Some(empty.path().into()), ..Sources::default() };
        let message = sources.binaries().unwrap_err().to_string();
        assert!(message.contains("install Go 1.26") && message.contains("KUBEBUILDER_ASSETS"), "{message}");
        assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
    }

    #[test]
    fn complete_assets_need_nothing_else() {
        let assets = folder_with(&["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm"]);
        let sources = Sources { assets: Some(assets.path().into()), ..Sources::default() };
        assert_eq!(sources.binaries().unwrap(), Binaries::in_folder(assets.path()));
    }

    #[test]
    fn what_the_assets_lack_comes_from_the_cache() {
        let assets = folder_with(&["etcd", "kube-apiserver", "kubectl"]);
        let cache = tempfile::tempdir().unwrap();
        let built = cache.path().join(go::fingerprint());
        fs::create_dir(&built).unwrap();
        for name in ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm"] {
            fs::write(built.join(name), "").unwrap();
        }
        let sources =
            Sources { assets: Some(assets.path().into()), cache: Some(cache.path().into()), ..Sources::default() };
        let expected = Binaries {
            kube_controller_manager: built.join("kube-controller-manager"),
            helm: built.join("helm"),
            ..Binaries::in_folder(assets.path())
        };
        assert_eq!(sources.binaries().unwrap(), expected);
    }

    #[test]
    fn assets_without_an_api_server_are_an_error() {
        let assets = folder_with(&["etcd"]);
        let sources = Sources { assets: Some(assets.path().into()), ..Sources::default() };
        let message = sources.binaries().unwrap_err().to_string();
        assert_eq!(
            message,
            format!("KUBEBUILDER_ASSETS is set, but there is no file {}/kube-apiserver", assets.path().display())
        );
    }

    #[test]
    fn a_failing_build_shows_what_go_wrote_and_leaves_no_result() {
        let bin = tempfile::tempdir().unwrap();
        // Called as Go is, a shell looks for a script named `install`.
        std::os::unix::fs::symlink("/bin/sh", bin.path().join("go")).unwrap();
        let cache = tempfile::tempdir().unwrap();
        let sources = Sources { cache: Some(cache.path().into()), path: Some(bin.path().into()), ..Sources::default() };
        let message = sources.binaries().unwrap_err().to_string();
        assert!(message.starts_with("building the control plane failed") && message.contains("install"), "{message}");
        assert!(!cache.path().join(go::fingerprint()).exists());
    }
}
