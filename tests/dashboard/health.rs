//! `/health`, in the shape of Spring's actuator.

use http::StatusCode;
use serde_json::json;
use tower_breaker::{
    Circuit, Config,
    config::{Consecutive, Probing, Recovery, SlowCalls},
    dashboard::Dashboard,
};

use crate::{THREE, back_end::BackEnd, circuit, support::Site, trip};

#[tokio::test]
async fn a_critical_back_end_that_dies_takes_the_program_down_until_it_is_back() {
    let dashboard = Dashboard::new();
    let config = Config::new()
        .consecutive_failures(Consecutive::new(3))
        .probing(Probing::fixed(std::time::Duration::from_millis(50)))
        .recovery(Recovery::Probes);
    let payments = Circuit::builder("payments").config(config).build().expect("within bounds");
    dashboard.add(payments.clone());
    dashboard.critical("payments");
    let site = Site::serve(dashboard.router()).await;
    let back_end = BackEnd::start(payments).await;

    let health = async || {
        let answer = site.get("/health").await;
        let body = answer.json();
        let status = |path: &str| body.pointer(path).and_then(|status| status.as_str()).map(str::to_owned);
        let all =
            ["/status", "/components/circuitBreakers/status", "/components/circuitBreakers/details/payments/status"];
        (answer.status, all.map(|path| status(path).expect("it is there")))
    };
    let up = (StatusCode::OK, ["UP"; 3].map(str::to_owned));
    assert_eq!(health().await, up);
    back_end.dies().await;
    assert_eq!(health().await, (StatusCode::SERVICE_UNAVAILABLE, ["DOWN"; 3].map(str::to_owned)));
    back_end.comes_back().await;
    assert_eq!(health().await, up);
}

#[tokio::test]
async fn its_shape_is_that_of_springs_actuator() {
    let dashboard = Dashboard::new();
    let config = Config::new().slow_calls(SlowCalls::new(std::time::Duration::from_secs(1)));
    let payments = Circuit::builder("payments").config(config).build().expect("within bounds");
    dashboard.add(payments.clone());
    for _ in 0..20 {
        payments.try_acquire().expect("it is closed").record(tower_breaker::Outcome::Success);
    }
    for _ in 0..5 {
        payments.try_acquire().expect("it is closed").record(tower_breaker::Outcome::failure());
    }
    trip(&payments);
    assert!(payments.try_acquire().is_err());
    let site = Site::serve(dashboard.router()).await;
    let answer = site.get("/health").await;
    let expected = json!({
        "status": "UP",
        "components": {"circuitBreakers": {"status": "UP", "details": {"payments": {
            "status": "CIRCUIT_OPEN",
            "details": {
                "failureRate": "23.1%", "failureRateThreshold": "50.0%", "slowCallRate": "0.0%",
                "slowCallRateThreshold": "50.0%", "bufferedCalls": 26, "slowCalls": 0, "failedCalls": 6,
                "notPermittedCalls": 1, "state": "OPEN", "mode": "auto",
            },
        }}}},
    });
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected));
}

#[tokio::test]
async fn each_state_and_mode_has_its_word_and_only_what_turns_calls_away_is_down() {
    type Prepare = fn(&Circuit);
    let cases: &[(Prepare, &str, &str)] = &[
        (|_| {}, "UP", "UP"),
        (trip, "CIRCUIT_OPEN", "DOWN"),
        (Circuit::force_open, "CIRCUIT_OPEN", "DOWN"),
        (Circuit::force_closed, "UP", "UP"),
        (Circuit::disable, "UNKNOWN", "UNKNOWN"),
        (Circuit::metrics_only, "UP", "UP"),
        (|circuit| (trip(circuit), circuit.metrics_only()).1, "CIRCUIT_OPEN", "CIRCUIT_OPEN"),
        (|circuit| (trip(circuit), circuit.disable()).1, "UNKNOWN", "UNKNOWN"),
    ];
    for (i, (prepare, plain, critical)) in cases.iter().enumerate() {
        let dashboard = Dashboard::new();
        prepare(&circuit("plain", &dashboard));
        prepare(&circuit("critical", &dashboard));
        dashboard.critical("critical");
        let health = dashboard.health();
        let body = serde_json::to_value(&health).expect("JSON");
        let details = &body["components"]["circuitBreakers"]["details"];
        assert_eq!(
            (&details["plain"]["status"], &details["critical"]["status"]),
            (&json!(plain), &json!(critical)),
            "{i}"
        );
        assert_eq!(health.is_up(), *critical != "DOWN", "{i}");
    }
}

/// No instance gets calls while it is down, and without a call no circuit closes.
#[test]
fn a_critical_circuit_whose_probe_is_due_is_not_down_though_no_call_has_come() {
    let (dashboard, clock) = (Dashboard::new(), tower_breaker::clock::ManualClock::new());
    let payments = Circuit::builder("payments").config(THREE).clock(clock.clone()).build().expect("within bounds");
    dashboard.add(payments.clone());
    dashboard.critical("payments");
    trip(&payments);
    clock.advance(std::time::Duration::from_millis(9_999));
    assert!(!dashboard.health().is_up());
    clock.advance(std::time::Duration::from_millis(1));
    assert!(dashboard.health().is_up());
    assert_eq!(payments.state(), tower_breaker::State::Open);
    payments.force_open();
    assert!(!dashboard.health().is_up(), "that has no end");
}

#[tokio::test]
async fn half_open_and_recovering_are_not_down() {
    let dashboard = Dashboard::new();
    dashboard.critical("probed");
    dashboard.critical("slow start");
    for (name, state) in [("probed", tower_breaker::State::HalfOpen), ("slow start", tower_breaker::State::Recovering)]
    {
        let config = Config::new().initial_state(state);
        dashboard.add(Circuit::builder(name).config(config).build().expect("within bounds"));
    }
    let body = serde_json::to_value(dashboard.health()).expect("JSON");
    let details = &body["components"]["circuitBreakers"]["details"];
    assert_eq!(details["probed"]["status"], "CIRCUIT_HALF_OPEN");
    assert_eq!(details["slow start"]["status"], "CIRCUIT_RECOVERING");
    assert_eq!(body["status"], "UP");
}

#[tokio::test]
async fn a_critical_circuit_that_is_not_there_is_told() {
    let dashboard = Dashboard::new();
    dashboard.critical("paymets");
    let body = serde_json::to_value(dashboard.health()).expect("JSON");
    let details = &body["components"]["circuitBreakers"]["details"];
    assert_eq!(*details, json!({"paymets": {"status": "UNKNOWN", "details": null}}));
    assert_eq!(body["status"], "UP");
}
