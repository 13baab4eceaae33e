//! The codec between the edge guest and its hosts: what is read can be written and reads back the
//! same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_edge_abi::{BodyCheck, Config, Plan, Request, Verdict};

fuzz_target!(|message: &[u8]| {
    let mut buffer = vec![0; message.len() + 64];
    if let Ok(config) = Config::decode(message) {
        let len = config.encode(&mut buffer).expect("it came in fewer bytes");
        assert_eq!(&buffer[..len], message);
    }
    if let Ok(request) = Request::decode(message) {
        let len = request.encode(&mut buffer).expect("it came in fewer bytes");
        assert_eq!(Request::decode(&buffer[..len]), Ok(request));
    }
    if let Ok(plan) = Plan::decode(message) {
        let len = plan.encode(&mut buffer).expect("it came in fewer bytes");
        assert_eq!(Plan::decode(&buffer[..len]), Ok(plan));
    }
    if let Ok(check) = BodyCheck::decode(message) {
        let len = check.encode(&mut buffer).expect("it came in fewer bytes");
        assert_eq!(BodyCheck::decode(&buffer[..len]), Ok(check));
    }
    if let Ok(verdict) = Verdict::decode(message) {
        let len = verdict.encode(&mut buffer).expect("it came in fewer bytes");
        assert_eq!(Verdict::decode(&buffer[..len]), Ok(verdict));
    }
});
