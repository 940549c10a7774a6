//! What each route answers.

use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use tower_breaker::{Registry, dashboard::Dashboard};

use crate::{circuit, support::Site, trip};

#[tokio::test]
async fn circuits_are_listed_with_all_that_is_known() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    circuit("inventory", &dashboard);
    trip(&payments);
    assert!(payments.try_acquire().is_err());
    let site = Site::serve(dashboard.router()).await;

    let answer = site.get("/circuits").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let body = answer.json();
    assert_eq!(body["control"], false);
    assert!(body["now_ms"].as_u64().is_some_and(|now| now > 1_700_000_000_000), "{}", body["now_ms"]);
    let ids: Vec<_> = body["circuits"].as_array().expect("a list").iter().map(|circuit| &circuit["id"]).collect();
    assert_eq!(ids, ["inventory", "payments"]);
    let expected = json!({
        "id": "payments", "name": "payments", "key": null, "duplicate": false, "critical": false,
        "state": "open", "mode": "auto", "mode_ends_in_ms": null,
        "explain": "open: one failure asked for it; the next probe may go in 10.0s",
        "reason": {"rule": "demanded", "text": "one failure asked for it"},
        "epoch": 2, "retry_after_ms": 10_000, "in_state_ms": 0, "outage_ms": 0, "times_opened": 1, "in_flight": 0,
        "window": {"calls": 1, "failures": 1.0, "slow": 0, "minimum_calls": 20, "failure_rate": null, "slow_rate": null,
            "run": 1.0},
        "thresholds": {"failure_rate": 0.5, "slow_rate": null, "slow_call_ms": null},
        "ledger": {"succeeded": 0, "failed": 1, "ignored": 0, "cancelled": 0, "late": 0, "slow": 0, "rejected": 1,
            "would_reject": 0},
        "time_in_ms": {"closed": 0, "open": 0, "half_open": 0, "recovering": 0},
    });
    assert_eq!(body["circuits"][1], expected);
}

#[tokio::test]
async fn one_circuit_is_shown_with_its_last_events() {
    let dashboard = Dashboard::new();
    trip(&circuit("payments", &dashboard));
    trip(&circuit("inventory", &dashboard));
    let site = Site::serve(dashboard.router()).await;

    let mut one = site.get("/circuits/payments").await.json();
    let events = one.as_object_mut().expect("an object").remove("events").expect("events");
    assert_eq!(one, site.get("/circuits").await.json()["circuits"][1]);
    assert_eq!(events.as_array().map(Vec::len), Some(1), "those of the other are not here: {events}");
    let event = &events[0];
    assert!(event["at_ms"].as_u64().is_some_and(|at| at > 1_700_000_000_000));
    let expected = json!({
        "seq": event["seq"], "at_ms": event["at_ms"], "circuit": "payments", "kind": "transition", "from": "closed",
        "to": "open", "rule": "demanded", "text": "one failure asked for it", "epoch": 2, "retry_after_ms": 10_000,
    });
    assert_eq!(*event, expected);
}

#[tokio::test]
async fn events_are_listed_the_oldest_first_of_all_or_of_one() {
    let dashboard = Dashboard::with_events(3);
    let (payments, inventory) = (circuit("payments", &dashboard), circuit("inventory", &dashboard));
    payments.force_open();
    inventory.disable();
    payments.auto();
    inventory.auto();
    let site = Site::serve(dashboard.router()).await;

    let all = site.get("/circuits/events").await.json();
    let words = |events: &Value| -> Vec<String> {
        let events = events["events"].as_array().expect("a list");
        events.iter().map(|event| format!("{} {} {}", event["circuit"], event["kind"], event["to"])).collect()
    };
    let seq = |i: usize| all["events"][i]["seq"].as_u64();
    assert_eq!(
        words(&all),
        [r#""inventory" "mode" "disabled""#, r#""payments" "mode" "auto""#, r#""inventory" "mode" "auto""#]
    );
    assert!(seq(0) < seq(1) && seq(1) < seq(2));
    assert_eq!(all["dropped"], 1);

    let one = site.get("/circuits/events?circuit=payments").await.json();
    assert_eq!(words(&one), [r#""payments" "mode" "forced_open""#, r#""payments" "mode" "auto""#], "its own are kept");
    assert_eq!(words(&site.get("/circuits/events?circuit=nobody").await.json()), [""; 0]);
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_is_in_nobodys_frame() {
    let site = Site::serve(Dashboard::new().router()).await;
    let page = site.get("/circuits/dashboard").await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
    for part in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(page.text().starts_with("<!doctype html>"), "{}", page.text());
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_not_there_and_is_not_made() {
    let dashboard = Dashboard::new();
    let circuits = Registry::by_name().observe_with(&dashboard);
    dashboard.add(circuits.clone());
    let site = Site::serve(dashboard.control(|_| true).router()).await;

    let missing = site.get("/circuits/nobody").await;
    assert_eq!(
        (missing.status, missing.json()),
        (StatusCode::NOT_FOUND, json!({"error": "there is no circuit `nobody`"}))
    );
    let missing = site.post("/circuits/nobody", r#"{"action": "force_open"}"#).await;
    assert_eq!(
        (missing.status, missing.json()),
        (StatusCode::NOT_FOUND, json!({"error": "there is no circuit `nobody`"}))
    );
    site.get("/circuits").await;
    site.get("/health").await;
    site.get("/circuits/events?circuit=nobody").await;
    let mut stream = site.stream("/circuits/events?circuit=nobody", &[]).await;
    assert_eq!(stream.next().await.expect("the first").data["circuits"], json!([]));
    assert!(circuits.is_empty(), "{:?}", circuits.circuits());
    assert_eq!(site.get("/nothing").await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get("/circuits/a/b").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_method_of_a_route_is_refused() {
    let dashboard = Dashboard::new();
    circuit("payments", &dashboard);
    let site = Site::serve(dashboard.control(|_| true).router()).await;
    let wrong = [
        (Method::POST, "/circuits"),
        (Method::PUT, "/circuits/payments"),
        (Method::DELETE, "/circuits/payments"),
        (Method::POST, "/circuits/events"),
        (Method::POST, "/circuits/dashboard"),
        (Method::POST, "/health"),
    ];
    for (method, path) in wrong {
        let answer = site.send(method.clone(), path, &[], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert!(answer.headers[header::ALLOW].to_str().expect("text").contains("GET"), "{method} {path}");
    }
    let head = site.send(Method::HEAD, "/circuits", &[], "").await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
}

/// Settings for these tests.
trait ObserveWith {
    fn observe_with(self, dashboard: &Dashboard) -> Registry;
}

impl ObserveWith for tower_breaker::registry::RegistryBuilder<String> {
    fn observe_with(self, dashboard: &Dashboard) -> Registry {
        let each = dashboard.clone();
        self.each(move |_, circuit| circuit.observe(each.observer())).build().expect("within bounds")
    }
}
