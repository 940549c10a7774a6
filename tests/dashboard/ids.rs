//! Circuits whose names and keys are hard to write.

use http::StatusCode;
use serde_json::{Value, json};
use tower_breaker::{Mode, Registry, dashboard::Dashboard, registry::RegistryBuilder};

use crate::{circuit, support::Site, trip};

const HARD: [&str; 12] = [
    "a/b",
    "quote\"d",
    "back\\slash",
    "<script>alert(1)</script>",
    "ü—😀",
    "50%",
    "?circuit=x&y",
    "#fragment",
    "two words+more",
    "",
    "line\n\nevent: event\ndata: {}",
    "\u{2028}\0",
];

/// Every byte that means anything in a path is written in hexadecimal.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[tokio::test]
async fn any_key_can_be_listed_found_and_steered() {
    let dashboard = Dashboard::new();
    let each = dashboard.clone();
    let tenants = Registry::by_key("tenants")
        .each(move |_: &String, circuit| circuit.observe(each.observer()))
        .build()
        .expect("within bounds");
    dashboard.add(tenants.clone());
    for key in HARD {
        trip(&tenants.circuit(key));
    }
    let site = Site::serve(dashboard.control(|_| true).router()).await;

    let all = site.get("/circuits").await.json();
    let mut listed: Vec<_> = all["circuits"].as_array().expect("a list").iter().map(|it| it["id"].as_str()).collect();
    let mut expected: Vec<_> = HARD.iter().map(|key| format!("tenants[{key:?}]")).collect();
    expected.sort();
    listed.sort_unstable();
    assert_eq!(listed, expected.iter().map(|id| Some(id.as_str())).collect::<Vec<_>>());

    for key in HARD {
        let id = format!("tenants[{key:?}]");
        let one = site.get(&format!("/circuits/{}", encoded(&id))).await;
        assert_eq!(one.status, StatusCode::OK, "{id}: {}", one.text());
        let one = one.json();
        assert_eq!(
            (&one["id"], &one["name"], &one["key"]),
            (&json!(id), &json!("tenants"), &json!(format!("{key:?}")))
        );
        assert_eq!((one["events"].as_array().map(Vec::len), &one["events"][0]["circuit"]), (Some(1), &json!(id)));
        let steered = site.post(&format!("/circuits/{}", encoded(&id)), r#"{"action": "disable"}"#).await;
        assert_eq!((steered.status, tenants.circuit(key).mode()), (StatusCode::OK, Mode::Disabled), "{id}");
        let events = site.get(&format!("/circuits/events?circuit={}", encoded(&id))).await.json();
        assert_eq!(events["events"].as_array().map(Vec::len), Some(2), "{id}: {events}");
    }
}

#[tokio::test]
async fn any_name_can_be_streamed_one_message_at_a_time() {
    let dashboard = Dashboard::new();
    HARD.iter().for_each(|name| trip(&circuit(name, &dashboard)));
    let site = Site::serve(dashboard.router()).await;
    let mut stream = site.stream("/circuits/events", &[]).await;
    let first = stream.next().await.expect("the first").data;
    assert_eq!(first["circuits"].as_array().map(Vec::len), Some(HARD.len()));
    for name in HARD {
        let event = stream.next().await.expect("an event");
        assert_eq!((event.event.as_str(), &event.data["circuit"]), ("event", &json!(name)));
    }
}

#[tokio::test]
async fn keys_of_any_type_are_named_as_debug_prints_them() {
    #[derive(Clone, Debug, Hash, PartialEq, Eq)]
    struct Shard {
        zone: &'static str,
        number: u32,
    }
    let dashboard = Dashboard::new();
    let shards = RegistryBuilder::<Shard>::new("shards").build().expect("within bounds");
    dashboard.add(shards.clone());
    let _ = shards.circuit(&Shard { zone: "eu", number: 7 });
    let id = r#"shards[Shard { zone: "eu", number: 7 }]"#;
    assert_eq!(dashboard.circuit(id).expect("it is there").circuit.id, id);
}

#[tokio::test]
async fn an_id_that_is_no_text_is_refused() {
    let site = Site::serve(Dashboard::new().control(|_| true).router()).await;
    for answer in [site.get("/circuits/%FF").await, site.post("/circuits/%FF", "{}").await] {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.json()["error"].is_string(), "{}", answer.text());
    }
}

#[tokio::test]
async fn circuits_of_one_name_are_told_apart_and_told() {
    let dashboard = Dashboard::new();
    let (first, second) = (circuit("payments", &dashboard), circuit("payments", &dashboard));
    circuit("search", &dashboard);
    dashboard.add(first.clone());
    let site = Site::serve(dashboard.control(|_| true).router()).await;
    let all = site.get("/circuits").await.json();
    let ids = |all: &Value| -> Vec<(String, bool)> {
        let circuits = all["circuits"].as_array().expect("a list").iter();
        circuits.map(|it| (it["id"].to_string(), it["duplicate"] == true)).collect()
    };
    let expected = [(r#""payments""#, true), (r#""payments#2""#, true), (r#""search""#, false)];
    assert_eq!(ids(&all), expected.map(|(id, twice)| (id.to_owned(), twice)));

    assert_eq!(site.post("/circuits/payments%232", r#"{"action": "force_open"}"#).await.json()["id"], "payments#2");
    assert_eq!((first.mode(), second.mode()), (Mode::Auto, Mode::ForcedOpen));
    assert_eq!(site.post("/circuits/payments", r#"{"action": "disable"}"#).await.json()["id"], "payments");
    assert_eq!((first.mode(), second.mode()), (Mode::Disabled, Mode::ForcedOpen));
    assert_eq!(site.get("/circuits/payments%233").await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get("/circuits/payments%23").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn circuits_that_have_the_names_of_routes_are_listed() {
    let dashboard = Dashboard::new();
    circuit("events", &dashboard);
    circuit("dashboard", &dashboard);
    let site = Site::serve(dashboard.router()).await;
    assert_eq!(site.get("/circuits").await.json()["circuits"].as_array().map(Vec::len), Some(2));
    assert_eq!(site.get("/circuits/%65vents").await.json()["id"], "events", "as the chapter says");
}
