//! docs/reasons.md lists exactly the reasons of the code.

use std::{collections::BTreeMap, path::Path};

use idp_operator::domain::reasons::{
    CommonReason, IdentityProviderReason, StrategyInstanceReason, TenantJwtSecretReason, UserIdpAuthenticatorReason,
};

/// The reasons of each section: rows that begin with the reason in backticks.
fn listed(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut sections = BTreeMap::<String, Vec<String>>::new();
    let mut section = String::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.trim().clone_into(&mut section);
        }
        let Some((reason, rest)) = line.strip_prefix("| `").and_then(|rest| rest.split_once("` |")) else {
            continue;
        };
        let is_filled = rest.trim_end_matches('|').split('|').all(|cell| !cell.trim().is_empty());
        assert!(is_filled && rest.contains('|'), "{section}: {reason} has an empty cell");
        sections.entry(section.clone()).or_default().push(reason.to_owned());
    }
    for reasons in sections.values_mut() {
        reasons.sort();
    }
    sections
}

fn sorted<R: Copy + Into<&'static str>>(reasons: &[R]) -> Vec<String> {
    let mut names: Vec<String> = reasons.iter().map(|reason| (*reason).into().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_page_lists_every_reason_once_and_no_other() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reasons.md");
    let expected = BTreeMap::from([
        ("All kinds".to_owned(), sorted(CommonReason::ALL)),
        ("IdentityProvider".to_owned(), sorted(IdentityProviderReason::ALL)),
        ("TenantJwtSecret".to_owned(), sorted(TenantJwtSecretReason::ALL)),
        ("UserIdpAuthenticator".to_owned(), sorted(UserIdpAuthenticatorReason::ALL)),
        ("StrategyInstance".to_owned(), sorted(StrategyInstanceReason::ALL)),
    ]);
    assert_eq!(listed(&std::fs::read_to_string(page).unwrap()), expected);
}

#[test]
fn a_row_counts_for_the_section_that_it_stands_in() {
    let page = "## A\n| reason | cause | cure |\n|---|---|---|\n| `Two` | x | y |\n| `One` | x | y |\n## B\n| `Two` | x | y |\n";
    let expected = [("A", vec!["One", "Two"]), ("B", vec!["Two"])];
    let expected =
        expected.map(|(section, reasons)| (section.to_owned(), reasons.into_iter().map(str::to_owned).collect()));
    assert_eq!(listed(page), BTreeMap::from(expected));
}
