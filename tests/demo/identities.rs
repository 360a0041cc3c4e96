//! A user's linked identities, and what a login strategy may do.

use crate::{Error, cluster::Cluster};

/// The link that is taken away, and the manifest that brings it back.
const REQUIRED: (&str, &str) = ("uia/mini-at-login", "examples/user-idp-authenticator.yaml");
/// The link that requires it.
const LINK: &str = "uia/mini-at-mobypay";
const CLAMPED: &str = "si/clamped";

const TIMEOUT: &str = "--timeout=15s";

/// Takes a linked identity away that another link requires, and gives it back.
pub fn missing_link(cluster: &Cluster<'_>, namespace: &str) -> Result<(), Error> {
    let screen = cluster.screen;
    let (required, manifest) = REQUIRED;
    screen.heading("A linked identity, missing and healed");
    screen.text(&format!("{LINK} requires that its user has a link to login as well. That one goes:"));
    let show = |verb: &str, args: &[&str]| -> Result<(), Error> {
        screen.output(&cluster.kubectl(&[&[verb, "-n", namespace], args].concat())?);
        Ok(())
    };
    show("delete", &[required])?;
    show("wait", &[LINK, "--for=condition=LinkedIdentity=False", TIMEOUT])?;
    show("get", &[LINK])?;
    let of = |path: &str| cluster.kubectl(&["get", "-n", namespace, LINK, "-o", &format!("jsonpath={{{path}}}")]);
    screen.indented(4, &of(".status.conditions[?(@.type==\"LinkedIdentity\")].message")?);
    screen.text("The same for machines, as the REST operation answered it:");
    let errors = of(".status.errors")?;
    if !errors.contains("\"missing-linked-identity\"") {
        return Err(format!("{LINK} was to tell of a missing linked identity: {errors}").into());
    }
    screen.indented(4, &errors);
    screen.text("It comes back:");
    show("apply", &["-f", manifest])?;
    show("wait", &[LINK, required, "--for=condition=Ready", TIMEOUT])?;
    show("get", &["uia", "-o", "wide"])
}

/// Shows the strategies, one of them clamped.
pub fn strategies(cluster: &Cluster<'_>, namespace: &str) -> Result<(), Error> {
    let screen = cluster.screen;
    screen.heading("Login strategies");
    screen.output(&cluster.kubectl(&["get", "-n", namespace, "si", "-o", "wide"])?);
    screen.text(&format!("{CLAMPED} asks for more than its type is capable of, and says that it may be less:"));
    let path = "jsonpath={.status.conditions[?(@.type==\"FlagsClamped\")].message}";
    let message = cluster.kubectl(&["get", "-n", namespace, CLAMPED, "-o", path])?;
    if message.is_empty() {
        return Err(format!("{CLAMPED} was to be clamped").into());
    }
    screen.indented(4, &message);
    Ok(())
}
