//! What came of the manifests: waiting for it, telling it, and checking it against what was expected.

use std::time::{Duration, Instant};

use kube::Client;

use crate::{
    Error,
    manifests::{Expected, Manifest},
    objects::{self, Object},
    screen::Screen,
};

/// Bound on the wait for verdicts.
const LIMIT: Duration = Duration::from_secs(30);
/// Nothing is written for this long: no more is to come.
const QUIET: Duration = Duration::from_millis(1500);
const POLL: Duration = Duration::from_millis(200);

/// A manifest that was given to the API server.
pub struct Applied {
    /// The manifest.
    pub manifest: Manifest,
    /// Its objects, as far as they were taken.
    pub ids: Vec<String>,
    /// Whether the API server refused any.
    pub refused: bool,
}

/// The objects once each has its verdict, nothing is written any more and all is as expected, or as they are when time
/// is up.
pub async fn settled(client: &Client, namespace: &str, applied: &[Applied]) -> Result<Vec<Object>, Error> {
    let start = Instant::now();
    let mut since = start;
    let mut last = Vec::new();
    loop {
        let objects = objects::list(client, namespace).await?;
        if versions(&objects) != versions(&last) {
            since = Instant::now();
            last.clone_from(&objects);
        }
        let done = since.elapsed() >= QUIET && unexpected(applied, &objects).is_empty();
        if done || start.elapsed() >= LIMIT {
            return Ok(objects);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The names and resourceVersions of the objects and of what was made for them: the same as long as nothing is written.
fn versions(objects: &[Object]) -> Vec<(&str, &str)> {
    let outputs = objects.iter().flat_map(|object| &object.outputs);
    let outputs = outputs.map(|output| (output.text.as_str(), output.version.as_str()));
    outputs.chain(objects.iter().map(|object| (object.id.as_str(), object.version.as_str()))).collect()
}

/// What was written to, or is no more, since the objects were seen before.
pub fn written(before: &[Object], after: &[Object]) -> Vec<String> {
    let after = versions(after);
    versions(before).into_iter().filter(|seen| !after.contains(seen)).map(|(name, _)| name.to_owned()).collect()
}

/// What did not come out as expected, a sentence each.
pub fn unexpected(applied: &[Applied], objects: &[Object]) -> Vec<String> {
    applied.iter().flat_map(|applied| unexpected_of(applied, objects)).collect()
}

fn unexpected_of(applied: &Applied, objects: &[Object]) -> Vec<String> {
    let path = applied.manifest.path.display();
    let (status, reason) = match (&applied.manifest.expected, applied.refused) {
        (Expected::Refused, true) => return Vec::new(),
        (Expected::Refused, false) => return vec![format!("{path} was to be refused, but was taken")],
        (_, true) => return vec![format!("{path} was to be taken, but was refused")],
        (Expected::Ready, false) => ("True", None),
        (Expected::Reason(reason), false) => ("False", Some(reason)),
    };
    if applied.ids.is_empty() {
        return vec![format!("{path} holds no object of the operator's kinds")];
    }
    let as_expected = |id: &&String| {
        let ready = find(objects, id).and_then(|object| object.ready.as_ref());
        ready.is_some_and(|ready| ready.status == status && reason.is_none_or(|reason| ready.reason == *reason))
    };
    let wanted = reason.map_or_else(|| "Ready".to_owned(), |reason| format!("not Ready because of {reason}"));
    applied.ids.iter().filter(|id| !as_expected(id)).map(|id| format!("{id} of {path} was to be {wanted}")).collect()
}

fn find<'a>(objects: &'a [Object], id: &str) -> Option<&'a Object> {
    objects.iter().find(|object| object.id == id)
}

/// Shows a table of all objects.
pub fn show(screen: &Screen, applied: &[Applied], objects: &[Object]) {
    let refused = |applied: &Applied| applied.refused.then(|| applied.manifest.path.display().to_string());
    let rows: Vec<(String, Option<&Object>)> = applied
        .iter()
        .flat_map(|applied| {
            let taken = applied.ids.iter().map(|id| (id.clone(), find(objects, id)));
            taken.chain(refused(applied).map(|path| (path, None)))
        })
        .collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 2;
    screen.line(&screen.dim(&format!("  {:width$}{:7}{}", "OBJECT", "READY", "REASON")));
    for (name, object) in rows {
        show_row(screen, &name, object, width);
    }
}

fn show_row(screen: &Screen, name: &str, object: Option<&Object>, width: usize) {
    let Some(object) = object else {
        screen.line(&format!("  {name:width$}{}refused at apply, see above", screen.cell("-", 7, Some(false))));
        return;
    };
    let Some(ready) = &object.ready else {
        screen.line(&format!("  {name:width$}{}no verdict yet", screen.cell("-", 7, Some(false))));
        return;
    };
    let status = screen.cell(&ready.status, 7, Some(ready.status == "True"));
    screen.line(&format!("  {name:width$}{status}{}", ready.reason));
    screen.indented(6, &ready.message);
    for output in &object.outputs {
        screen.indented(6, &format!("made: {}", output.text));
    }
}
