//! Who may steer, and what is done then.

use http::{Method, StatusCode};
use serde_json::json;
use tower_breaker::{Mode, State, dashboard::Dashboard};

use crate::{
    circuit,
    support::{Answer, Site},
    trip,
};

const FORCE_OPEN: &str = r#"{"action": "force_open"}"#;
const JSON: (&str, &str) = ("content-type", "application/json");

fn refused(answer: &Answer, status: StatusCode, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.json(), json!({ "error": text }));
}

#[tokio::test]
async fn nobody_may_steer_unless_the_program_says_so() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    // Another router of the same dashboard changes nothing about this one.
    let _ = dashboard.control(|_| true).router();
    let site = Site::serve(dashboard.router()).await;
    let answer = site.post("/circuits/payments", FORCE_OPEN).await;
    refused(&answer, StatusCode::FORBIDDEN, "control is off: the program serves this dashboard to be read only");
    assert_eq!(payments.mode(), Mode::Auto);
    assert_eq!(site.get("/circuits").await.json()["control"], false);
}

#[tokio::test]
async fn the_program_says_who_may() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    let control = dashboard.control(|request| request.headers.get("x-secret").is_some_and(|given| given == "sesame"));
    let site = Site::serve(control.router()).await;
    let post =
        async |headers: &[(&str, &str)]| site.send(Method::POST, "/circuits/payments", headers, FORCE_OPEN).await;
    refused(&post(&[JSON]).await, StatusCode::FORBIDDEN, "you may not steer circuits here");
    refused(&post(&[JSON, ("x-secret", "please")]).await, StatusCode::FORBIDDEN, "you may not steer circuits here");
    assert_eq!(payments.mode(), Mode::Auto);
    assert_eq!(post(&[JSON, ("x-secret", "sesame")]).await.status, StatusCode::OK);
    assert_eq!(payments.mode(), Mode::ForcedOpen);
    assert_eq!(site.get("/circuits").await.json()["control"], true);
}

#[tokio::test]
async fn a_page_of_another_site_may_not() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    let site = Site::serve(dashboard.control(|_| true).router()).await;
    let host = site.address.to_string();
    let port = site.address.port();
    let own = format!("http://{host}");
    let longer = format!("http://{host}.evil.example");
    let other_port = format!("http://127.0.0.1:{}", port.wrapping_add(1));
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[], true),
        (&[("origin", &own)], true),
        (&[("origin", &own), ("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("origin", "http://evil.example")], false),
        (&[("origin", &longer)], false),
        (&[("origin", &other_port)], false),
        (&[("origin", "null")], false),
        (&[("origin", "")], false),
        (&[("origin", &own), ("origin", "http://evil.example")], false),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("origin", &own), ("sec-fetch-site", "cross-site")], false),
        (&[("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")], false),
    ];
    for (headers, may) in cases {
        payments.auto();
        let headers: Vec<_> = headers.iter().copied().chain([JSON]).collect();
        let answer = site.send(Method::POST, "/circuits/payments", &headers, FORCE_OPEN).await;
        if *may {
            assert_eq!((answer.status, payments.mode()), (StatusCode::OK, Mode::ForcedOpen), "{headers:?}");
        } else {
            refused(&answer, StatusCode::FORBIDDEN, "the request comes from a page of another site");
            assert_eq!(payments.mode(), Mode::Auto, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn each_action_does_what_it_says() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    let site = Site::serve(dashboard.control(|_| true).router()).await;
    let modes = [
        ("force_open", Mode::ForcedOpen),
        ("force_closed", Mode::ForcedClosed),
        ("disable", Mode::Disabled),
        ("metrics_only", Mode::MetricsOnly),
        ("auto", Mode::Auto),
    ];
    for (action, mode) in modes {
        let answer = site.post("/circuits/payments", &json!({ "action": action }).to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(payments.mode(), mode);
        let body = answer.json();
        assert_eq!((&body["id"], &body["mode"]), (&json!("payments"), &json!(mode.as_str())));
        assert_eq!(body["mode_ends_in_ms"], json!(null));
        assert_eq!(
            body["events"].as_array().and_then(|events| events.last()).map(|event| &event["to"]),
            Some(&body["mode"])
        );
    }
    trip(&payments);
    let answer = site.post("/circuits/payments", r#"{"action": "reset"}"#).await;
    assert_eq!((answer.status, payments.state()), (StatusCode::OK, State::Closed));
}

#[tokio::test]
async fn a_mode_may_be_for_a_time() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    let site = Site::serve(dashboard.control(|_| true).router()).await;
    for (lasts, ms) in [("30s", 30_000_u64), (" 1m 30s ", 90_000), ("1ms", 1), ("365days", 31_536_000_000)] {
        for action in ["force_open", "force_closed", "disable", "metrics_only"] {
            let command = json!({ "action": action, "for": lasts }).to_string();
            let answer = site.post("/circuits/payments", &command).await;
            assert_eq!(answer.json()["mode_ends_in_ms"], ms, "{command}: {}", answer.text());
        }
    }
    let answer = site.post("/circuits/payments", r#"{"action": "force_open", "for": null}"#).await;
    assert_eq!((answer.status, payments.snapshot().mode_ends_in), (StatusCode::OK, None));
}

#[tokio::test]
async fn a_body_that_is_no_command_is_refused_and_says_why() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    let site = Site::serve(dashboard.control(|_| true).router()).await;
    let object = r#"the body must be an object such as {"action": "force_open"}"#;
    let actions = "must be one of `auto`, `disable`, `force_closed`, `force_open`, `metrics_only`, `reset`";
    let duration = "must be a duration with its unit, above zero and at most 365 days, such as `30s` or `5m`";
    let cases = [
        ("", object.to_owned()),
        (r#"["force_open", "30s"]"#, object.to_owned()),
        (r#""force_open""#, object.to_owned()),
        ("{}", "missing field `action` at line 1 column 2".to_owned()),
        (r#"{"action": "force_open""#, "EOF while parsing an object at line 1 column 23".to_owned()),
        (r#"{"action": "force_open"} x"#, "trailing characters at line 1 column 26".to_owned()),
        (r#"{"action": "explode"}"#, format!("`action` is `explode`, {actions}")),
        (r#"{"action": 7}"#, format!("`action` is `7`, {actions}")),
        (r#"{"action": null}"#, format!("`action` is `null`, {actions}")),
        (
            r#"{"action": "auto", "mode": "auto"}"#,
            "unknown field `mode`, expected `action` or `for` at line 1 column 25".to_owned(),
        ),
        (r#"{"action": "auto", "action": "reset"}"#, "duplicate field `action` at line 1 column 27".to_owned()),
        (r#"{"action": "disable", "for": "soon"}"#, format!("`for` is `soon`, {duration}")),
        (r#"{"action": "disable", "for": "30"}"#, format!("`for` is `30`, {duration}")),
        (r#"{"action": "disable", "for": 30}"#, format!("`for` is `30`, {duration}")),
        (r#"{"action": "disable", "for": "0s"}"#, format!("`for` is `0s`, {duration}")),
        (r#"{"action": "disable", "for": "366days"}"#, format!("`for` is `366days`, {duration}")),
        (
            r#"{"action": "auto", "for": "1s"}"#,
            "`for` is `1s`, but `auto` lasts for no time: leave `for` out".to_owned(),
        ),
        (
            r#"{"action": "reset", "for": "1s"}"#,
            "`for` is `1s`, but `reset` lasts for no time: leave `for` out".to_owned(),
        ),
    ];
    for (body, text) in cases {
        refused(&site.post("/circuits/payments", body).await, StatusCode::BAD_REQUEST, &text);
    }
    assert!(payments.mode() == Mode::Auto && dashboard.events().is_empty(), "nothing was done");
}

#[tokio::test]
async fn a_body_of_another_kind_or_too_long_is_refused() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    let site = Site::serve(dashboard.control(|_| true).router()).await;
    let kinds: &[&[(&str, &str)]] =
        &[&[], &[("content-type", "text/plain")], &[("content-type", "application/x-www-form-urlencoded")]];
    for headers in kinds {
        let answer = site.send(Method::POST, "/circuits/payments", headers, FORCE_OPEN).await;
        refused(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "`content-type` must be `application/json`");
    }
    let long = format!("{FORCE_OPEN}{}", " ".repeat(4096));
    let answer = site.post("/circuits/payments", &long).await;
    refused(&answer, StatusCode::PAYLOAD_TOO_LARGE, "the body must be of 4096 bytes at most");
    assert_eq!(payments.mode(), Mode::Auto);

    let as_long_as_may_be = format!("{FORCE_OPEN}{}", " ".repeat(4096 - FORCE_OPEN.len()));
    let headers = [("content-type", "Application/JSON; charset=utf-8")];
    let answer = site.send(Method::POST, "/circuits/payments", &headers, &as_long_as_may_be).await;
    assert_eq!((answer.status, payments.mode()), (StatusCode::OK, Mode::ForcedOpen), "{}", answer.text());
}
