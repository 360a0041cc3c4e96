//! Who refused a call, as far as the API server's answer tells: its authorizer, a quota, a policy, a webhook.
//!
//! All of them may answer 403 Forbidden, and each has another cure. The API server writes the beginning of the message
//! itself, so nobody who writes the rest, such as a webhook, can pass for another.

use kube::core::Status;

/// Who refused a call. Names are those of the cluster's own objects; nothing else of a message is kept, as a webhook or a
/// policy may repeat a body in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// The authorizer: a role lacks a right.
    NotAllowed,
    /// A `ResourceQuota` of this name.
    Quota(&'a str),
    /// A `ValidatingAdmissionPolicy` of this name.
    Policy(&'a str),
    /// An admission webhook of this name.
    Webhook(&'a str),
    /// An admission webhook of this name was not reached, or answered nonsense.
    NoAnswer(&'a str),
    /// An admission plugin of the API server.
    Admission,
    /// Somebody who says no more: a proxy, perhaps, or a webhook in place of the authorizer.
    Somebody,
    /// The schema of the installed CRD does not have a field.
    Schema,
    /// Nothing is known but the code.
    Unknown,
}

impl<'a> Refusal<'a> {
    /// Tells it from an answer.
    #[must_use]
    pub fn of(status: &'a Status) -> Self {
        let message = status.message.as_str();
        if let Some(name) = quoted(message, "admission webhook \"", "\" denied the request") {
            return Self::Webhook(name);
        }
        if let Some(name) = quoted(message, "Internal error occurred: failed calling webhook \"", "\": ") {
            return Self::NoAnswer(name);
        }
        match message.split_once(" is forbidden: ") {
            Some((subject, why)) if is_subject(subject) => Self::of_forbidden(status, why),
            _ if message.contains("field not declared in schema") => Self::Schema,
            _ if status.is_forbidden() => Self::Somebody,
            _ => Self::Unknown,
        }
    }

    fn of_forbidden(status: &Status, why: &'a str) -> Self {
        let (quota, policy) = (quoted(why, "exceeded quota: ", ","), quoted(why, "ValidatingAdmissionPolicy '", "'"));
        match (quota, policy) {
            (Some(name), _) => Self::Quota(name),
            (_, Some(name)) => Self::Policy(name),
            // Whose rights they are is not for a status.
            _ if status.is_forbidden() && why.starts_with("User \"") && why.contains(" cannot ") => Self::NotAllowed,
            _ => Self::Admission,
        }
    }
}

/// `secrets`, or `secrets "name"`: what the API server calls what was asked for.
fn is_subject(text: &str) -> bool {
    let (resource, name) = text.split_once(' ').unwrap_or((text, "\"\""));
    let is_quoted = name.len() >= 2 && name.starts_with('"') && name.ends_with('"') && !name.contains(' ');
    is_name(resource) && is_quoted
}

/// The name between these two at the beginning of a text.
fn quoted<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (name, _) = text.strip_prefix(before)?.split_once(after)?;
    is_name(name).then_some(name)
}

/// Whether it is a name as objects have it.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    (1..=253).contains(&text.len()) && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// As kube-apiserver 1.36 answers.
    #[rstest]
    #[case::create(
        403,
        r#"secrets is forbidden: User "system:serviceaccount:q:low" cannot create resource "secrets" in API group "" in the namespace "q""#,
        Refusal::NotAllowed
    )]
    #[case::named(
        403,
        r#"identityproviders.idp-operator.dev "x" is forbidden: User "u" cannot patch resource "identityproviders/status" in API group "idp-operator.dev" in the namespace "q""#,
        Refusal::NotAllowed
    )]
    #[case::quota(
        403,
        r#"secrets "zz" is forbidden: exceeded quota: few, requested: count/secrets=1, used: count/secrets=0, limited: count/secrets=0"#,
        Refusal::Quota("few")
    )]
    #[case::policy(
        403,
        r#"secrets "zz" is forbidden: ValidatingAdmissionPolicy 'no.example.com' with binding 'b' denied request: User "zz" cannot get c2VjcmV0"#,
        Refusal::Policy("no.example.com")
    )]
    #[case::policy_with_another_code(
        422,
        r#"secrets "zz" is forbidden: ValidatingAdmissionPolicy 'no.example.com' with binding 'b' denied request: no"#,
        Refusal::Policy("no.example.com")
    )]
    #[case::webhook(
        403,
        r#"admission webhook "deny.example.com" denied the request: secrets is forbidden: User "u" cannot create resource "secrets""#,
        Refusal::Webhook("deny.example.com")
    )]
    #[case::webhook_without_an_answer(
        500,
        r#"Internal error occurred: failed calling webhook "deny.example.com": failed to call webhook: Post "https://10.0.0.1/": dial"#,
        Refusal::NoAnswer("deny.example.com")
    )]
    #[case::plugin(
        403,
        r#"secrets "a" is forbidden: cannot set an ownerRef on a resource you can't delete: User "#,
        Refusal::Admission
    )]
    #[case::other_words(403, "Forbidden", Refusal::Somebody)]
    #[case::schema(500, ".status.new: field not declared in schema", Refusal::Schema)]
    #[case::trouble(500, "etcdserver: request timed out", Refusal::Unknown)]
    fn who_refused_is_told_from_the_beginning_of_the_message(
        #[case] code: u16,
        #[case] message: &str,
        #[case] expected: Refusal<'_>,
    ) {
        let reason = if code == 403 { "Forbidden" } else { "" };
        let status = Status { code, message: message.into(), reason: reason.into(), ..Status::default() };
        assert_eq!(Refusal::of(&status), expected);
    }

    #[test]
    fn what_is_no_name_is_not_repeated() {
        for secret in ["c2VjcmV0 Aa1!", "C2VjcmV0", ""] {
            let message = format!("admission webhook \"{secret}\" denied the request: no");
            let status = Status { code: 403, message, reason: "Forbidden".into(), ..Status::default() };
            assert_eq!(Refusal::of(&status), Refusal::Somebody);
        }
    }
}
