//! Where a router may be put.

use axum::{Router, routing::get};
use http::StatusCode;
use tower_breaker::dashboard::Dashboard;

use crate::{circuit, support::Site};

async fn works_below(site: &Site, root: &str) {
    for path in ["/circuits", "/circuits/payments", "/circuits/events", "/circuits/dashboard", "/health"] {
        let answer = site.get(&format!("{root}{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{root}{path}");
    }
    let steered = site.post(&format!("{root}/circuits/payments"), r#"{"action": "auto"}"#).await;
    assert_eq!((steered.status, &steered.json()["id"]), (StatusCode::OK, &"payments".into()));
    let mut stream = site.stream(&format!("{root}/circuits/events"), &[]).await;
    assert_eq!(stream.next().await.expect("the first").data["circuits"][0]["id"], "payments");
}

#[tokio::test]
async fn a_router_may_be_nested_and_merged() {
    let dashboard = Dashboard::new();
    circuit("payments", &dashboard);
    let control = dashboard.control(|_| true);
    let app = Router::new()
        .route("/", get(async || "hello"))
        .nest("/internal/{team}", control.router())
        .merge(control.router());
    let site = Site::serve(app).await;
    works_below(&site, "").await;
    works_below(&site, "/internal/a%20team").await;
    assert_eq!(site.get("/").await.text(), "hello");
}
