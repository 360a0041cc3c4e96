//! What can go wrong in talking to the API server.

use std::fmt;

use kube::core::Status;

use super::{fence::Fenced, key::ObjectKey, refusal::Refusal};

/// Group of the kinds that are ours.
const GROUP: &str = "idp-operator.dev";

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // see `words`
pub enum Action {
    Get,
    Create,
    Update,
    /// By server-side apply.
    WriteStatus,
}

impl Action {
    const fn words(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::WriteStatus => "write the status of",
        }
    }

    /// As RBAC names it.
    const fn verb(self) -> &'static str {
        match self {
            Self::WriteStatus => "patch",
            Self::Get | Self::Create | Self::Update => self.words(),
        }
    }
}

/// A call on an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is tried.
    pub action: Action,
    /// On which kind.
    pub kind: &'static str,
    /// On which object.
    pub key: ObjectKey,
}

impl Call {
    /// The right that it needs, in RBAC's words: `create on secrets in namespace 'x'`.
    #[must_use]
    pub fn right(&self) -> String {
        let subresource = if self.action == Action::WriteStatus { "/status" } else { "" };
        let (verb, namespace) = (self.action.verb(), &self.key.namespace);
        format!("{verb} on {}{subresource} in namespace '{namespace}'", resource(self.kind))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} '{}'", self.action.words(), self.kind, self.key.name)
    }
}

/// The kind's resource and group, as `kubectl create role --resource` takes them.
fn resource(kind: &str) -> String {
    let plural = format!("{}s", kind.to_lowercase());
    if ["secrets", "configmaps"].contains(&plural.as_str()) { plural } else { format!("{plural}.{GROUP}") }
}

/// A failed call. Its text is fit for a status: it never holds what an API server or a webhook wrote about a body, as
/// that could be a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused a call, or gave no answer.
    #[error("could not {call}: {}", answer(source, || call.right()))]
    Api {
        /// What was tried.
        call: Call,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// The object changed while it was looked at: look again.
    #[error("{kind} '{name}' was changed by somebody else at the same time")]
    Raced {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// What this process knows of the object is older than what its output was written for.
    #[error("Secret '{name}' was written for a later generation of the object, which has not arrived here yet")]
    Behind {
        /// Name of the output.
        name: String,
    },
    /// The namespace is being deleted: nothing can be made there, and nothing needs to be.
    #[error("the namespace is being deleted")]
    NamespaceTerminating,
    /// The reconcile took too long.
    #[error("the API server took longer than {0:?} in all")]
    Deadline(std::time::Duration),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Entropy(#[source] rand::rngs::SysError),
}

impl Error {
    /// Sorts a failed call on a child or a status into the cases that are handled differently.
    #[must_use]
    pub fn of(action: Action, kind: &'static str, key: &ObjectKey, source: kube::Error) -> Self {
        match &source {
            kube::Error::Api(status) if is_terminating(status) => Self::NamespaceTerminating,
            kube::Error::Api(status)
                if status.is_conflict()
                    || status.is_already_exists()
                    || (status.is_not_found() && action != Action::Get) =>
            {
                Self::Raced { kind, name: key.name.to_string() }
            }
            _ => Self::Api { call: Call { action, kind, key: key.clone() }, source: Box::new(source) },
        }
    }
}

/// Whether nothing can be made any more, as the namespace is being deleted.
#[must_use]
pub fn is_terminating(status: &Status) -> bool {
    status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.reason == "NamespaceTerminating")
}

/// What the API server answered to a call that needs this right, and the cure. Fit for a status and a log.
#[must_use]
pub fn answer(source: &kube::Error, right: impl FnOnce() -> String) -> String {
    let status = match source {
        kube::Error::Api(status) => status,
        kube::Error::Service(cause) if cause.is::<Fenced>() => return Fenced.to_string(),
        _ => return "the API server gave no answer".to_owned(),
    };
    let name =
        http::StatusCode::from_u16(status.code).ok().and_then(|code| code.canonical_reason()).unwrap_or_default();
    let cure = match Refusal::of(status) {
        Refusal::NotAllowed => format!(": the operator's role must allow {}", right()),
        Refusal::Quota(name) => format!(" (ResourceQuota '{name}' is used up)"),
        Refusal::Policy(name) => format!(" (ValidatingAdmissionPolicy '{name}' refused it)"),
        Refusal::Webhook(name) => format!(" (admission webhook '{name}' refused it)"),
        Refusal::NoAnswer(name) => format!(" (admission webhook '{name}' gives no answer)"),
        Refusal::Admission => " (the operator's role allows it, but an admission plugin refused it)".to_owned(),
        Refusal::Somebody => {
            format!(" (does the operator's role allow {}, and does no proxy or webhook refuse it?)", right())
        }
        Refusal::Schema => " (are the CustomResourceDefinitions of this version installed?)".to_owned(),
        Refusal::Unknown => String::new(),
    };
    format!("the API server answered {} {name}{cure}", status.code)
}

#[cfg(test)]
mod tests {
    use kube::Resource as _;
    use tower::BoxError;

    use super::*;
    use crate::api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator};
    use crate::cluster::fence::{Fence, FenceLayer};

    fn refused(action: Action, kind: &'static str, code: u16, message: &str) -> String {
        let reason = if code == 403 { "Forbidden" } else { "" };
        let status = Status { code, message: message.into(), reason: reason.into(), ..Status::default() };
        Error::of(action, kind, &ObjectKey::new("ns", "a"), kube::Error::Api(Box::new(status))).to_string()
    }

    #[tokio::test]
    async fn what_a_fence_held_back_is_not_laid_at_the_api_servers_door() {
        use k8s_openapi::api::core::v1::Secret;
        use kube::{Api, Client, client::Body};
        use tower::Layer as _;

        let fence = FenceLayer(Fence::new(std::time::Duration::ZERO));
        let server =
            tower::service_fn(|_: http::Request<Body>| async { Ok::<_, BoxError>(http::Response::new(Body::empty())) });
        let api: Api<Secret> = Api::namespaced(Client::new(fence.layer(server), "ns"), "ns");
        let refused = api.create(&kube::api::PostParams::default(), &Secret::default()).await.unwrap_err();
        assert_eq!(
            Error::of(Action::Create, "Secret", &ObjectKey::new("ns", "a"), refused).to_string(),
            "could not create Secret 'a': this process does not hold the lease, or could not renew it in time"
        );
    }

    #[test]
    fn a_refusal_is_told_without_a_word_of_what_the_api_server_or_a_webhook_wrote_about_a_body() {
        let create = |code, message| refused(Action::Create, "Secret", code, message);
        assert_eq!(
            create(400, "invalid: c2VjcmV0"),
            "could not create Secret 'a': the API server answered 400 Bad Request"
        );
        assert_eq!(
            create(500, ".status.new: field not declared in schema"),
            "could not create Secret 'a': the API server answered 500 Internal Server Error \
             (are the CustomResourceDefinitions of this version installed?)"
        );
        assert_eq!(
            create(403, r#"admission webhook "deny.example.com" denied the request: c2VjcmV0"#),
            "could not create Secret 'a': the API server answered 403 Forbidden \
             (admission webhook 'deny.example.com' refused it)"
        );
        assert_eq!(
            create(403, r#"secrets "a" is forbidden: exceeded quota: few, requested: c2VjcmV0"#),
            "could not create Secret 'a': the API server answered 403 Forbidden (ResourceQuota 'few' is used up)"
        );
        assert_eq!(
            create(403, "c2VjcmV0"),
            "could not create Secret 'a': the API server answered 403 Forbidden (does the operator's role allow create on \
             secrets in namespace 'ns', and does no proxy or webhook refuse it?)"
        );
    }

    #[test]
    fn a_missing_right_is_named_as_a_role_would_grant_it() {
        let told = |action, kind| {
            let text = refused(action, kind, 403, r#"x "a" is forbidden: User "u" cannot do resource "x""#);
            text.split_once(": the operator's role must allow ").unwrap().1.to_owned()
        };
        assert_eq!(told(Action::Get, "Secret"), "get on secrets in namespace 'ns'");
        assert_eq!(told(Action::Update, "ConfigMap"), "update on configmaps in namespace 'ns'");
        let (group, plurals) = (
            IdentityProvider::group(&()),
            [
                ("IdentityProvider", IdentityProvider::plural(&())),
                ("TenantJwtSecret", TenantJwtSecret::plural(&())),
                ("UserIdpAuthenticator", UserIdpAuthenticator::plural(&())),
                ("StrategyInstance", StrategyInstance::plural(&())),
            ],
        );
        for (kind, plural) in plurals {
            let expected = format!("patch on {plural}.{group}/status in namespace 'ns'");
            assert_eq!(told(Action::WriteStatus, kind), expected);
        }
    }
}
