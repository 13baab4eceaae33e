use proptest::prelude::*;

use super::*;

fn manifest() -> Manifest {
    Manifest {
        name: "edge-2026.11".to_owned(),
        sha256: ModuleHash([0xab; 32]),
        bytes: 40_000,
        abi: 3,
        created_at: WallTime(1_795_000_000_000),
        key: "0123456789abcdef".to_owned(),
        signature: "c2lnbmF0dXJl".to_owned(),
    }
}

#[test]
fn is_one_json_object() {
    let json = serde_json::to_string(&manifest()).unwrap();
    let hash = "ab".repeat(32);
    assert_eq!(
        json,
        format!(
            r#"{{"name":"edge-2026.11","sha256":"{hash}","bytes":40000,"abi":3,"created_at":1795000000000,"key":"0123456789abcdef","signature":"c2lnbmF0dXJl"}}"#
        )
    );
    assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest());
    let stranger = json.replace(r#""abi":3"#, r#""abi":3,"trust":"me""#);
    assert!(serde_json::from_str::<Manifest>(&stranger).is_err());
}

#[test]
fn the_signature_is_over_every_field_that_says_something() {
    let signed = manifest().signed();
    let changes: [fn(&mut Manifest); 5] = [
        |m| m.name = "other".to_owned(),
        |m| m.sha256.0[31] ^= 1,
        |m| m.bytes += 1,
        |m| m.abi += 1,
        |m| m.created_at.0 += 1,
    ];
    for (n, change) in changes.iter().enumerate() {
        let mut other = manifest();
        change(&mut other);
        assert_ne!(other.signed(), signed, "change {n}");
    }
}

#[test]
fn fields_out_of_bounds_are_refused() {
    let check = |change: fn(&mut Manifest), expected: Result<(), InvalidManifest>| {
        let mut manifest = manifest();
        change(&mut manifest);
        assert_eq!(manifest.check(), expected);
    };
    check(|_| {}, Ok(()));
    let name = |name: &str| Err(InvalidManifest::Name(name.to_owned()));
    check(|m| m.name.clear(), name(""));
    check(|m| m.name = "a\nb".to_owned(), name("a\nb"));
    check(|m| m.name = "x".repeat(65), name(&"x".repeat(64)));
    check(|m| m.bytes = 0, Err(InvalidManifest::Size(0)));
    let large = MAX_MODULE as u64 + 1;
    check(
        |m| m.bytes = MAX_MODULE as u64 + 1,
        Err(InvalidManifest::Size(large)),
    );
    check(
        |m| m.key = "XYZ".to_owned(),
        Err(InvalidManifest::Key("XYZ".to_owned())),
    );
}

#[test]
fn texts_are_cut_between_characters() {
    assert_eq!(shortened("äöü", 3), "ä");
    assert_eq!(shortened("abc", 9), "abc");
    assert_eq!(shortened("ä", 0), "");
}

proptest! {
    #[test]
    fn hashes_read_back_as_they_are_written(bytes: [u8; 32]) {
        let hash = ModuleHash(bytes);
        prop_assert_eq!(hash.to_string().parse(), Ok(hash));
    }

    #[test]
    fn what_is_no_hash_is_refused(text in "[0-9a-fA-F]{0,80}") {
        let lower = text.len() == 64 && !text.bytes().any(|c| c.is_ascii_uppercase());
        prop_assert_eq!(text.parse::<ModuleHash>().is_ok(), lower);
    }
}
