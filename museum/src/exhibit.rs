//! What an exhibit is, and how it is read. README.md beside this crate says how one is written.

use std::path::Path;

/// A bug that another breaker had, ready to be planted in ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exhibit {
    pub(crate) id: String,
    /// What went wrong, in a sentence.
    pub(crate) title: String,
    /// Where it happened: projects, with the number of the thread.
    pub(crate) from: String,
    pub(crate) cuts: Vec<Cut>,
    /// The tests that must see it, each of them.
    pub(crate) killers: Vec<Test>,
    pub(crate) symptom: Symptom,
}

/// One place where it is planted.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// The path from the root of the package.
    pub(crate) file: String,
    /// What stands there; it must occur exactly once.
    pub(crate) find: String,
    pub(crate) plant: String,
    pub(crate) kind: Kind,
}

/// How the two are joined so that one build serves all exhibits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Both are expressions.
    Expression,
    /// Both are statements.
    Statements,
    /// The plant replaces what stands there and asks `planted` itself.
    Text,
}

/// How the bug shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Symptom {
    /// An assertion of the test fails.
    #[default]
    Fails,
    /// The test does not end.
    Hangs,
    /// Our own code panics.
    Panics,
}

/// A test of the project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Test {
    /// `lib`, or the name of a file or folder in `tests/`.
    pub(crate) target: String,
    /// Its path in the target, or the name of a scenario: then it ends in `.txt`.
    pub(crate) name: String,
}

impl Exhibit {
    /// Reads all files of a folder, in the order of their names.
    pub(crate) fn read_all(folder: &Path) -> Result<Vec<Self>, String> {
        let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "txt"));
        files.sort();
        let mut all: Vec<Self> = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            for exhibit in parse(&text).map_err(|fault| format!("{}:{fault}", file.display()))? {
                if all.iter().any(|known| known.id == exhibit.id) {
                    return Err(format!("{}: there are two {}", file.display(), exhibit.id));
                }
                all.push(exhibit);
            }
        }
        Ok(all)
    }

    fn take(&mut self, key: &str, value: &str, file: &mut String, find: &mut Option<String>) -> Result<(), String> {
        let value = value.trim().to_owned();
        let kind = match key {
            "file" => {
                *file = value;
                return Ok(());
            }
            "find" => {
                return if find.replace(value).is_none() { Ok(()) } else { Err("two `find` and no `plant`".into()) };
            }
            "from" => {
                self.from = value;
                return Ok(());
            }
            "killed by" => {
                let (target, name) = value.split_once(' ').ok_or("a test is its target and its name")?;
                self.killers.push(Test { target: target.into(), name: name.trim().into() });
                return Ok(());
            }
            "symptom" => {
                self.symptom = match value.as_str() {
                    "hangs" => Symptom::Hangs,
                    "panics" => Symptom::Panics,
                    _ => return Err(format!("no symptom is called `{value}`")),
                };
                return Ok(());
            }
            "plant" => Kind::Expression,
            "plant statements" => Kind::Statements,
            "plant text" => Kind::Text,
            _ => return Err(format!("nobody knows `{key}`")),
        };
        let find = find.take().ok_or("a plant stands after its `find`")?;
        if kind == Kind::Text && !value.contains(&format!("planted(\"{}\")", self.id)) {
            return Err(format!("a text asks `crate::museum::planted(\"{}\")` itself", self.id));
        }
        self.cuts.push(Cut { file: file.clone(), find, plant: value, kind });
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let lacks = [
            ("a title", self.title.is_empty()),
            ("`from`", self.from.is_empty()),
            ("`find` and `plant`", self.cuts.is_empty()),
            ("`file`", self.cuts.iter().any(|cut| cut.file.is_empty())),
            ("`killed by`", self.killers.is_empty()),
        ];
        match lacks.iter().find(|(_, lacks)| *lacks) {
            Some((what, _)) => Err(format!("{} lacks {what}", self.id)),
            None => Ok(()),
        }
    }
}

/// Reads the exhibits of one file.
pub(crate) fn parse(text: &str) -> Result<Vec<Exhibit>, String> {
    let mut all: Vec<Exhibit> = Vec::new();
    // Values may go on over lines that are indented deeper, so a key is taken when the next one begins.
    let mut lines = text.lines().enumerate().peekable();
    let (mut file, mut find) = (String::new(), None);
    while let Some((i, line)) = lines.next() {
        let at = |fault: String| format!("{}: {fault}", i + 1);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            let (id, title) =
                line.split_once(": ").ok_or_else(|| at("an exhibit begins `A1: What happens.`".into()))?;
            if find.is_some() {
                return Err(at("the `find` before it has no `plant`".into()));
            }
            file.clear();
            all.push(Exhibit { id: id.trim().into(), title: title.trim().into(), ..Exhibit::default() });
            continue;
        }
        let exhibit = all.last_mut().ok_or_else(|| at("no exhibit has begun".into()))?;
        let (key, value) = line.split_once(':').ok_or_else(|| at("a line begins with its key".into()))?;
        let mut value = value.to_owned();
        while let Some((_, more)) = lines.next_if(|(_, line)| line.starts_with("    ")) {
            value.push('\n');
            value.push_str(&more[4..]);
        }
        exhibit.take(key.trim(), &value, &mut file, &mut find).map_err(at)?;
    }
    all.iter().try_for_each(Exhibit::check)?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "# A comment.\nA1: It hangs.\n  from: Some #1\n  file: src/a.rs\n  find: a(\n      b)\n  \
                       plant: c\n  killed by: it calls::one\n";

    #[test]
    fn an_exhibit_is_read_with_values_that_go_on() {
        let exhibits = parse(ONE).expect("it is well written");
        let [exhibit] = exhibits.as_slice() else { panic!("one") };
        assert_eq!((exhibit.id.as_str(), exhibit.title.as_str()), ("A1", "It hangs."));
        assert_eq!((exhibit.cuts[0].find.as_str(), exhibit.cuts[0].kind), ("a(\n  b)", Kind::Expression));
        assert_eq!(exhibit.killers[0].name, "calls::one");
    }

    #[test]
    fn what_is_incomplete_or_misspelt_is_refused() {
        for (from, to, word) in [
            ("  from: Some #1\n", "", "`from`"),
            ("  file: src/a.rs\n", "", "`file`"),
            ("killed by: it calls::one", "killed by: it", "target"),
            ("killed by", "killd by", "killd by"),
            ("plant: c", "plant text: c", "planted"),
            ("  plant: c\n", "", "find"),
            ("A1: ", "  A1: ", "begun"),
        ] {
            let fault = parse(&ONE.replacen(from, to, 1)).expect_err(word);
            assert!(fault.contains(word), "{fault}");
        }
    }
}
