//! The layers of `src` hold: nothing points back.

use std::path::{Path, PathBuf};

const LAYERS: [&str; 7] = ["api", "domain", "desired", "cluster", "controllers", "runtime", "cli"];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Path below `src`, rank of its layer, and the code without comments.
fn code() -> Vec<(String, Option<usize>, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&src)
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
            let rank = LAYERS.iter().position(|layer| path.starts_with(&format!("{layer}/")));
            let text = std::fs::read_to_string(&file).unwrap();
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            (path, rank, lines.collect::<Vec<_>>().join("\n"))
        })
        .collect()
}

/// Layers that a file names by `crate::`, within braces too.
fn uses(code: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (position, _) in code.match_indices("crate::") {
        let rest = &code[position + "crate::".len()..];
        let named = if rest.starts_with('{') { top_level_names(rest) } else { vec![rest] };
        for name in named {
            found.extend(LAYERS.iter().filter(|layer| {
                name.strip_prefix(**layer)
                    .is_some_and(|after| !after.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
            }));
        }
    }
    found
}

fn top_level_names(braced: &str) -> Vec<&str> {
    let (mut depth, mut names) = (0, Vec::new());
    for (position, character) in braced.char_indices() {
        match character {
            '{' => {
                depth += 1;
                if depth == 1 {
                    names.push(braced[position + 1..].trim_start());
                }
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            ',' if depth == 1 => names.push(braced[position + 1..].trim_start()),
            _ => {}
        }
    }
    names
}

#[test]
fn the_check_sees_uses_within_braces() {
    assert_eq!(
        uses("use crate::{\n    api::{A, B},\n    cluster::c,\n};\ncrate::domain::x()"),
        ["api", "cluster", "domain"]
    );
    assert_eq!(uses("use crate::apiary;"), Vec::<&str>::new());
}

#[test]
fn a_file_uses_only_layers_below_its_own() {
    let wrong: Vec<String> = code()
        .into_iter()
        .filter_map(|(path, rank, code)| Some((path, rank?, code)))
        .flat_map(|(path, rank, code)| {
            let above =
                uses(&code).into_iter().filter(move |layer| LAYERS.iter().position(|name| name == layer) > Some(rank));
            above.map(move |layer| format!("{path} uses {layer}")).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn rules_and_builders_are_pure() {
    let impure = [
        "async ",
        ".await",
        "Client",
        "Api<",
        "now()",
        "std::fs",
        "std::net::Tcp",
        "std::env",
        "tokio::",
        "SysRng",
        "random()",
    ];
    let wrong: Vec<String> = code()
        .into_iter()
        .filter(|(path, ..)| path.starts_with("domain/") || path.starts_with("desired/"))
        .flat_map(|(path, _, code)| {
            impure
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("{path} has {word}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn files_are_short() {
    let long: Vec<String> = code()
        .iter()
        .map(|(path, _, code)| (path, code.split("[cfg(test)]").next().unwrap_or_default().lines().count()))
        .filter(|(_, lines)| *lines > 300)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn there_is_one_provider_of_tls_and_cryptography_in_the_tests_too() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--package", "idp-operator", "--edges", "normal,build,dev", "--prefix", "none", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let providers: std::collections::BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| {
            ["aws-lc-rs", "ring", "openssl", "native-tls", "rustls-rustcrypto", "hmac", "sha2", "rsa"].contains(name)
        })
        .collect();
    assert_eq!(providers.into_iter().collect::<Vec<_>>(), ["aws-lc-rs"]);
}
