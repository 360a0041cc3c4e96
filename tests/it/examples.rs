//! The manifests of examples/: what the API server says to them as they are. `cargo demo` shows what becomes of them.

use std::{fs, path::Path};

use crate::support::{Plane, Scene};

/// What kubectl says of a manifest in this folder that is applied, but not kept; by file name.
fn dry_run(scene: &Scene, folder: &str) -> Vec<(String, bool, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let apply = |file: &Path| {
        let file = file.to_str().unwrap();
        Plane::shared().kubectl(&["apply", "--server-side", "--dry-run=server", "-n", &scene.namespace, "-f", file])
    };
    let said = files.iter().map(|file| {
        let output = apply(file);
        let text = fs::read_to_string(file).unwrap();
        let expected = text.lines().next().unwrap().trim_start_matches("# Expected: ").to_owned();
        (expected, output.status.success(), format!("{}: {output:?}", file.display()))
    });
    said.collect()
}

#[tokio::test]
async fn every_example_is_taken_as_it_is_and_only_those_refused_that_say_so() {
    let scene = Scene::new("examples").await;
    let good = dry_run(&scene, "examples");
    assert!(good.len() > 5);
    for (_, is_taken, said) in good {
        assert!(is_taken, "{said}");
    }
    let broken = dry_run(&scene, "examples/broken");
    assert!(broken.iter().any(|(expected, ..)| expected == "refused"));
    for (expected, is_taken, said) in broken {
        assert_eq!(is_taken, expected != "refused", "{said}");
    }
}
