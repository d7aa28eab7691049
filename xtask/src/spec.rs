//! `xtask spec`: the tables of operations against a list of facts, the coverage page, and the specifications where they are at hand.

mod texts;

use anyhow::{Context, Result, bail, ensure};
use oriel_soap::operation::Table;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One service of the facts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    name: String,
    module: String,
    namespace: String,
    document: String,
    edition: String,
    operations: Vec<Fact>,
}

/// Name of the request, section (empty: no class in the text) and access class of an operation.
#[derive(Debug, Deserialize)]
pub(crate) struct Fact(String, String, String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    service: Vec<Service>,
}

/// Compares the tables with the facts and the coverage page with both; `update` writes the page instead.
///
/// # Errors
/// A table, the page or a specification says something else.
pub(crate) fn run(update: bool) -> Result<()> {
    let root = workspace_root();
    let facts: Facts =
        toml::from_str(include_str!("../facts/operations.toml")).context("xtask/facts/operations.toml")?;
    let tables = oriel_onvif::tables();
    ensure!(facts.service.len() == tables.len(), "{} tables and {} services", tables.len(), facts.service.len());
    let mut wrong = Vec::new();
    let mut page = String::from(HEAD);
    for service in &facts.service {
        let table = tables.iter().find(|table| table.service.uri == service.namespace);
        let table = table.with_context(|| format!("no table for {}", service.namespace))?;
        compare(service, table, &mut wrong);
        chapter(service, table, &mut page)?;
    }
    texts::compare(&root.join("../shared/onvif"), &facts.service, &mut wrong)?;
    if !wrong.is_empty() {
        bail!("the tables of operations are wrong:\n  {}", wrong.join("\n  "));
    }
    write_or_check(&root.join("docs/ref/coverage.md"), &page, update)
}

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn compare(service: &Service, table: &Table, wrong: &mut Vec<String>) {
    let mut listed = BTreeSet::new();
    for Fact(name, _, access) in &service.operations {
        if !listed.insert(name.as_str()) {
            wrong.push(format!("{}: {name} is listed twice", service.name));
        }
        match table.find(name) {
            None => wrong.push(format!("{}: {name} is not in the table", service.name)),
            Some(row) if row.access.name() != access => {
                wrong.push(format!("{}: {name} is {access}, the table says {}", service.name, row.access));
            }
            Some(_) => {}
        }
    }
    for row in table.rows {
        if !listed.contains(row.name) {
            wrong.push(format!("{}: {} is in the table and not in the facts", service.name, row.name));
        }
    }
    let names: BTreeSet<_> = table.rows.iter().map(|row| row.name).collect();
    if names.len() != table.rows.len() {
        wrong.push(format!("{}: the table has a row twice", service.name));
    }
}

const HEAD: &str = "\
# Coverage

Every operation of the services that we know, by the name of its request. *Typed*: its request and response are structs of
`crates/onvif`, so that it can be called and offered by name; for the others rights are decided too, at the gateway and at the bridge,
and `oriel call` calls them. A device answers an operation that it does not offer with `ter:ActionNotSupported` if it has the service
(Device management, Uplink, Security), with `ter:UnknownAction` if not. A section of `–` means: in the WSDL, without a class in the text.

Written by `cargo xtask spec --write` from the tables and `xtask/facts/operations.toml`.
";

fn chapter(service: &Service, table: &Table, page: &mut String) -> Result<()> {
    let typed = table.rows.iter().filter(|row| row.response.is_some()).count();
    write!(
        page,
        "\n## {} ({} {}, `onvif::{}`)\n\n{typed} of {} operations are typed.\n\n\
         | operation | section | access class | typed |\n|---|---|---|---|\n",
        service.name,
        service.document,
        service.edition,
        service.module,
        table.rows.len(),
    )?;
    for Fact(name, section, access) in &service.operations {
        let section = if section.is_empty() { "–" } else { section };
        let typed = table.find(name).is_some_and(|row| row.response.is_some());
        writeln!(page, "| {name} | {section} | {access} | {} |", if typed { "yes" } else { "" })?;
    }
    Ok(())
}

fn write_or_check(path: &Path, page: &str, update: bool) -> Result<()> {
    if update {
        std::fs::create_dir_all(path.parent().unwrap_or(path))?;
        return std::fs::write(path, page).with_context(|| path.display().to_string());
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    ensure!(found == page, "docs/ref/coverage.md is not what the tables say: run cargo xtask spec --write");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_page_and_texts_agree() {
        run(false).unwrap();
    }

    #[test]
    fn a_difference_is_named() {
        let fact = |name: &str, access: &str| Fact(name.into(), String::new(), access.into());
        let service = Service {
            name: "Uplink".into(),
            module: "uplink".into(),
            namespace: String::new(),
            document: String::new(),
            edition: String::new(),
            operations: vec![
                fact("GetUplinks", "WRITE_SYSTEM"),
                fact("SetUplink", "WRITE_SYSTEM"),
                fact("SetUplink", "WRITE_SYSTEM"),
                fact("GetServiceCapabilities", "PRE_AUTH"),
                fact("Fly", "ACTUATE"),
            ],
        };
        let mut wrong = Vec::new();
        compare(&service, &oriel_onvif::uplink::TABLE, &mut wrong);
        let expected = [
            "Uplink: GetUplinks is WRITE_SYSTEM, the table says READ_SYSTEM",
            "Uplink: SetUplink is listed twice",
            "Uplink: Fly is not in the table",
            "Uplink: DeleteUplink is in the table and not in the facts",
        ];
        assert_eq!(wrong, expected);
    }
}
