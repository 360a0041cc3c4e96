# Lists the recipes
[private]
default:
    @just --list --unsorted

# Formats all code
fmt:
    cargo fmt --all

# Checks the format, and lints every target with warnings as errors
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Checks licences, bans, duplicates and sources of all dependencies (deny.toml)
deny:
    cargo deny --locked check -D unmatched-skip bans licenses sources

# Runs every test; the first time on a machine it builds a control plane, which needs Go
test:
    cargo test --workspace

# Tests outputs with real consumers, and keys of real identity providers; `tests/interop/install` installs these
interop:
    tests/interop/install --where
    cargo test --test it -- --ignored --list interop | grep ': test$' >/dev/null
    cargo test --test it -- --ignored interop

# Builds the container image's files and works in a root of just these; needs root (image/test)
image-test:
    image/test

# Builds what the container image holds (for its Containerfile), with its bill of materials, into an empty folder
image OUTPUT:
    image/build {{ OUTPUT }}

# Builds the image's files of the last commit twice, in other folders, and compares them; takes two releases
reproducible:
    image/reproducible

# What CI runs
check: lint test interop image-test deny

# Generates the CRDs in crds/ and in the chart from src/api
crds:
    UPDATE_EXPECT=1 cargo test --test it golden

# Shows the operator at work; with --keep it stays up
demo *ARGS:
    cargo demo {{ ARGS }}

# Measures a cold start of many objects against a bare client that does the same writes; takes the number of objects
bench *ARGS:
    cargo bench --bench scale -- {{ ARGS }}

# Feeds random input to a target of tests/fuzz (policy, output, token, jwks) until it fails; takes a file, and options after `--`
fuzz TARGET *ARGS:
    cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none {{ TARGET }} {{ ARGS }}
