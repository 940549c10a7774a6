//! The table for people and the dashboard are those of the code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

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

/// What Grafana asks of a dashboard, as far as it says so: <https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/>.
#[test]
fn the_dashboard_is_one_that_grafana_takes() {
    let dashboard: Value = serde_json::from_str(&read("dashboards/grafana.json")).expect("it is JSON");
    let number = |value: &Value, key: &str| value[key].as_u64().unwrap_or_else(|| panic!("no {key} in {value}"));
    // 36 is that of Grafana 9, 39 that of Grafana 10 and 11; older ones are moved up when they are loaded.
    assert!((36..=41).contains(&number(&dashboard, "schemaVersion")));
    let uid = dashboard["uid"].as_str().expect("a uid");
    assert!(!uid.is_empty() && uid.len() <= 40 && uid.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
    assert!(dashboard["title"].as_str().is_some_and(|title| !title.is_empty()));
    assert!(dashboard.get("id").is_none_or(Value::is_null), "the number is given by the one that loads it");

    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let names: BTreeSet<&str> = variables.iter().map(|variable| variable["name"].as_str().expect("a name")).collect();
    assert_eq!(names.len(), variables.len(), "each name once");
    let source = variables.iter().find(|variable| variable["type"] == "datasource").expect("a variable for the source");
    assert_eq!((&source["name"], &source["query"]), (&Value::from("datasource"), &Value::from("prometheus")));

    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().map(|panel| number(panel, "id")).collect();
    assert_eq!(ids.len(), panels.len(), "each id once");
    let mut taken = BTreeMap::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        let known = ["stat", "state-timeline", "table", "timeseries"];
        assert!(panel["type"].as_str().is_some_and(|kind| known.contains(&kind)), "{title}: {}", panel["type"]);
        assert!(
            panel["fieldConfig"]["defaults"].is_object() && panel["fieldConfig"]["overrides"].is_array(),
            "{title}"
        );
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| number(&panel["gridPos"], key));
        assert!(w > 0 && h > 0 && x + w <= 24, "{title} is out of the 24 columns");
        for place in (y..y + h).flat_map(|y| (x..x + w).map(move |x| (x, y))) {
            assert_eq!(taken.insert(place, title), None, "{title} lies on another panel");
        }
        let targets = panel["targets"].as_array().expect("queries");
        let letters: BTreeSet<&str> =
            targets.iter().map(|target| target["refId"].as_str().expect("a letter")).collect();
        assert!(!targets.is_empty() && letters.len() == targets.len(), "{title}: each letter once");
        for at in targets.iter().chain([panel]) {
            assert_eq!(at["datasource"]["uid"], "${datasource}", "{title} asks a source of its own");
            assert_eq!(at["datasource"]["type"], "prometheus", "{title}");
        }
        for target in targets {
            used_variables(target["expr"].as_str().expect("a query")).for_each(|name| {
                assert!(names.contains(name) || name.starts_with("__"), "{title} asks for ${name}");
            });
        }
    }
}

fn used_variables(query: &str) -> impl Iterator<Item = &str> {
    query
        .split('$')
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or(""))
}
