//! Tenant claims: which tenants a namespace may hold, by an annotation on it. Who may edit a namespace decides; who may
//! only create objects in it can take no tenant that is not claimed there.

use std::collections::{HashMap, HashSet};

/// The tenants that one namespace may hold, as its annotation lists them.
///
/// Entries are separated by commas, white space around them is ignored, and so are empty ones. An entry is a tenant, or
/// `*.` and a domain: every tenant that has one or more labels before `.domain`, not the domain itself. A `*` at any
/// other place, or alone, matches nothing: nobody claims everything by a slip. Upper and lower case are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    tenants: HashSet<String>,
    domains: HashSet<String>,
}

impl Claims {
    /// Reads an annotation's value. There is no wrong one: what is no entry claims nothing.
    #[must_use]
    pub fn parse(annotation: &str) -> Self {
        let mut claims = Self::default();
        for entry in annotation.split(',').map(str::trim) {
            let (names, name) = match entry.strip_prefix("*.") {
                Some(domain) => (&mut claims.domains, domain),
                None => (&mut claims.tenants, entry),
            };
            if !name.is_empty() && !name.contains('*') {
                names.insert(name.to_ascii_lowercase());
            }
        }
        claims
    }

    /// Whether the tenant is claimed. The cost grows with the tenant's length, not with the number of entries.
    #[must_use]
    pub fn permits(&self, tenant: &str) -> bool {
        let tenant = tenant.to_ascii_lowercase();
        let domains =
            tenant.match_indices('.').filter_map(|(dot, _)| Some((tenant.get(..dot)?, tenant.get(dot + 1..)?)));
        let mut matching = domains.filter(|(_, domain)| self.domains.contains(*domain));
        self.tenants.contains(&tenant) || matching.any(|(labels, _)| labels.split('.').all(|label| !label.is_empty()))
    }

    fn is_empty(&self) -> bool {
        self.tenants.is_empty() && self.domains.is_empty()
    }
}

/// Which namespace may hold which tenants.
#[derive(Debug, Default)]
pub enum NamespaceClaims {
    /// Claims are not asked for: any tenant.
    #[default]
    NotRequired,
    /// The tenants of these claims, by namespace. A namespace that is not in it may hold none.
    Required(HashMap<String, Claims>),
}

impl NamespaceClaims {
    /// Claims are asked for, and none is known yet.
    #[must_use]
    pub fn required() -> Self {
        Self::Required(HashMap::new())
    }

    /// Whether claims are asked for.
    #[must_use]
    pub const fn are_required(&self) -> bool {
        matches!(self, Self::Required(_))
    }

    /// Whether objects of this namespace may hold this tenant.
    #[must_use]
    pub fn permit(&self, namespace: &str, tenant: &str) -> bool {
        match self {
            Self::NotRequired => true,
            Self::Required(claims) => claims.get(namespace).is_some_and(|claims| claims.permits(tenant)),
        }
    }

    /// The namespace has exactly these claims from now on. Returns whether that is a change.
    pub fn set(&mut self, namespace: &str, claims: Claims) -> bool {
        let Self::Required(known) = self else { return false };
        if known.get(namespace).map_or_else(|| claims.is_empty(), |known| *known == claims) {
            return false;
        }
        if claims.is_empty() {
            known.remove(namespace);
        } else {
            known.insert(namespace.to_owned(), claims);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::same("acme", "acme", true)]
    #[case::another("acme", "acme2", false)]
    #[case::one_of_several("acme, globex ,initech", "globex", true)]
    #[case::on_lines_of_their_own("acme,\n  globex,\n", "globex", true)]
    #[case::another_case("Acme.Example.com", "aCME.eXAMPLE.COM", true)]
    #[case::nothing("", "acme", false)]
    #[case::only_separators(" , ,", "", false)]
    #[case::one_label_more("*.example.com", "shop.example.com", true)]
    #[case::several_labels_more("*.example.com", "eu.shop.example.com", true)]
    #[case::case_of_a_domain("*.Example.com", "shop.eXample.com", true)]
    #[case::not_the_apex("*.example.com", "example.com", false)]
    #[case::not_without_the_dot("*.example.com", "badexample.com", false)]
    #[case::not_what_comes_after("*.example.com", "shop.example.com.evil.org", false)]
    #[case::no_empty_first_label("*.example.com", ".example.com", false)]
    #[case::no_empty_label("*.example.com", "a..example.com", false)]
    #[case::star_alone("*", "acme", false)]
    #[case::star_alone_is_no_name_either("*", "*", false)]
    #[case::star_and_dot("*.", "acme.", false)]
    #[case::star_within("shop.*.com", "shop.example.com", false)]
    #[case::star_at_the_end("acme*", "acme2", false)]
    #[case::two_stars("*.*.com", "shop.example.com", false)]
    #[case::star_without_dot("*example.com", "shopexample.com", false)]
    #[case::no_white_space_inside("acme globex", "globex", false)]
    #[case::beside_what_claims_nothing("*,acme*,acme", "acme", true)]
    fn a_tenant_is_claimed_by_itself_or_by_a_domain_above_it(
        #[case] annotation: &str,
        #[case] tenant: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(Claims::parse(annotation).permits(tenant), expected);
    }

    #[test]
    fn without_required_claims_a_namespace_may_hold_any_tenant_and_with_them_only_its_own() {
        let mut off = NamespaceClaims::default();
        assert!(!off.set("a", Claims::parse("acme")));
        assert!(off.permit("b", "globex") && !off.are_required());

        let mut required = NamespaceClaims::required();
        assert!(!required.permit("a", "acme") && required.are_required());
        assert!(!required.set("a", Claims::parse(" ,")));
        assert!(required.set("a", Claims::parse("acme,globex")));
        assert!(!required.set("a", Claims::parse("globex, Acme")));
        assert!(required.permit("a", "acme") && !required.permit("b", "acme"));
        assert!(required.set("a", Claims::default()));
        assert!(!required.permit("a", "acme") && !required.set("a", Claims::default()));
    }

    /// Entry by entry, label by label.
    fn naive(annotation: &str, tenant: &str) -> bool {
        annotation.split(',').any(|entry| {
            let entry = entry.trim();
            let wanted: Vec<&str> = entry.split('.').collect();
            let labels: Vec<&str> = tenant.split('.').collect();
            let same = |a: &[&str], b: &[&str]| a.join(".").eq_ignore_ascii_case(&b.join("."));
            match wanted.as_slice() {
                [""] => false,
                ["*", domain @ ..] if !domain.is_empty() && !domain.concat().contains('*') && domain != [""] => {
                    let more = labels.len().saturating_sub(domain.len());
                    more > 0 && labels[..more].iter().all(|label| !label.is_empty()) && same(&labels[more..], domain)
                }
                all => !entry.contains('*') && same(all, &labels),
            }
        })
    }

    proptest! {
        #[test]
        fn it_answers_as_a_look_at_each_entry_would(
            annotation in "(([ab*A]|\\.|\\*\\.){0,4}[ ,]?){0,5}",
            tenant in "[abB.]{0,5}",
        ) {
            prop_assert_eq!(Claims::parse(&annotation).permits(&tenant), naive(&annotation, &tenant));
        }
    }
}
