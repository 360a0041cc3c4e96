//! What the pages say of types is so.

use std::path::Path;

use idp_operator::domain::catalogue::{self, Catalogue, Format};

fn page(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The rows of a page's table of types: name, three capabilities, settings, secret keys.
fn told(page: &str) -> Vec<[String; 6]> {
    let (_, table) = page.split_once("## Types\n").unwrap();
    let rows =
        table.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
    let rows = rows.map(|row| {
        let cells: Vec<String> = row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
        <[String; 6]>::try_from(cells).unwrap()
    });
    let one_each = rows.flat_map(|row| {
        let names: Vec<String> = row[0].split(", ").map(str::to_owned).collect();
        names.into_iter().map(move |name| {
            let mut row = row.clone();
            row[0] = name;
            row
        })
    });
    one_each.collect()
}

fn is_so() -> Vec<[String; 6]> {
    let catalogue = Catalogue::default();
    let row = |name: &str| {
        let of = catalogue.get(name).unwrap();
        let can = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
        let config = of.required_config.iter().map(|required| match required.format {
            Format::Url => format!("{} (URL)", required.key),
            Format::Text => required.key.clone(),
        });
        [
            name.to_owned(),
            can(of.can.can_login_register),
            can(of.can.can_sync),
            can(of.can.allows_implicit_signup),
            config.collect::<Vec<_>>().join(", "),
            of.required_secret_keys.join(", "),
        ]
    };
    catalogue.names().map(row).collect()
}

#[test]
fn the_table_of_types_is_the_built_in_catalogue() {
    assert_eq!(told(&page("docs/strategy-instance.md")), is_so());
}

/// The YAML that follows this heading, from this line on.
fn yaml(page: &str, heading: &str, first: &str) -> String {
    let (_, section) = page.split_once(heading).unwrap();
    let (_, block) = section.split_once("```yaml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block[block.find(first).unwrap()..].to_owned()
}

#[test]
fn the_catalogues_that_pages_show_are_good() {
    let shown = yaml(&page("docs/strategy-instance.md"), "## The catalogue", "types:");
    assert!(catalogue::parse(shown.as_bytes()).unwrap().get("gitlab").is_some());
    let shown = yaml(&page("charts/idp-operator/README.md"), "## Strategy types", "strategyCatalog:");
    let shown = shown.replacen("strategyCatalog:", "types:", 1);
    assert!(catalogue::parse(shown.as_bytes()).unwrap().get("gitlab").is_some());
}
