use proptest::prelude::*;

use super::*;

const MODULE: &[u8] = b"the bytes of a module";
const NOW: WallTime = WallTime(1_795_000_000_000);

fn signed_by(key: &SigningKey) -> Manifest {
    key.sign(MODULE, "edge-1", 3, NOW).unwrap()
}

fn pinned(keys: &[&SigningKey]) -> EdgeKeys {
    keys.iter().map(|key| key.public()).collect()
}

#[test]
fn whatever_a_pinned_key_has_signed_is_trusted() {
    let (old, new) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let keys = pinned(&[&old, &new]);
    assert_eq!(keys.verify(&signed_by(&old), MODULE), Ok(()));
    assert_eq!(keys.verify(&signed_by(&new), MODULE), Ok(()));
}

#[test]
fn nobody_else_is() {
    let (ours, theirs) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let keys = pinned(&[&ours]);
    let good = signed_by(&ours);

    assert_eq!(
        EdgeKeys::default().verify(&good, MODULE),
        Err(Untrusted::NoKeys)
    );
    let foreign = signed_by(&theirs);
    let unknown = Untrusted::UnknownKey(foreign.key.clone());
    assert_eq!(keys.verify(&foreign, MODULE), Err(unknown));

    let wrong = || Untrusted::WrongSignature(good.key.clone());
    let check = |change: fn(&mut Manifest)| {
        let mut manifest = good.clone();
        change(&mut manifest);
        assert_eq!(keys.verify(&manifest, MODULE), Err(wrong()), "{manifest:?}");
    };
    check(|m| m.name = "edge-2".to_owned());
    check(|m| m.sha256.0[0] ^= 1);
    check(|m| m.bytes += 1);
    check(|m| m.abi += 1);
    check(|m| m.created_at.0 += 1);
    check(|m| m.signature = "no base64!".to_owned());
    check(|m| m.signature.clear());
    // One who names our key has to have it.
    let forged = Manifest {
        key: good.key.clone(),
        ..foreign
    };
    assert_eq!(keys.verify(&forged, MODULE), Err(wrong()));

    let found = hash(b"other bytes");
    let other = Untrusted::OtherBytes {
        signed: good.sha256,
        found,
    };
    assert_eq!(keys.verify(&good, b"other bytes"), Err(other));
    let nameless = Manifest {
        name: String::new(),
        ..good
    };
    let refused = keys.verify(&nameless, MODULE);
    assert!(
        matches!(refused, Err(Untrusted::Manifest(_))),
        "{refused:?}"
    );
}

#[test]
fn keys_are_read_as_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let (private, public) = (
        folder.path().join("edge.key"),
        folder.path().join("edge.pub"),
    );
    let (key, other) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    fs::write(&private, key.to_pem().unwrap()).unwrap();
    // A file may hold several keys, and text around them.
    let both = format!(
        "since May\n{}\n{}",
        key.public().to_pem(),
        other.public().to_pem()
    );
    fs::write(&public, both).unwrap();

    let read = SigningKey::read(&private).unwrap();
    assert_eq!(read.public(), key.public());
    let keys = EdgeKeys::read(&[&public]).unwrap();
    assert_eq!(keys, pinned(&[&key, &other]));
    assert_eq!(keys.verify(&signed_by(&read), MODULE), Ok(()));
}

/// The keys of RFC 8410 section 10, as OpenSSL writes such.
#[test]
fn keys_of_others_are_taken() {
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";
    let folder = tempfile::tempdir().unwrap();
    let (private, public) = (folder.path().join("key"), folder.path().join("pub"));
    fs::write(&private, PRIVATE).unwrap();
    fs::write(&public, PUBLIC).unwrap();
    let key = SigningKey::read(&private).unwrap();
    assert_eq!(EdgeKey::read(&public).unwrap(), [key.public()]);
    assert_eq!(key.public().to_pem(), PUBLIC);
}

#[test]
fn files_without_keys_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    assert!(matches!(EdgeKey::read(&path), Err(KeyError::Read { .. })));
    fs::write(&path, "nothing").unwrap();
    assert!(matches!(EdgeKey::read(&path), Err(KeyError::Pem { .. })));
    assert!(matches!(SigningKey::read(&path), Err(KeyError::Pem { .. })));
    let other_kind = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    fs::write(&path, other_kind.public_key_pem()).unwrap();
    assert!(matches!(EdgeKey::read(&path), Err(KeyError::Kind { .. })));
    fs::write(&path, other_kind.serialize_pem()).unwrap();
    assert!(matches!(
        SigningKey::read(&path),
        Err(KeyError::Kind { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_signature_is_right_by_chance(signature in prop::collection::vec(any::<u8>(), 0..80)) {
        let key = SigningKey(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());
        let mut manifest = signed_by(&key);
        manifest.signature = BASE64.encode(&signature);
        let refused = pinned(&[&key]).verify(&manifest, MODULE);
        prop_assert!(matches!(refused, Err(Untrusted::WrongSignature(_))));
    }
}
