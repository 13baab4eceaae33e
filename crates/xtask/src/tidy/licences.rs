//! Every dependency's licence is one that `deny.toml` allows, so that `cargo deny` is not needed
//! to know.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result};
use serde::Deserialize;
use spdx::{Expression, LicenseReq, ParseMode};

use super::Package;
use crate::repo;

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

/// Every package whose licence is not allowed.
pub(super) fn check(packages: &[Package]) -> Result<Vec<String>> {
    let deny = fs::read_to_string(repo::path("deny.toml")).context("deny.toml")?;
    let allow = toml::from_str::<Deny>(&deny)
        .context("deny.toml")?
        .licenses
        .allow;
    let breach = |package: &Package| {
        let licence = package.license.as_deref().unwrap_or("none");
        let named = format!("{} {}: licence {licence}", package.name, package.version);
        (!is_allowed(licence, &allow)).then(|| format!("{named} is not in deny.toml"))
    };
    Ok(packages.iter().filter_map(breach).collect())
}

fn is_allowed(licence: &str, allow: &BTreeSet<String>) -> bool {
    let allowed = |required: &LicenseReq| allow.contains(&required.to_string());
    // Lax, for crates of old that write `MIT/Apache-2.0`.
    Expression::parse_mode(licence, ParseMode::LAX)
        .is_ok_and(|expression| expression.evaluate(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_expressions() {
        let allow = ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"];
        let allow = allow.map(str::to_owned).into();
        let check =
            |licence, expected| assert_eq!(is_allowed(licence, &allow), expected, "{licence}");
        check("MIT OR Apache-2.0", true);
        check("MIT/Apache-2.0", true);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("Apache-2.0", false);
        check("MIT AND GPL-3.0", false);
        check("none", false);
    }
}
