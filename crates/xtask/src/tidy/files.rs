//! Length, leftovers, paths of somebody's machine, unsafe code.

use std::{fs, path::Path, process::Command};

use anyhow::Result;

use crate::{repo, run};

/// Lines of code, which are those that hold neither nothing nor only a comment.
const LONGEST_FILE: usize = 500;

/// The modules that talk to C or are called from outside Wasm, and nothing else.
const MAY_BE_UNSAFE: &[&str] = &[
    "crates/edge-worker/src/abi.rs",
    "crates/player-wasm/src/heap.rs",
    "crates/pop/src/cache/pages.rs",
    "crates/srt/src/ffi.rs",
    "crates/transcoder/src/av/ffi.rs",
    "crates/weir/src/heap.rs",
];

/// Every breach in the files that git knows or would take.
pub(super) fn check() -> Result<Vec<String>> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let list = run::output(list.current_dir(repo::root()))?;
    let mut breaches = Vec::new();
    for path in list.lines() {
        // A file may be deleted and still be in the index; an image has no lines.
        if let Ok(text) = fs::read_to_string(repo::path(path)) {
            breaches.extend(check_file(path, &text));
        }
    }
    Ok(breaches)
}

fn check_file(path: &str, text: &str) -> Vec<String> {
    // This file names what it looks for.
    if path.ends_with("tidy/files.rs") {
        return Vec::new();
    }
    let extension = Path::new(path)
        .extension()
        .unwrap_or_default()
        .to_string_lossy();
    let mut breaches = Vec::new();
    if matches!(&*extension, "rs" | "ts" | "js" | "mjs") {
        let length = lines_of_code(path, text);
        if length > LONGEST_FILE {
            breaches.push(format!(
                "{path}: {length} lines of code; {LONGEST_FILE} is the most"
            ));
        }
        breaches.extend(leftovers(path, text));
    }
    if extension == "rs" && !MAY_BE_UNSAFE.contains(&path) && allows_unsafe(text) {
        breaches.push(format!("{path}: is not a module that may be unsafe"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if names_a_machine(line) {
            breaches.push(format!(
                "{path}:{number}: names a path of somebody's machine"
            ));
        }
    }
    if path.ends_with("package-lock.json") && text.contains("\"resolved\"") {
        breaches.push(format!(
            "{path}: names a registry; set omit-lockfile-registry-resolved"
        ));
    }
    breaches
}

/// Of what is shipped: tests may be as long as they need.
fn lines_of_code(path: &str, text: &str) -> usize {
    let is_test = path
        .split('/')
        .any(|piece| matches!(piece, "tests" | "tests.rs"))
        || path.ends_with(".test.ts");
    let is_generated = path.ends_with(".d.ts");
    if is_test || is_generated {
        return 0;
    }
    let shipped = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let is_code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !["//", "/*", "*"].iter().any(|mark| line.starts_with(mark))
    };
    shipped.lines().filter(is_code).count()
}

fn leftovers(path: &str, text: &str) -> Vec<String> {
    const LEFTOVERS: [&str; 6] = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "dbg!("];
    let breach = |(number, line): (usize, &str)| {
        let found = LEFTOVERS
            .iter()
            .find(|leftover| line.contains(**leftover))?;
        Some(format!("{path}:{number}: {found}"))
    };
    (1..).zip(text.lines()).filter_map(breach).collect()
}

fn allows_unsafe(text: &str) -> bool {
    text.lines()
        .any(|line| line.contains("allow(unsafe_code") || line.contains("unsafe {"))
}

fn names_a_machine(line: &str) -> bool {
    // In code, in prose, in quotes; not the end of a longer path such as `/var/root/`.
    ["/root/", "/home/", "/Users/"].iter().any(|home| {
        line.find(home).is_some_and(|at| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '}')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_code_that_is_shipped() {
        let text =
            "//! Why.\n\nuse x;\n\n/// What.\nfn f() {}\n\n#[cfg(test)]\nmod tests {\nlong\n}\n";
        assert_eq!(lines_of_code("src/lib.rs", text), 2);
        assert_eq!(lines_of_code("tests/tests/ingest.rs", text), 0);
    }

    #[test]
    fn finds_each_breach() {
        let check = |path: &str, text: &str, breaches: usize| {
            assert_eq!(check_file(path, text).len(), breaches, "{text}");
        };
        check("a.rs", "fn f() {}", 0);
        check("a.rs", &"f();\n".repeat(501), 1);
        check("a.rs", "// TODO: more", 1);
        check("a.rs", "unsafe { f() }", 1);
        check("a.md", "see /home/somebody/notes", 1);
        check("a.md", "https://example.org/home/", 0);
        check("www/package-lock.json", "\"resolved\": \"x\"", 1);
    }
}
