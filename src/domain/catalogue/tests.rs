use std::fmt::Write as _;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const GITLAB: &str = "types:
  gitlab:
    canLoginRegister: true
    canSync: false
    allowsImplicitSignup: true
    requiredConfig:
      - key: root-url
        format: url
      - {key: label, format: text}
      - {key: Group.Name_1}
    requiredSecretKeys: [clientId, clientSecret]
";

fn gitlab() -> StrategyType {
    let key = |key: &str, format| ConfigKey { key: key.to_owned(), format };
    StrategyType {
        can: Capabilities { can_login_register: true, can_sync: false, allows_implicit_signup: true },
        required_config: vec![
            key("root-url", Format::Url),
            key("label", Format::Text),
            key("Group.Name_1", Format::Text),
        ],
        required_secret_keys: vec!["clientId".to_owned(), "clientSecret".to_owned()],
    }
}

const BUILT_IN: [&str; 6] = ["userpass", "github", "jira", "github-token", "jira-token-cloud", "jira-token-datacenter"];

fn read(text: &str) -> Catalogue {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_built_in_types_are_the_contract_s() {
    let catalogue = Catalogue::default();
    assert_eq!(catalogue.names().collect::<Vec<_>>(), BUILT_IN);
    let told = |name: &str| {
        let of = catalogue.get(name).unwrap();
        let can = [of.can.can_login_register, of.can.can_sync, of.can.allows_implicit_signup];
        let config = of.required_config.iter().map(|required| format!("{} {:?}", required.key, required.format));
        (can, config.collect::<Vec<_>>().join(","), of.required_secret_keys.join(","))
    };
    let row = |can, config: &str, secrets: &str| (can, config.to_owned(), secrets.to_owned());
    assert_eq!(told("userpass"), row([true, false, false], "", ""));
    assert_eq!(told("github"), row([true, true, true], "", "clientId,clientSecret"));
    assert_eq!(told("jira"), row([true, true, true], "root-url Url", "clientId,clientSecret"));
    assert_eq!(told("github-token"), row([false, true, false], "", ""));
    assert_eq!(told("jira-token-cloud"), row([false, true, false], "root-url Url", ""));
    assert_eq!(told("jira-token-datacenter"), row([false, true, false], "root-url Url", ""));
    assert_eq!(catalogue.get("ldap"), None);
}

#[test]
fn a_file_adds_types_by_name_and_replaces_built_in_ones_where_they_stand() {
    let text = format!(
        "{GITLAB}  bitbucket: {{canLoginRegister: false, canSync: false, allowsImplicitSignup: false}}\n  \
         userpass: {{\"canLoginRegister\": False, canSync: TRUE, allowsImplicitSignup: true}}\n"
    );
    let catalogue = read(&text);
    assert_eq!(catalogue.names().collect::<Vec<_>>(), [&BUILT_IN[..], &["bitbucket", "gitlab"]].concat());
    assert_eq!(**catalogue.get("gitlab").unwrap(), gitlab());
    assert_eq!(catalogue.get("github"), Catalogue::default().get("github"));
    let can = Capabilities { can_login_register: false, can_sync: true, allows_implicit_signup: true };
    let replaced = StrategyType { can, required_config: Vec::new(), required_secret_keys: Vec::new() };
    assert_eq!(**catalogue.get("userpass").unwrap(), replaced);
}

#[rstest]
#[case::nothing("types: {}")]
#[case::json(r#"{"types": {}}"#)]
#[case::byte_order_mark("\u{feff}types: {}\r\n")]
#[case::comments("# none\n---\ntypes: {} # yet\n...\n")]
fn a_file_without_types_adds_nothing(#[case] text: &str) {
    assert_eq!(read(text), Catalogue::default());
}

#[test]
fn the_largest_names_and_numbers_are_taken() {
    let mut text = "types:\n".to_owned();
    for number in 0..256 {
        let name = format!("{number:03}-{}", "x".repeat(59));
        writeln!(text, "  {name}:\n    canLoginRegister: true\n    canSync: true\n    allowsImplicitSignup: true")
            .unwrap();
        let keys = |first: char| (0..32).map(move |key| format!("\"{first}{key:02}{}\"", "-".repeat(8)));
        let config: Vec<String> = keys('c').map(|key| format!("{{key: {key}}}")).collect();
        let secrets: Vec<String> = keys('s').collect();
        writeln!(text, "    requiredConfig: [{}]", config.join(", ")).unwrap();
        writeln!(text, "    requiredSecretKeys: [{}]", secrets.join(", ")).unwrap();
    }
    assert_eq!(read(&text).names().count(), 262);
    text.push_str("  one-more: {canLoginRegister: true, canSync: true, allowsImplicitSignup: true}\n");
    assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), "types must have at most 256 entries");
    let padded = |bytes: usize| format!("types: {{}}\n#{}", "x".repeat(bytes - 11));
    assert_eq!(read(&padded(MAX_BYTES)), Catalogue::default());
    assert_eq!(parse(padded(MAX_BYTES + 1).as_bytes()), Err(CatalogueError::TooLarge));
}

const FIELDS: &str = "canLoginRegister, canSync, allowsImplicitSignup, requiredConfig, requiredSecretKeys";

/// The document of a type `a` with all capabilities and this beside them.
fn with(more: &str) -> String {
    format!("types:\n  a:\n    canLoginRegister: true\n    canSync: true\n    allowsImplicitSignup: true\n    {more}\n")
}

#[rstest]
#[case::empty("", "it must not be empty: 'types: {}' adds nothing")]
#[case::only_a_marker("---\n", "it must not be empty: 'types: {}' adds nothing")]
#[case::only_a_comment("# nothing\n", "it must not be empty: 'types: {}' adds nothing")]
#[case::null("null", "it must not be empty: 'types: {}' adds nothing")]
#[case::text("types", "the document must be a mapping with the key types")]
#[case::list("- types: {}", "the document must be a mapping with the key types")]
#[case::private_key(
    "-----BEGIN PRIVATE KEY-----\nMIIEvQ==\n-----END PRIVATE KEY-----",
    "the document must be a mapping with the key types"
)]
#[case::no_types("{}", "types must be a mapping from names of types to what they are; '{}' adds none")]
#[case::types_null("types:\n", "types must be a mapping from names of types to what they are; '{}' adds none")]
#[case::types_list("types: [a]", "types must be a mapping from names of types to what they are; '{}' adds none")]
#[case::misspelt("type: {}", "type must be left out: the only key is types")]
#[case::beside_types("types: {}\nversion: 1", "version must be left out: the only key is types")]
#[case::line_break_in_a_key("\"a\\nb\\u001b[0m\": 1", "a\\nb\\u{1b}[0m must be left out: the only key is types")]
#[case::broken("types: [", "line 1, column 8: it must be YAML: unclosed bracket '['")]
#[case::control("types: \u{1}", "line 1, column 8: it must be YAML: unexpected character: `\\u{1}'")]
#[case::two_documents("types: {}\n---\ntypes: {}\n", "line 3, column 1: a second document must be left out")]
#[case::type_twice("types:\n  a: {}\n  a: {}\n", "line 3, column 3: a key must not stand twice")]
#[case::quoted_twice("types:\n  a: {}\n  'a': {}\n", "line 3, column 3: a key must not stand twice")]
#[case::types_twice("types: {}\ntypes: {}\n", "line 2, column 1: a key must not stand twice")]
#[case::field_twice(with("canSync: true"), "line 6, column 5: a key must not stand twice")]
#[case::anchor("types: &a {}\n", "line 1, column 11: anchors and aliases must be written out")]
#[case::alias("types: *a\n", "line 1, column 8: anchors and aliases must be written out")]
#[case::merge("types:\n  <<: {}\n", "line 2, column 3: merge keys ('<<') must be written out")]
#[case::tag("types: !mine {}", "line 1, column 14: tags but YAML's own must be left out")]
#[case::list_as_a_key("types: {? [a] : b}", "line 1, column 11: it must be YAML of mappings, lists and texts")]
#[case::null_as_a_key("types: {~: {}}", "line 1, column 9: it must be YAML of mappings, lists and texts")]
#[case::deep(
    "types: {a: {b: {c: {d: {e: {f: {g: {h: {}}}}}}}}}",
    "line 1, column 36: mappings and lists must be nested at most 8 deep"
)]
#[case::name_in_capitals(
    "types: {GitLab: {}}",
    "types.GitLab must have a name of 1 to 63 lower-case letters and digits, with '-' inside"
)]
#[case::name_empty(
    "types: {'': {}}",
    "types. must have a name of 1 to 63 lower-case letters and digits, with '-' inside"
)]
#[case::name_of_a_dash(
    "types: {a-: {}}",
    "types.a- must have a name of 1 to 63 lower-case letters and digits, with '-' inside"
)]
#[case::name_of_64(
    format!("types: {{{}: {{}}}}", "x".repeat(64)),
    format!("types.{} must have a name of 1 to 63 lower-case letters and digits, with '-' inside", "x".repeat(64))
)]
#[case::name_of_65(
    format!("types: {{{}: {{}}}}", "x".repeat(65)),
    format!("types.{}.. must have a name of 1 to 63 lower-case letters and digits, with '-' inside", "x".repeat(64))
)]
#[case::type_null("types:\n  a:\n", format!("types.a must be a mapping with the keys {FIELDS}"))]
#[case::type_text("types: {a: yes}", format!("types.a must be a mapping with the keys {FIELDS}"))]
#[case::unknown_field(with("canFly: true"), format!("types.a.canFly must be left out: a type has the keys {FIELDS}"))]
#[case::other_case(with("cansync: true"), format!("types.a.cansync must be left out: a type has the keys {FIELDS}"))]
#[case::nothing_set("types: {a: {}}", "types.a.canLoginRegister must be set, to true or false")]
#[case::a_half_override(
    "types: {jira: {canLoginRegister: true, allowsImplicitSignup: true}}",
    "types.jira.canSync must be set, to true or false"
)]
#[case::implicit_missing(
    "types: {jira: {canLoginRegister: true, canSync: true}}",
    "types.jira.allowsImplicitSignup must be set, to true or false"
)]
#[case::yes("types: {a: {canLoginRegister: yes}}", "types.a.canLoginRegister must be true or false")]
#[case::quoted("types: {a: {canLoginRegister: 'true'}}", "types.a.canLoginRegister must be true or false")]
#[case::number("types: {a: {canLoginRegister: 1}}", "types.a.canLoginRegister must be true or false")]
#[case::no_value("types: {a: {canLoginRegister: }}", "types.a.canLoginRegister must be true or false")]
#[case::infinity("types: {a: {canLoginRegister: .inf}}", "types.a.canLoginRegister must be true or false")]
#[case::config_null(with("requiredConfig:"), "types.a.requiredConfig must be a list, '[]' for none")]
#[case::config_mapping(with("requiredConfig: {key: a}"), "types.a.requiredConfig must be a list, '[]' for none")]
#[case::config_text(
    with("requiredConfig: [a]"),
    "types.a.requiredConfig[0] must be a mapping with key and, if it is to be a URL, format"
)]
#[case::config_unknown(
    with("requiredConfig: [{key: a}, {key: b, type: url}]"),
    "types.a.requiredConfig[1].type must be left out: an entry has key and format"
)]
#[case::config_no_key(
    with("requiredConfig: [{format: url}]"),
    "types.a.requiredConfig[0].key must be a text of 1 to 63 letters, digits, '-', '_' and '.'"
)]
#[case::config_number(
    with("requiredConfig: [{key: 1e3}]"),
    "types.a.requiredConfig[0].key must be a text: put it in quotes"
)]
#[case::config_slash(
    with("requiredConfig: [{key: a/b}]"),
    "types.a.requiredConfig[0].key must be a text of 1 to 63 letters, digits, '-', '_' and '.'"
)]
#[case::format_unknown(
    with("requiredConfig: [{key: a, format: uri}]"),
    "types.a.requiredConfig[0].format must be text or url"
)]
#[case::format_null(
    with("requiredConfig: [{key: a, format: }]"),
    "types.a.requiredConfig[0].format must be text or url"
)]
#[case::config_twice(
    with("requiredConfig: [{key: a}, {key: b}, {key: a, format: url}]"),
    "types.a.requiredConfig[2].key must differ from requiredConfig[0].key"
)]
#[case::config_33(
    with(&format!("requiredConfig: [{}]", (0..33).map(|key| format!("{{key: k{key}}}")).collect::<Vec<_>>().join(","))),
    "types.a.requiredConfig must have at most 32 entries"
)]
#[case::secrets_text(with("requiredSecretKeys: a"), "types.a.requiredSecretKeys must be a list, '[]' for none")]
#[case::secret_empty(
    with("requiredSecretKeys: ['']"),
    "types.a.requiredSecretKeys[0] must be a text of 1 to 63 letters, digits, '-', '_' and '.'"
)]
#[case::secret_of_64(
    with(&format!("requiredSecretKeys: [{}]", "x".repeat(64))),
    "types.a.requiredSecretKeys[0] must be a text of 1 to 63 letters, digits, '-', '_' and '.'"
)]
#[case::secret_bool(
    with("requiredSecretKeys: [true]"),
    "types.a.requiredSecretKeys[0] must be a text: put it in quotes"
)]
#[case::secret_dots(
    with("requiredSecretKeys: [..a]"),
    "types.a.requiredSecretKeys[0] must be a key that a Secret can have: neither '.' nor one that starts with '..'"
)]
#[case::secret_mapping(
    with("requiredSecretKeys: [{key: a}]"),
    "types.a.requiredSecretKeys[0] must be a text of 1 to 63 letters, digits, '-', '_' and '.'"
)]
#[case::secret_twice(
    with("requiredSecretKeys: [a, a]"),
    "types.a.requiredSecretKeys[1] must differ from requiredSecretKeys[0]"
)]
#[case::secret_and_none(
    with("requiredConfig: [{key: a}]\n    requiredSecretKeys: [b, a]"),
    "types.a.requiredSecretKeys[1] must differ from requiredConfig[0].key"
)]
#[case::secrets_33(
    with(&format!("requiredSecretKeys: [{}]", (0..33).map(|key| format!("k{key}")).collect::<Vec<_>>().join(","))),
    "types.a.requiredSecretKeys must have at most 32 entries"
)]
fn a_wrong_file_is_refused_with_the_place_and_the_cure(#[case] text: impl AsRef<str>, #[case] error: impl AsRef<str>) {
    let refused = parse(text.as_ref().as_bytes()).unwrap_err();
    assert_eq!(refused.to_string(), error.as_ref());
}

#[test]
fn what_is_no_text_or_expands_to_much_is_refused() {
    assert_eq!(parse(b"types: {a\xff: {}}"), Err(CatalogueError::NotText));
    let billion = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\ntypes: *c\n";
    let refused = parse(billion.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused, "line 1, column 7: anchors and aliases must be written out");
    let wide = format!("types: [{}]", "a,".repeat(100_000));
    let refused = parse(wide.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused, "line 1, column 200003: there must be at most 100000 keys and values");
    let deep = format!("types: {}", "[".repeat(500_000));
    let refused = parse(deep.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused, "line 1, column 263: it must be YAML: recursion limit exceeded");
}

#[test]
fn catalogues_differ_on_a_type_that_changed_and_on_unknown_ones_if_other_types_are_known() {
    let (before, after) = (Catalogue::default(), read(GITLAB));
    let differ = |one: &Catalogue, other: &Catalogue| {
        ["userpass", "jira", "gitlab", "ldap"].map(|name| (one.differs_on(name, other), other.differs_on(name, one)))
    };
    assert_eq!(differ(&before, &after), [(false, false), (false, false), (true, true), (true, true)]);
    let jira = read("types: {jira: {canLoginRegister: true, canSync: false, allowsImplicitSignup: true}}");
    assert_eq!(differ(&before, &jira), [(false, false), (true, true), (false, false), (false, false)]);
    assert_eq!(differ(&after, &read(GITLAB)), [(false, false); 4]);
}

proptest! {
    /// Whatever the file holds, it is read or refused in one line.
    #[test]
    fn no_file_breaks_it(bytes in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        "[ a-c:{}\\[\\]&*!?|>'\"\\-\n\t#,%]{0,120}".prop_map(String::into_bytes),
        ("(can(Sync|LoginRegister): ?(true|no|1)|requiredConfig: \\[(\\{key: [a-z]\\},?)*\\]|[a-z]*:)(\n {0,6})?")
            .prop_map(|more| with(&more).into_bytes()),
    ]) {
        if let Err(error) = parse(&bytes) {
            let told = error.to_string();
            prop_assert!(!told.is_empty() && !told.contains(char::is_control), "{told:?}");
        }
    }
}
