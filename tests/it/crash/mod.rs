//! The operator is stopped before and after each of its writes, and started again: a tenant's secret must not show it.
//!
//! A scenario is gone through once for each of the writes that it takes, until one goes through without having come so
//! far. The proxy cuts the operator off at that write, and SIGKILL follows. `--show-output` tells how many points that
//! makes.

mod scenarios;
mod stage;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use http::StatusCode;

use self::{
    scenarios::{Scenario, scenarios},
    stage::Stage,
};
use crate::support::proxy::{Answer, Done, Fault};

const SCENARIOS_AT_ONCE: usize = 4;

/// Of each scenario.
const POINTS_AT_ONCE: usize = 3;

/// Goes through a scenario with a fault at its n-th write. Whether it came so far.
async fn go_through(scenario: &Scenario, nth: usize, fault: Fault) -> bool {
    let stage = Stage::new().await;
    let operator = stage.operator().await;
    for act in &scenario.given {
        stage.act(act).await;
        stage.settled(None).await;
    }
    // An Event of a changed verdict comes after the status.
    stage.proxy.quiet(Duration::from_millis(100)).await;

    let before = stage.proxy.writes();
    stage.proxy.fail(nth..=nth, fault);
    for act in &scenario.when {
        stage.act(act).await;
    }
    // Either way it has ended then: killed, or drained with all that it had begun.
    tokio::select! {
        () = stage.proxy.silenced() => {}
        () = async {
            stage.settled(Some(scenario.values)).await;
            operator.drained().await;
        } => {}
    }
    let is_reached = stage.proxy.writes() >= before + nth;
    stage.proxy.resume();
    for act in &scenario.meanwhile {
        stage.act(act).await;
    }

    let operator = stage.operator().await;
    operator.has_reconciled("TenantJwtSecret").await;
    stage.settled(Some(scenario.values)).await;
    operator.drained().await;

    let writes = stage.proxy.writes();
    let operator = stage.operator().await;
    operator.has_reconciled("TenantJwtSecret").await;
    operator.drained().await;
    assert_eq!(stage.proxy.writes(), writes, "another start writes");

    stage.check(scenario.values).await;
    is_reached
}

/// Goes through a scenario with each of these faults at each of its writes. Returns at how many points that was, and where
/// it failed.
async fn exhaust(scenario: Scenario, faults: &[Fault]) -> (usize, Vec<String>) {
    let (is_exhausted, scenario) = (&AtomicBool::new(false), &scenario);
    let points: Vec<Result<bool, String>> = stream::iter(1..)
        .flat_map(|nth| stream::iter(faults).map(move |fault| (nth, *fault)))
        .take_while(|_| std::future::ready(!is_exhausted.load(Ordering::Relaxed)))
        .map(|(nth, fault)| async move {
            let cloned = scenario.clone();
            // A task of its own, so that a panic ends this point only.
            let result = tokio::spawn(async move { go_through(&cloned, nth, fault).await }).await;
            if !matches!(result, Ok(true)) {
                is_exhausted.store(true, Ordering::Relaxed);
            }
            result.map_err(|panic| {
                let panic: String = panic.to_string().chars().take(150).collect();
                format!("{}, write {nth}, {fault:?}: {panic}..", scenario.name)
            })
        })
        .buffer_unordered(POINTS_AT_ONCE)
        .collect()
        .await;
    let reached = points.iter().filter(|point| **point == Ok(true)).count();
    println!("{:>4} points: {}", reached, scenario.name);
    (reached, points.into_iter().filter_map(Result::err).collect())
}

async fn exhaust_all(scenarios: Vec<Scenario>, faults: &[Fault]) {
    let started = Instant::now();
    let all = stream::iter(scenarios).map(|scenario| exhaust(scenario, faults)).buffer_unordered(SCENARIOS_AT_ONCE);
    let (points, failed): (Vec<usize>, Vec<Vec<String>>) = all.unzip().await;
    println!("{:>4} points in all, in {:?}", points.iter().sum::<usize>(), started.elapsed());
    let failed = failed.concat();
    assert!(failed.is_empty(), "{failed:#?}");
    // The Secret and the status at least.
    assert!(points.iter().all(|points| *points >= 2 * faults.len()), "a scenario has hardly any writes: {points:?}");
}

#[tokio::test]
async fn whichever_write_the_operator_is_stopped_at_its_next_start_goes_on_from_there() {
    let faults = [Done::No, Done::Yes].map(|done| Fault { done, answer: Answer::Silence });
    exhaust_all(scenarios(), &faults).await;
}

#[tokio::test]
async fn whatever_answer_a_write_gets_it_counts_once() {
    let status = |code| Answer::Status(code);
    let answers = [
        status(StatusCode::INTERNAL_SERVER_ERROR),
        status(StatusCode::SERVICE_UNAVAILABLE),
        status(StatusCode::CONFLICT),
        Answer::HangUp,
    ];
    let faults = [Done::No, Done::Yes].map(|done| answers.map(|answer| Fault { done, answer })).concat();
    let mut scenarios = scenarios();
    scenarios.retain(|scenario| ["generation", "rotation"].contains(&scenario.name));
    exhaust_all(scenarios, &faults).await;
}
