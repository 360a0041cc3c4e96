//! A root folder with what the image holds and what a kubelet adds, and the program in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::IMAGE;
use crate::support::plane::succeed;

/// Where a pod has its ServiceAccount's token.
pub const SERVICE_ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

/// The image's files in a folder of their own.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    /// Unpacks the image.
    pub fn unpack() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Self { folder };
        fs::create_dir(sandbox.root()).unwrap();
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--preserve-permissions", "--same-owner", "--file"]).arg(IMAGE.join("root.tar"));
        succeed(tar.arg("--directory").arg(sandbox.root()));
        // Where what every container has is mounted.
        for folder in ["proc", "dev"] {
            fs::create_dir(sandbox.root().join(folder)).unwrap();
        }
        for device in ["null", "zero", "full", "random", "urandom"] {
            sandbox.mount(&format!("dev/{device}"), "");
        }
        sandbox
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Adds a file that a kubelet would mount.
    pub fn mount(&self, path: &str, content: &str) {
        let file = self.root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    /// A command, to be followed by arguments, that runs the program in it, with the environment that it is given.
    pub fn program(&self) -> Vec<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/image/sandbox.sh");
        let root = self.root();
        ["unshare", "--mount", "--propagation", "private", "sh", script.to_str().unwrap(), root.to_str().unwrap()]
            .map(str::to_owned)
            .to_vec()
    }

    /// Runs the program to its end: exit code, output and errors.
    pub fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let program = self.program();
        let output = Command::new(&program[0]).args(&program[1..]).args(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (code, errors) = (output.status.code(), text(output.stderr));
        for denied in ["unshare:", "mount:", "setpriv:", "chroot:"] {
            assert!(!errors.contains(denied), "this test has to be root, and allowed to mount and to chroot: {errors}");
        }
        (code, text(output.stdout), errors)
    }
}
