//! Content steering: which of several places a player is to load from, by how well they are and
//! by what it measured itself. The manifest is the same for HLS (draft-rfc8216bis section 7) and
//! DASH (ETSI TS 103 998).

use std::{borrow::Cow, fmt::Write};

use weir_edge_abi::{Action, Class, Config, Pathway, Plan, Request, Response};
use weir_model::{
    VideoId,
    json::write_text,
    token::{Grace, bare},
};

use crate::{
    admission::admit,
    answer::{Methods, OWN_JSON},
};

const CLASS: Class = Class::Api;

/// `/v/{video}/steering.json`, optionally under `/t/{token}`: relative to playlist and manifest.
const FILE: &str = "/steering.json";
/// The pathway of what playlists and manifests list themselves: where they were loaded from.
const BASE: &str = ".";
/// A player that measures less, in bit/s, is better off anywhere else that is well.
const POOR_THROUGHPUT: u64 = 1_000_000;
/// While a place is not well, players ask again after so many seconds.
const WATCHFUL_TTL_S: u32 = 30;

/// How a pathway is, the better the less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Well,
    Ailing,
    Poor,
    Gone,
}

impl Standing {
    /// Of a health from 0 to 100.
    fn of(health: u8) -> Self {
        match health {
            0 => Self::Gone,
            1..=29 => Self::Poor,
            30..=69 => Self::Ailing,
            70.. => Self::Well,
        }
    }
}

/// The video whose steering manifest `path` names.
pub(crate) fn video_of(path: &str) -> Option<VideoId> {
    let path = bare(path).strip_suffix(FILE)?;
    path.strip_prefix("/v/")?.parse().ok()
}

pub(crate) fn decide<'a>(config: &Config, request: &Request<'a>, video: VideoId) -> Plan<'a> {
    if let Some(answer) = Methods::Read.answer(CLASS, request.method) {
        return answer;
    }
    match admit(config, request, video, Grace::None) {
        Err(denial) => denial.plan(CLASS),
        Ok(admission) => {
            let response = Response {
                status: 200,
                fields: OWN_JSON,
                body: manifest(config, request).into_bytes().into(),
            };
            admission.plan(CLASS, Action::Respond(response))
        }
    }
}

fn manifest(config: &Config, request: &Request<'_>) -> String {
    let ranked = rank(&config.pathways, request);
    let all_well = ranked
        .iter()
        .all(|(standing, _)| *standing == Standing::Well);
    let ttl_s = match all_well {
        true => config.steering_ttl_s,
        false => config.steering_ttl_s.min(WATCHFUL_TTL_S),
    };
    let mut json = format!(r#"{{"VERSION":1,"TTL":{ttl_s},"RELOAD-URI":"steering.json""#);
    json.push_str(r#","PATHWAY-PRIORITY":["#);
    let there = ranked
        .iter()
        .filter(|(standing, _)| *standing != Standing::Gone);
    for (_, pathway) in there {
        write_text(&mut json, &pathway.id);
        json.push(',');
    }
    write_text(&mut json, BASE);
    json.push(']');
    if !config.pathways.is_empty() {
        json.push_str(r#","PATHWAY-CLONES":["#);
        for (at, pathway) in config.pathways.iter().enumerate() {
            json.push_str(if at == 0 { "" } else { "," });
            write_clone(&mut json, pathway);
        }
        json.push(']');
    }
    json.push('}');
    json
}

/// A clone differs from what the playlists list by its host alone.
fn write_clone(json: &mut String, pathway: &Pathway) {
    // Writing to a string cannot fail.
    let _ = write!(json, r#"{{"BASE-ID":"{BASE}","ID":"#);
    write_text(json, &pathway.id);
    json.push_str(r#","URI-REPLACEMENT":{"HOST":"#);
    let url = pathway.base_url.as_str();
    let authority = url
        .split_once("://")
        .map_or(url, |(_, authority)| authority);
    write_text(json, authority.trim_end_matches('/'));
    json.push_str("}}");
}

/// The best first, and of those that are alike the one that is configured first.
fn rank<'c>(pathways: &'c [Pathway], request: &Request<'_>) -> Vec<(Standing, &'c Pathway)> {
    let slow = poor_pathway(request.query);
    let standing = |(at, pathway): (usize, &'c Pathway)| {
        let health = request.pathway_health.get(at).copied().unwrap_or(100);
        let standing = match Standing::of(health) {
            Standing::Well if slow.as_deref() == Some(&pathway.id) => Standing::Ailing,
            standing => standing,
        };
        (standing, pathway)
    };
    let mut ranked: Vec<_> = pathways.iter().enumerate().map(standing).collect();
    ranked.sort_by_key(|(standing, _)| *standing);
    ranked
}

/// The pathway that the player is on, if what it measures there is poor.
fn poor_pathway(query: &str) -> Option<Cow<'_, str>> {
    let value = |names: [&str; 2]| {
        query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            names.contains(&name).then_some(value)
        })
    };
    let throughput = value(["_HLS_throughput", "_DASH_throughput"])?;
    let throughput: u64 = throughput.parse().ok()?;
    if throughput >= POOR_THROUGHPUT {
        return None;
    }
    // In DASH it is quoted, and a list whose first is the latest.
    let quoted = value(["_HLS_pathway", "_DASH_pathway"])?;
    let unquoted = quoted
        .replace("%22", "")
        .replace('"', "")
        .replace("%2C", ",");
    let latest = unquoted.split(',').next()?;
    Some(Cow::Owned(latest.to_owned()))
}

#[cfg(test)]
mod tests {
    use weir_edge_abi::Method;

    use super::*;

    fn answer(health: &[u8], query: &str) -> serde_json::Value {
        let pathway = |id: &str| Pathway {
            id: id.to_owned(),
            base_url: format!("https://{id}.example.org:8443/"),
        };
        let config = Config {
            pathways: vec![pathway("fra"), pathway("par")],
            ..Config::default()
        };
        let request = Request {
            pathway_health: health,
            ..Request::new(Method::Get, "/v/oabcdefghijk/steering.json", query)
        };
        serde_json::from_str(&manifest(&config, &request)).unwrap()
    }

    #[test]
    fn healthy_pathways_come_first() {
        let check = |health: &[u8], query, expected: &[&str]| {
            assert_eq!(
                answer(health, query)["PATHWAY-PRIORITY"],
                serde_json::json!(expected),
                "{health:?} {query}"
            );
        };
        check(&[], "", &["fra", "par", "."]);
        check(&[90, 100], "", &["fra", "par", "."]);
        check(&[50, 100], "", &["par", "fra", "."]);
        check(&[0, 10], "", &["par", "."]);
        check(&[0, 0], "", &["."]);
        let slow = "_HLS_pathway=fra&_HLS_throughput=900000";
        check(&[], slow, &["par", "fra", "."]);
        check(&[100, 20], slow, &["fra", "par", "."]);
        let quick = "_HLS_pathway=fra&_HLS_throughput=9000000";
        check(&[], quick, &["fra", "par", "."]);
        let dash = "_DASH_pathway=%22fra%2Cpar%22&_DASH_throughput=5000";
        check(&[], dash, &["par", "fra", "."]);
    }

    #[test]
    fn clones_replace_the_host() {
        let manifest = answer(&[100, 40], "");
        assert_eq!(manifest["VERSION"], 1);
        assert_eq!(manifest["TTL"], WATCHFUL_TTL_S);
        assert_eq!(manifest["RELOAD-URI"], "steering.json");
        assert_eq!(
            manifest["PATHWAY-CLONES"][1],
            serde_json::json!({
                "BASE-ID": ".",
                "ID": "par",
                "URI-REPLACEMENT": { "HOST": "par.example.org:8443" },
            })
        );
    }

    #[test]
    fn paths_name_a_video() {
        let video = "pabcdefghijk".parse().ok();
        assert_eq!(video_of("/v/pabcdefghijk/steering.json"), video);
        assert_eq!(video_of("/t/abc/v/pabcdefghijk/steering.json"), video);
        for path in [
            "/v/steering.json",
            "/v/pabcdefghijk/480p/steering.json",
            "/t//v/pabcdefghijk/steering.json",
            "/t/a/b/v/pabcdefghijk/steering.json",
            "/v/pabcdefghijk/index.m3u8",
        ] {
            assert_eq!(video_of(path), None, "{path}");
        }
    }
}
