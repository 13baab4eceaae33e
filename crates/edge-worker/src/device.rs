//! The device class behind a request.

use weir_edge_abi::Request;
use weir_model::DeviceClass;

/// The class that the `token` names, or else the header that the operator trusts, the query
/// (`device=`), or the browser's own headers.
pub fn of(request: &Request<'_>, token: Option<DeviceClass>) -> DeviceClass {
    let parsed = |word: &str| word.parse().ok();
    let in_query = || {
        let mut pairs = request.query.split('&');
        pairs.find_map(|pair| pair.strip_prefix("device="))
    };
    token
        .or_else(|| parsed(request.device))
        .or_else(|| in_query().and_then(parsed))
        .unwrap_or_else(|| from_headers(request.user_agent, request.mobile))
}

/// Tablets come first: most of their browsers say that they are mobile too.
fn from_headers(user_agent: &str, mobile: bool) -> DeviceClass {
    let says = |words: &[&str]| words.iter().any(|word| user_agent.contains(word));
    if says(&[
        "SmartTV", "SMART-TV", "Smart TV", "Tizen", "Web0S", "AppleTV", "CrKey", "Roku",
    ]) {
        DeviceClass::Tv
    } else if says(&["iPad", "Tablet"]) || says(&["Android"]) && !says(&["Mobi"]) && !mobile {
        DeviceClass::Tablet
    } else if mobile || says(&["Mobi", "iPhone"]) {
        DeviceClass::Phone
    } else {
        DeviceClass::Desktop
    }
}

#[cfg(test)]
mod tests {
    use weir_edge_abi::Method;

    use super::*;

    #[test]
    fn tells_classes_apart() {
        let check = |user_agent, mobile, expected| {
            assert_eq!(from_headers(user_agent, mobile), expected, "{user_agent}");
        };
        let desktop =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36";
        check(desktop, false, DeviceClass::Desktop);
        check("", false, DeviceClass::Desktop);
        check("", true, DeviceClass::Phone);
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148",
            false,
            DeviceClass::Phone,
        );
        check(
            "Mozilla/5.0 (Linux; Android 15; Pixel 9) Mobile Safari",
            true,
            DeviceClass::Phone,
        );
        check(
            "Mozilla/5.0 (Linux; Android 14; SM-X710) Safari",
            false,
            DeviceClass::Tablet,
        );
        check(
            "Mozilla/5.0 (iPad; CPU OS 18_0) Mobile/15E148",
            false,
            DeviceClass::Tablet,
        );
        check(
            "Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0) TV Safari",
            false,
            DeviceClass::Tv,
        );
    }

    #[test]
    fn who_knows_best_is_believed() {
        let request = Request {
            mobile: true,
            ..Request::new(Method::Get, "/", "device=fridge")
        };
        assert_eq!(of(&request, None), DeviceClass::Phone);
        let request = Request {
            query: "x=1&device=tv",
            ..request
        };
        assert_eq!(of(&request, None), DeviceClass::Tv);
        let request = Request {
            device: "tablet",
            ..request
        };
        assert_eq!(of(&request, None), DeviceClass::Tablet);
        assert_eq!(
            of(&request, Some(DeviceClass::Desktop)),
            DeviceClass::Desktop
        );
    }
}
