//! Who may import whom. ARCHITECTURE.md says why.

use super::Package;

/// Each of our packages with all of ours that it may depend on.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("weir-model", &[]),
    ("weir-media", &["weir-model"]),
    ("weir-stats", &["weir-model"]),
    ("weir-srt", &[]),
    ("weir-edge-abi", &["weir-model"]),
    ("weir-ingest", &["weir-model", "weir-media"]),
    ("weir-transcoder", &["weir-model", "weir-media"]),
    (
        "weir-edge-worker",
        &["weir-model", "weir-media", "weir-stats", "weir-edge-abi"],
    ),
    (
        "weir-player-wasm",
        &["weir-model", "weir-media", "weir-stats"],
    ),
    (
        "weir-edge-rooms",
        &["weir-model", "weir-edge-abi", "weir-edge-worker"],
    ),
    (
        "weir-origin",
        &[
            "weir-model",
            "weir-media",
            "weir-ingest",
            "weir-stats",
            "weir-srt",
        ],
    ),
    ("weir-pop", &["weir-model", "weir-edge-abi"]),
    ("weir-weir", &["weir-model", "weir-origin", "weir-pop"]),
    ("weir-xtask", &[]),
    // These drive public surfaces, and read formats.
    ("weir-tests", &["weir-model", "weir-media"]),
    (
        "weir-bench",
        &[
            "weir-model",
            "weir-media",
            "weir-stats",
            "weir-edge-abi",
            "weir-edge-worker",
            "weir-origin",
            "weir-player-wasm",
            "weir-pop",
            "weir-tests",
        ],
    ),
];

/// What tests may import on top: the PoP compares the guest's answers with the native ones.
const TESTS_MAY_IMPORT: &[(&str, &str)] = &[("weir-pop", "weir-edge-worker")];

/// Every import that is not in the tables, and every feature.
pub(super) fn check(packages: &[Package]) -> Vec<String> {
    let ours: Vec<&Package> = packages
        .iter()
        .filter(|package| package.source.is_none())
        .collect();
    let mut breaches = Vec::new();
    for package in &ours {
        let name = package.name.as_str();
        let Some((_, may_import)) = MAY_IMPORT.iter().find(|(known, _)| *known == name) else {
            breaches.push(format!("{name}: has no place in xtask's tidy/graph.rs"));
            continue;
        };
        for dependency in &package.dependencies {
            let other = dependency.name.as_str();
            let is_ours = ours.iter().any(|package| package.name == other);
            let in_tests = dependency.kind.as_deref() == Some("dev")
                && TESTS_MAY_IMPORT.contains(&(name, other));
            if is_ours && !may_import.contains(&other) && !in_tests {
                breaches.push(format!("{name}: must not import {other}"));
            }
        }
        if !package.features.is_empty() {
            breaches.push(format!("{name}: has cargo features; ours have none"));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Dependency;

    fn package(name: &str, imports: &[(&str, Option<&str>)]) -> Package {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
        };
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            license: None,
            source: None,
            features: serde_json::Map::new(),
            dependencies: imports.iter().map(dependency).collect(),
        }
    }

    #[test]
    fn imports_go_one_way() {
        let model = package("weir-model", &[("weir-media", None)]);
        let media = package("weir-media", &[("weir-model", None), ("bytes", None)]);
        assert_eq!(
            check(&[model, media]),
            ["weir-model: must not import weir-media"]
        );
    }

    #[test]
    fn what_tests_may_import_the_rest_may_not() {
        let worker = package("weir-edge-worker", &[]);
        let in_tests = package("weir-pop", &[("weir-edge-worker", Some("dev"))]);
        assert!(check(&[worker, in_tests]).is_empty());
        let worker = package("weir-edge-worker", &[]);
        let linked = package("weir-pop", &[("weir-edge-worker", None)]);
        assert_eq!(check(&[worker, linked]).len(), 1);
    }
}
