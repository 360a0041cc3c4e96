//! What can go wrong in talking to the API server.

use kube::core::Status;

use super::fence::Fenced;

/// A failed call. Its text is fit for a status: it never holds what an API server or a webhook wrote about a body, as
/// that could be a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused a call, or gave no answer.
    #[error("could not {verb} {kind} '{name}': {}", answer(source))]
    Api {
        /// What was tried.
        verb: &'static str,
        /// On which kind.
        kind: &'static str,
        /// On which object.
        name: String,
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
    pub fn of(verb: &'static str, kind: &'static str, name: &str, source: kube::Error) -> Self {
        let name = name.to_owned();
        match &source {
            kube::Error::Api(status) if is_terminating(status) => Self::NamespaceTerminating,
            kube::Error::Api(status)
                if status.is_conflict() || status.is_already_exists() || (status.is_not_found() && verb != "get") =>
            {
                Self::Raced { kind, name }
            }
            _ => Self::Api { verb, kind, name, source: Box::new(source) },
        }
    }
}

fn is_terminating(status: &Status) -> bool {
    status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.reason == "NamespaceTerminating")
}

fn answer(source: &kube::Error) -> String {
    let status = match source {
        kube::Error::Api(status) => status,
        kube::Error::Service(cause) if cause.is::<Fenced>() => return Fenced.to_string(),
        _ => return "the API server gave no answer".to_owned(),
    };
    let name =
        http::StatusCode::from_u16(status.code).ok().and_then(|code| code.canonical_reason()).unwrap_or_default();
    let cure = if status.is_forbidden() {
        " (does the operator's role allow it?)"
    } else if status.message.contains("field not declared in schema") {
        " (are the CustomResourceDefinitions of this version installed?)"
    } else {
        ""
    };
    format!("the API server answered {} {name}{cure}", status.code)
}

#[cfg(test)]
mod tests {
    use tower::BoxError;

    use super::*;
    use crate::cluster::fence::{Fence, FenceLayer};

    fn refused(code: u16, message: &str) -> String {
        let status = Status { code, message: message.into(), ..Status::default() };
        Error::of("create", "Secret", "a", kube::Error::Api(Box::new(status))).to_string()
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
            Error::of("create", "Secret", "a", refused).to_string(),
            "could not create Secret 'a': this process does not hold the lease, or could not renew it in time"
        );
    }

    #[test]
    fn a_refusal_is_told_without_a_word_of_what_the_api_server_or_a_webhook_wrote() {
        assert_eq!(
            refused(400, "admission webhook denied: c2VjcmV0"),
            "could not create Secret 'a': the API server answered 400 Bad Request"
        );
        assert_eq!(
            refused(500, ".status.new: field not declared in schema"),
            "could not create Secret 'a': the API server answered 500 Internal Server Error \
             (are the CustomResourceDefinitions of this version installed?)"
        );
    }
}
