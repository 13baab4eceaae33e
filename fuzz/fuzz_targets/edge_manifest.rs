//! Manifests of edge modules and statuses of points of presence: what is within its bounds reads
//! back the same, and nothing else can hide in what is signed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_model::rollout::{Manifest, Status};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes)
        && manifest.check().is_ok()
    {
        let json = serde_json::to_vec(&manifest).expect("a manifest is JSON");
        assert_eq!(serde_json::from_slice::<Manifest>(&json).ok(), Some(manifest.clone()));
        let signed = manifest.signed();
        assert_eq!(signed.iter().filter(|byte| **byte == b'\n').count(), 6);
    }
    if let Ok(status) = serde_json::from_slice::<Status>(bytes)
        && status.is_bounded()
    {
        let json = serde_json::to_vec(&status).expect("a status is JSON");
        assert_eq!(serde_json::from_slice::<Status>(&json).ok(), Some(status));
    }
});
