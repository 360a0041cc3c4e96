//! Scale: how long a new operator takes to bring thousands of objects of all four kinds to Ready, against the *floor*
//! measured in the same run: a bare kube client that makes the same writes, byte for byte as long, with the same
//! concurrency. Besides: what the operator takes of memory, and whether it writes when there is nothing to do.
//!
//! `cargo bench --bench scale -- [OBJECTS]` (default 10,000; docs/performance.md tells what the numbers mean). The
//! floor is measured before and after the operator, so that a drift of the machine shows, and once more with all that
//! is written watched too, which no operator can do without. Compare ratios of one run, never times of different runs.
//! CPU seconds and memory are read from `/proc`: Linux only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench"
)]

mod floor;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/it/support/key_server.rs"]
mod key_server;
mod measure;
mod objects;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/it/support/operator.rs"]
mod operator;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/it/support/plane.rs"]
mod plane;
mod subject;
mod table;
mod watches;

use std::{process::ExitCode, time::Duration};

use key_server::{ED25519, KeyServer, P256, jwks};
use measure::{Meter, Process};
use objects::{Namespace, Sizes};
use plane::Plane;
use subject::Subject;
use table::Results;

/// As the operator's default, for each kind.
const CONCURRENCY: usize = 16;

/// For how long nothing may be written when there is nothing to do.
const IDLE: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    let objects = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    let plane = Plane::start();
    let results = tokio::runtime::Runtime::new().unwrap().block_on(run(&plane, objects));
    println!("{results}");
    if results.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(plane: &Plane, objects: usize) -> Results {
    let sizes = Sizes::of(objects);
    let keys = KeyServer::http(&jwks(&[ED25519, P256])).await;
    let client = plane.control_plane.client().await.unwrap();
    // As the operator does: another user than the administrator, whose requests pass authorization and flow control.
    let user = control_plane::client(&plane.operator_kubeconfig).await.unwrap();

    step("one object of each kind, to learn the operator's writes");
    let sample = Namespace::populated(&client, "sample", Sizes::of(1), &keys).await;
    let mut subject = Subject::start(plane, "sample").await;
    subject.all_ready(Sizes::of(1)).await;
    subject.stop();
    let writes = floor::Writes::learn(&client, &sample).await;

    step("namespaces of objects");
    let warm_up = Namespace::populated(&client, "warm-up", Sizes::of(objects / 5), &keys).await;
    let before = Namespace::populated(&client, "floor-before", sizes, &keys).await;
    let after = Namespace::populated(&client, "floor-after", sizes, &keys).await;
    let seen = Namespace::populated(&client, "floor-watched", sizes, &keys).await;
    Namespace::populated(&client, "operator", sizes, &keys).await;

    step("warm-up");
    floor::write(&user, &warm_up, &writes).await;
    step("floor");
    let floor_before = measured_floor(&user, &before, &writes).await;

    step("operator, cold start");
    let meter = Meter::start(None);
    let mut subject = Subject::start(plane, "operator").await;
    let wall = subject.all_ready(sizes).await;
    let cold = meter.stop(wall, subject.process(), subject.requests().await);
    let peak = subject.process().memory().peak;

    step("floor again");
    let floor_after = measured_floor(&user, &after, &writes).await;

    step("floor, watched");
    let watching = watches::Watches::start(&user, seen.name).await;
    let floor_watched = measured_floor(&user, &seen, &writes).await;
    drop(watching);

    step("operator, idle for a minute");
    let (idle, steady) = idle_minute(&subject).await;
    subject.stop();

    step("operator, restart");
    let meter = Meter::start(None);
    let mut subject = Subject::start(plane, "operator").await;
    let wall = subject.all_looked_at(sizes).await;
    let restart = meter.stop(wall, subject.process(), subject.requests().await);
    let restart_peak = subject.process().memory().peak;
    let (idle_again, restart_steady) = idle_minute(&subject).await;
    subject.stop();

    let memory = table::Memory { peak, steady, restart_peak, restart_steady };
    Results { sizes, floors: [floor_before, floor_after], floor_watched, cold, idle, restart, idle_again, memory }
}

async fn measured_floor(user: &kube::Client, namespace: &Namespace, writes: &floor::Writes) -> measure::Phase {
    let this = Process::this();
    let meter = Meter::start(Some(&this));
    let started = std::time::Instant::now();
    let count = floor::write(user, namespace, writes).await;
    meter.stop(started.elapsed(), &this, measure::Requests { writes: count, reads: 0 })
}

/// What an operator does with nothing to do, and how much it holds in memory after.
async fn idle_minute(subject: &Subject) -> (measure::Phase, f64) {
    let before = subject.requests().await;
    let meter = Meter::start(Some(subject.process()));
    tokio::time::sleep(IDLE).await;
    let memory = subject.process().memory().now;
    let requests = subject.requests().await.since(before);
    (meter.stop(IDLE, subject.process(), requests), memory)
}

fn step(what: &str) {
    eprintln!("· {what}");
}
