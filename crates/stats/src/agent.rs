//! What a `User-Agent` says of device, browser and operating system. The field is a heap of
//! history (RFC 9110 section 10.1.5 sets no form), so the order of the rules matters: names that
//! only one product bears come before those that others bear for compatibility.

use crate::dimension::{Attributes, Dimension};

/// Most bytes that are looked at.
const MAX_LEN: usize = 512;

/// Part of the field, and what it stands for.
type Rule = (&'static str, &'static str);

const BROWSERS: [Rule; 10] = [
    ("Edg", "edge"),
    ("OPR/", "opera"),
    ("Opera", "opera"),
    ("SamsungBrowser/", "samsung"),
    ("Firefox/", "firefox"),
    ("FxiOS/", "firefox"),
    ("CriOS/", "chrome"),
    ("Chrome/", "chrome"),
    ("Chromium/", "chrome"),
    ("Safari/", "safari"),
];

const SYSTEMS: [Rule; 13] = [
    ("Web0S", "webos"),
    ("webOS", "webos"),
    ("Tizen", "tizen"),
    ("AppleTV", "tvos"),
    ("tvOS", "tvos"),
    ("iPhone", "ios"),
    ("iPad", "ios"),
    ("Windows", "windows"),
    ("Android", "android"),
    ("CrOS", "chromeos"),
    ("Macintosh", "macos"),
    ("Linux", "linux"),
    ("X11", "linux"),
];

const DEVICES: [Rule; 14] = [
    ("SMART-TV", "tv"),
    ("SmartTV", "tv"),
    ("Smart TV", "tv"),
    ("AppleTV", "tv"),
    ("Android TV", "tv"),
    ("GoogleTV", "tv"),
    ("BRAVIA", "tv"),
    ("Web0S", "tv"),
    ("iPad", "tablet"),
    ("Tablet", "tablet"),
    ("iPhone", "phone"),
    ("Mobile", "phone"),
    // What runs Android and doesn't call itself mobile is a tablet.
    ("Android", "tablet"),
    ("Mozilla/", "desktop"),
];

/// Device class, browser and operating system. Unknown is what the field is silent about; a
/// browser that it names in a way not known here is `other`.
pub fn attributes(user_agent: &str) -> Attributes {
    let mut end = user_agent.len().min(MAX_LEN);
    while !user_agent.is_char_boundary(end) {
        end -= 1;
    }
    let text = &user_agent[..end];
    let mut attributes = Attributes::default();
    if text.is_empty() {
        return attributes;
    }
    let rules: [(Dimension, &[Rule]); 3] = [
        (Dimension::Device, &DEVICES),
        (Dimension::Browser, &BROWSERS),
        (Dimension::Os, &SYSTEMS),
    ];
    for (dimension, rules) in rules {
        let rule = rules.iter().find(|(part, _)| text.contains(part));
        let word = rule.map_or("other", |(_, word)| word);
        if let Ok(label) = dimension.label(word) {
            attributes.set(dimension, label);
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dimension::{DIMENSIONS, Words};

    #[test]
    fn every_rule_names_a_listed_word() {
        for (dimension, rules) in [
            (Dimension::Browser, &BROWSERS[..]),
            (Dimension::Os, &SYSTEMS),
            (Dimension::Device, &DEVICES),
        ] {
            let Words::Listed(list) = DIMENSIONS[dimension as usize].words else {
                panic!("{dimension:?} has no list");
            };
            assert!(rules.iter().all(|(_, word)| list.contains(word)));
            let ruled = |word: &&str| rules.iter().any(|(_, ruled)| ruled == word);
            assert!(list.iter().all(ruled), "{dimension:?}");
        }
    }

    #[test]
    fn agents_are_told_apart() {
        let check = |agent: &str, expected: [&str; 3]| {
            let found = attributes(agent);
            let found = [Dimension::Device, Dimension::Browser, Dimension::Os]
                .map(|dimension| found.get(dimension).as_str().to_owned());
            assert_eq!(found, expected, "{agent}");
        };
        check(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/139.0.0.0 Safari/537.36",
            ["desktop", "chrome", "linux"],
        );
        check(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0",
            ["desktop", "edge", "windows"],
        );
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
             (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
            ["phone", "safari", "ios"],
        );
        check(
            "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/139.0.0.0 Mobile Safari/537.36",
            ["phone", "chrome", "android"],
        );
        check(
            "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) \
             SamsungBrowser/28.0 Chrome/130.0.0.0 Safari/537.36",
            ["tablet", "samsung", "android"],
        );
        check(
            "Mozilla/5.0 (SMART-TV; LINUX; Tizen 8.0) AppleWebKit/537.36 (KHTML, like Gecko) \
             Version/8.0 TV Safari/537.36",
            ["tv", "safari", "tizen"],
        );
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:141.0) Gecko/20100101 Firefox/141.0",
            ["desktop", "firefox", "macos"],
        );
        check("curl/8.5.0", ["other", "other", "other"]);
        check("", ["", "", ""]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,700}") {
            let _ = attributes(&text);
        }
    }
}
