//! What the program is made of: the bill of materials, the list in the program, and Cargo.lock say the same.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::IMAGE;
use crate::support::plane::succeed;

type Packages = BTreeSet<String>;

/// In Cargo.lock for features that nobody turns on, and not compiled. Both lists name them, for they are made of `cargo
/// metadata`, which does not tell.
const NOT_COMPILED: [&str; 3] = ["getrandom 0.2", "rand_core 0.6", "ring 0.17"];

/// Packages of Cargo.lock that the program depends on, for this target.
fn of_the_lock(edges: &str) -> Packages {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    // Those of its tests are not in it.
    cargo.args(["tree", "--locked", "--package", "idp-operator", "--edges", edges]);
    // Without a target named, it is the one of this machine.
    cargo.args(["--prefix", "none", "--no-dedupe", "--format", "{p}"]);
    let tree = String::from_utf8(succeed(&mut cargo).stdout).unwrap();
    let name = |line: &str| line.split(" (").next().unwrap().replace(" v", " ");
    tree.lines().filter(|line| !line.is_empty()).map(name).collect()
}

fn name(package: &Value) -> String {
    format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap())
}

/// Of the program, with `cargo auditable`: all but what only builds it.
fn of_the_program() -> Packages {
    let mut python = Command::new("python3");
    let script = "import subprocess, sys, zlib\n\
        dump = ['objcopy', '--dump-section', '.dep-v0=/dev/stdout', sys.argv[1], '/dev/null']\n\
        print(zlib.decompress(subprocess.run(dump, check=True, capture_output=True).stdout).decode())";
    let listed = succeed(python.args(["-I", "-c", script]).arg(IMAGE.join("root/idp-operator"))).stdout;
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    let packages = listed["packages"].as_array().unwrap();
    packages.iter().filter(|package| package["kind"] != "build").map(name).collect()
}

fn of_the_bill() -> Packages {
    let bill = std::fs::read(IMAGE.join("idp-operator.cdx.json")).unwrap();
    let bill: Value = serde_json::from_slice(&bill).unwrap();
    assert_eq!((bill["bomFormat"].as_str(), bill["specVersion"].as_str()), (Some("CycloneDX"), Some("1.5")));
    let components = bill["components"].as_array().unwrap();
    components.iter().chain([&bill["metadata"]["component"]]).map(name).collect()
}

#[test]
#[ignore = "needs what image/build makes: just image-test"]
fn the_bill_of_materials_and_the_list_in_the_program_are_what_cargo_lock_says() {
    let (with_macros, without) = (of_the_lock("normal"), of_the_lock("normal,no-proc-macro"));
    assert!(without.len() > 100 && without.contains(concat!("idp-operator ", env!("CARGO_PKG_VERSION"))));
    let (bill, program) = (of_the_bill(), of_the_program());
    let (more, same): (Packages, Packages) = bill.iter().cloned().partition(|package| !with_macros.contains(package));
    assert_eq!(same, with_macros);
    let is_not_compiled = |package: &String| NOT_COMPILED.iter().any(|name| package.starts_with(&format!("{name}.")));
    assert!(more.len() == NOT_COMPILED.len() && more.iter().all(is_not_compiled), "{more:?}");
    // The program's own takes some macros for a part of it.
    assert_eq!(program.difference(&bill).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(without.difference(&program).collect::<Vec<_>>(), Vec::<&String>::new());
}
