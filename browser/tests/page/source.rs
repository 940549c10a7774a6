//! What can be said of the page without a browser.

use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../../src/dashboard/page.html");

#[test]
fn it_is_small() {
    assert!(PAGE.len() < 60_000, "{} bytes", PAGE.len());
}

#[test]
fn it_takes_nothing_for_markup_and_asks_nobody_else() {
    let forbidden = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "src=",
        "@import",
        "https://",
    ];
    for word in forbidden {
        assert!(!PAGE.contains(word), "{word}");
    }
    assert_eq!(PAGE.matches("http://").count(), PAGE.matches("'http://www.w3.org/2000/svg'").count());
}

#[test]
fn text_has_the_contrast_of_aa_in_both_schemes() {
    for (scheme, colours) in [("light", colours(0)), ("dark", colours(1))] {
        let contrast = |a: &str, b: &str| contrast(colours[a], colours[b]);
        let mut text = vec![("on-accent", "accent"), ("surface", "open"), ("surface", "text"), ("accent", "surface")];
        for ink in ["text", "muted", "open", "closed", "half-open", "recovering", "overridden"] {
            text.extend(["ground", "surface", "sunken"].map(|ground| (ink, ground)));
        }
        let states = ["closed", "open", "half-open", "recovering", "overridden"];
        let tints = states.map(|state| (state, format!("{state}-tint")));
        text.extend(tints.iter().map(|(ink, tint)| (*ink, tint.as_str())));
        for (ink, ground) in text {
            let found = contrast(ink, ground);
            assert!(found >= 4.5, "{scheme}: {ink} on {ground} has {found:.2}, text needs 4.5");
        }
        for (line, ground) in
            [("edge", "surface"), ("edge", "ground"), ("muted", "track"), ("open", "track"), ("text", "track")]
        {
            let found = contrast(line, ground);
            assert!(found >= 3.0, "{scheme}: {line} on {ground} has {found:.2}, controls and drawings need 3");
        }
    }
}

/// The colours of the n-th `:root`, by name.
fn colours(n: usize) -> BTreeMap<&'static str, u32> {
    let root = PAGE.split(":root {").nth(n + 1).and_then(|rest| rest.split('}').next()).expect("there are two");
    let pairs = root.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
    let found: BTreeMap<_, _> =
        pairs.map(|(name, hex)| (name, u32::from_str_radix(hex, 16).expect("colours are hex"))).collect();
    assert_eq!(found.len(), 20, "{found:?}");
    found
}

/// The ratio of WCAG 2.2, 1 to 21.
fn contrast(a: u32, b: u32) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: u32) -> f64 {
    let part = |shift: u32| {
        let part = f64::from(colour >> shift & 255) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
}
