//! The copy of the package that the exhibits are planted in; the package itself stays clean.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    exhibit::Exhibit,
    plant::{Planted, plant},
};

/// Names the exhibit that is planted, to the tests that run.
pub(crate) const PLANTED: &str = "TOWER_BREAKER_PLANTED";

/// Copies the package at `root` to `to`, with all exhibits in it. A file that has not changed is not written, so that it is
/// not built again.
pub(crate) fn copy(root: &Path, to: &Path, exhibits: &[Exhibit]) -> Result<(), String> {
    let mut files = BTreeMap::new();
    read(root, root, &mut files).map_err(|error| format!("{}: {error}", root.display()))?;
    let mut edit = |file: &str, edit: &dyn Fn(&str) -> Result<String, String>| {
        let bytes = files.get_mut(Path::new(file)).ok_or_else(|| format!("there is no {file}"))?;
        let text = String::from_utf8(bytes.clone()).map_err(|error| format!("{file}: {error}"))?;
        *bytes = edit(&text)?.into_bytes();
        Ok::<_, String>(())
    };
    // All that is wrong is told at once: after a change of the sources it may be much.
    let by_file = by_file(exhibits);
    let faults: Vec<_> =
        by_file.iter().filter_map(|(file, cuts)| edit(file, &|text| plant(text, cuts)).err()).collect();
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    // Plants are no good style.
    edit("src/lib.rs", &|text| Ok(format!("#![allow(warnings)]\n{text}\nmod museum;\n")))?;
    // Or it would be taken for a part of the workspace that it lies in.
    edit("Cargo.toml", &|text| Ok(format!("{text}\n[workspace]\n")))?;
    files.insert("src/museum.rs".into(), question().into_bytes());
    write(to, &files).map_err(|error| format!("{}: {error}", to.display()))
}

fn by_file(exhibits: &[Exhibit]) -> BTreeMap<&str, Vec<Planted<'_>>> {
    let mut by_file: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for exhibit in exhibits {
        for cut in &exhibit.cuts {
            by_file.entry(&cut.file).or_default().push((exhibit.id.as_str(), cut));
        }
    }
    by_file
}

fn question() -> String {
    format!(
        "//! Which exhibit is planted.\n\npub(crate) fn planted(id: &str) -> bool {{\n    \
         static PLANTED: std::sync::OnceLock<String> = std::sync::OnceLock::new();\n    \
         PLANTED.get_or_init(|| std::env::var(\"{PLANTED}\").unwrap_or_default()) == id\n}}\n"
    )
}

/// Reads all files below `folder` but what was built, what is hidden, and packages of their own.
fn read(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if !path.is_dir() {
            let place = path.strip_prefix(root).expect("it is below the root");
            files.insert(place.into(), fs::read(&path)?);
        } else if !path.join("Cargo.toml").exists() {
            read(root, &path, files)?;
        }
    }
    Ok(())
}

fn write(to: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> io::Result<()> {
    let mut there = BTreeMap::new();
    if to.exists() {
        read(to, to, &mut there).or_else(|error| {
            // The copy itself has a Cargo.toml, but `read` looks only into folders below it.
            if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
        })?;
    }
    for (place, bytes) in files {
        if there.remove(place).as_ref() != Some(bytes) {
            let path = to.join(place);
            fs::create_dir_all(path.parent().expect("it is in a folder"))?;
            fs::write(path, bytes)?;
        }
    }
    there.keys().try_for_each(|place| fs::remove_file(to.join(place)))
}
