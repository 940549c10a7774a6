//! Puts all exhibits into the text of a file, each behind a question, so that one build serves them all.

use std::ops::Range;

use crate::exhibit::{Cut, Kind};

/// A place to plant, with the id of its exhibit.
pub(crate) type Planted<'a> = (&'a str, &'a Cut);

/// Returns the file with all `cuts` in it.
pub(crate) fn plant(source: &str, cuts: &[Planted<'_>]) -> Result<String, String> {
    let mut places: Vec<(Range<usize>, Vec<Planted<'_>>)> = Vec::new();
    let mut faults = Vec::new();
    for (id, cut) in cuts {
        match find_once(source, &cut.find) {
            Err(fault) => faults.push(format!("{id}: {}: {fault}", cut.file)),
            Ok(place) => match places.iter_mut().find(|(known, _)| *known == place) {
                Some((_, there)) => there.push((id, cut)),
                None => places.push((place, vec![(id, cut)])),
            },
        }
    }
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    places.sort_by_key(|(place, _)| place.start);
    let (mut text, mut done) = (String::new(), 0);
    for (place, there) in places {
        if place.start < done {
            let (id, cut) = there[0];
            return Err(format!("{id}: {}: `{}` overlaps the one before; find the same or less", cut.file, cut.find));
        }
        text += &source[done..place.start];
        text += &joined(&source[place.clone()], &there)?;
        done = place.end;
    }
    Ok(text + &source[done..])
}

/// What stands there, and what may take its place.
fn joined(original: &str, there: &[Planted<'_>]) -> Result<String, String> {
    let (id, first) = there[0];
    if there.iter().any(|(_, cut)| cut.kind != first.kind) {
        return Err(format!("{id}: another exhibit on `{}` is of another kind", first.find));
    }
    if first.kind == Kind::Text {
        return if there.len() == 1 { Ok(first.plant.clone()) } else { Err(format!("{id}: two texts in one place")) };
    }
    let choices: String = there
        .iter()
        .map(|(id, cut)| format!("if crate::museum::planted(\"{id}\") {{\n{}\n}} else ", cut.plant))
        .collect();
    let all = format!("{choices}{{\n{original}\n}}");
    Ok(if first.kind == Kind::Expression { format!("({all})") } else { all })
}

/// Where `snippet` stands; white space is as wide as it likes.
fn find_once(source: &str, snippet: &str) -> Result<Range<usize>, String> {
    let words: Vec<&str> = snippet.split_whitespace().collect();
    let first = words.first().ok_or("there is nothing to find")?;
    let mut places = source.match_indices(first).filter_map(|(start, _)| {
        let mut end = start;
        for (i, word) in words.iter().enumerate() {
            let rest = &source[end..];
            let gap = rest.len() - rest.trim_start().len();
            if i > 0 && gap == 0 || !rest[gap..].starts_with(word) {
                return None;
            }
            end += gap + word.len();
        }
        Some(start..end)
    });
    match (places.next(), places.count()) {
        (None, _) => Err(format!("`{snippet}` is not there any more")),
        (Some(place), 0) => Ok(place),
        (Some(_), more) => Err(format!("`{snippet}` is there {} times", more + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(find: &str, plant: &str, kind: Kind) -> Cut {
        Cut { file: "a.rs".into(), find: find.into(), plant: plant.into(), kind }
    }

    #[test]
    fn a_snippet_stands_behind_a_question_and_the_rest_stays() {
        let (one, two) = (cut("a + b", "c", Kind::Expression), cut("go();", "", Kind::Statements));
        let text = plant("x = a\n  + b; go();", &[("A2", &two), ("A1", &one)]).expect("both are there");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected = "x = (if crate::museum::planted(\"A1\") { c } else { a + b }); \
                        if crate::museum::planted(\"A2\") { } else { go(); }";
        assert_eq!(text, expected);
    }

    #[test]
    fn two_bugs_in_one_place_are_asked_for_in_turn() {
        let (one, two) = (cut("a", "b", Kind::Expression), cut("a", "c", Kind::Expression));
        let text = plant("a", &[("A1", &one), ("A2", &two)]).expect("it is there");
        assert_eq!(text.matches("else").count(), 2, "{text}");
    }

    #[test]
    fn what_is_gone_or_there_twice_or_overlaps_is_refused() {
        let fault = |source, cuts: &[Planted<'_>]| plant(source, cuts).expect_err("it is wrong");
        let one = cut("a b", "", Kind::Expression);
        assert!(fault("a c", &[("A1", &one)]).contains("not there"));
        assert!(fault("a b a  b", &[("A1", &one)]).contains("2 times"));
        assert!(fault("ab", &[("A1", &one)]).contains("not there"), "a gap is a gap");
        let two = cut("b c", "", Kind::Expression);
        assert!(fault("a b c", &[("A1", &one), ("A2", &two)]).contains("overlaps"));
        let text = cut("a b", "planted", Kind::Text);
        assert!(fault("a b", &[("A1", &one), ("A2", &text)]).contains("kind"));
    }
}
