//! What is counted under Cloudflare's runtime: a data point of Analytics Engine for each request, as
//! workerd hands it on.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;
#[path = "support/workerd.rs"]
mod workerd;

use serde_json::Value;
use support::{
    client::Call,
    origin::{Origin, wait_until},
};
use workerd::Setup;

const SEGMENT: &str = "/v/oabcdefghijk/3/480p/12.m4s";

/// The texts and numbers of a data point, in their order; texts come as lists of bytes.
fn columns(point: &Value) -> (Vec<String>, Vec<f64>) {
    let text = |n: usize| {
        let bytes = point[format!("blob{n}")].as_array();
        let bytes = bytes.into_iter().flatten();
        let bytes = bytes.map(|byte| byte.as_u64().unwrap() as u8).collect();
        String::from_utf8(bytes).unwrap()
    };
    let number = |n: usize| point[format!("double{n}")].as_f64().unwrap();
    ((1..=6).map(text).collect(), (1..=6).map(number).collect())
}

#[test]
fn every_request_is_a_data_point() {
    let (origin, counts) = (Origin::echo(), Origin::echo());
    let edge = Setup::counting(counts.address).start(origin.address);
    let target = format!("{SEGMENT}?CMCD=bl%3D2100%2Cbr%3D3200%2Cbs%2Cmtp%3D25400%2Cot%3Dv%2Csu");
    let from_france =
        Call::new("GET", &target).field("cf-blob", r#"{"country":"FR","colo":"CDG"}"#);
    assert_eq!(from_france.send(edge.address).status, 200);
    let refused = Call::new("GET", "/v/pabcdefghijk/index.m3u8").send(edge.address);
    assert_eq!(refused.status, 403);

    wait_until("two data points", || counts.asked().len() == 2);
    let mut points: Vec<Value> = counts
        .asked()
        .iter()
        .map(|asked| serde_json::from_slice(&asked.body).unwrap())
        .collect();
    points.sort_by_key(|point| point["double1"].as_f64().unwrap() as u16);
    let (texts, numbers) = columns(&points[0]);
    assert_eq!(
        texts,
        ["segment", "serve", "weir; fwd=miss", "FR", "CDG", "v"]
    );
    assert_eq!(numbers, [200.0, 1.0, 1.0, 3200.0, 25_400.0, 2100.0]);
    let (texts, numbers) = columns(&points[1]);
    assert_eq!(texts, ["multivariant", "deny", "", "", "", ""]);
    assert_eq!(numbers, [403.0, -1.0, -1.0, -1.0, -1.0, -1.0]);
}
