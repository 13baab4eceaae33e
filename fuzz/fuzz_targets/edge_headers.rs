//! What points of presence say of themselves: a way that is read reads back the same, and no
//! signature is right by chance.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_model::edge::{EdgeSecrets, Hops, Signed};

fuzz_target!(|value: &str| {
    if let Ok(hops) = Hops::parse(value) {
        assert_eq!(Hops::parse(&hops.to_string()), Ok(hops));
    }
    let Ok(secrets) = EdgeSecrets::parse("a secret of at least 32 characters") else {
        unreachable!("it is long enough")
    };
    let signed = Signed {
        method: "GET",
        target: "/",
        pop: value,
        country: "",
    };
    assert!(secrets.verify(&signed, Some(value), 0).is_err());
    let _ = EdgeSecrets::parse(value);
});
