//! Common Media Client Data: any header field and any query is read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_model::Cmcd;

fuzz_target!(|input: (&str, &str)| {
    let (fields, query) = input;
    let _ = Cmcd::of_request(fields, "");
    let _ = Cmcd::of_request("", query);
    let _ = Cmcd::of_request("", &format!("CMCD={query}"));
});
