//! The table for people and the dashboard are those of the code.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use tower_breaker::metrics::{METRICS, Metric};

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("it is there")
}

/// All words that may be names of ours.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("circuit_breaker_")).collect()
}

fn known() -> BTreeSet<&'static str> {
    METRICS.iter().map(|metric| metric.name).collect()
}

fn metric(name: &str) -> &'static Metric {
    METRICS.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("there is no {name}"))
}

/// All queries of a dashboard, wherever they stand.
fn queries<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(text) if ["definition", "expr", "query"].contains(&key.as_str()) => found.push(text),
                    Some(_) | None => queries(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_table_of_the_chapter_is_that_of_the_code() {
    let chapter = read("docs/metrics.md");
    for metric in METRICS {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let unit = metric.unit.as_str();
        let row = format!("| `{}` | {kind} | {unit} | {} | {} |", metric.name, labels.join(", "), metric.description);
        assert!(chapter.contains(&row), "docs/metrics.md lacks the row\n{row}");
    }
    let unknown: Vec<_> = names(&chapter).into_iter().filter(|name| !known().contains(name)).collect();
    assert!(unknown.is_empty(), "docs/metrics.md speaks of {unknown:?}");
}

#[test]
fn each_query_of_the_dashboard_names_metrics_and_labels_that_exist() {
    let dashboard: Value = serde_json::from_str(&read("dashboards/grafana.json")).expect("it is JSON");
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    assert!(found.len() >= 12, "only {} queries", found.len());
    let mut asked = BTreeSet::new();
    for query in found {
        let named = names(query);
        assert!(
            !named.is_empty() || query == "prometheus" || query.parse::<f64>().is_ok(),
            "`{query}` asks for nothing of ours"
        );
        for name in named {
            let metric = metric(name);
            asked.insert(metric.name);
            for labels in query.split(name).skip(1).filter_map(|rest| rest.strip_prefix('{')) {
                let labels = labels.split('}').next().expect("it begins so");
                for label in labels.split(',').filter_map(|pair| pair.split(['=', '!']).next()) {
                    assert!(metric.labels.contains(&label.trim()), "`{query}`: {name} has no label {label}");
                }
            }
            let rate = query.contains(&format!("rate({name}")) || query.contains(&format!("increase({name}"));
            assert!(!rate || metric.name.ends_with("_total"), "`{query}`: {name} is no counter");
        }
    }
    let unseen: Vec<_> = known().difference(&asked).copied().collect();
    assert!(unseen.is_empty(), "the dashboard shows none of {unseen:?}");
}
