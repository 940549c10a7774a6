//! A thousand circuits.

use std::time::Duration;

use tower_breaker::{Registry, dashboard::Dashboard};

use crate::{support::Site, trip};

#[tokio::test]
async fn a_thousand_circuits_are_listed_and_of_one_that_changes_only_one_is_sent() {
    let dashboard = Dashboard::new();
    dashboard.every(Duration::from_millis(10));
    let each = dashboard.clone();
    let tenants = Registry::by_key("tenants").each(move |_: &String, it| it.observe(each.observer())).build().unwrap();
    dashboard.add(tenants.clone());
    for tenant in 0..1_000 {
        let _ = tenants.circuit(&format!("{tenant:03}"));
    }
    let site = Site::serve(dashboard.router()).await;
    let all = site.get("/circuits").await.json();
    let all = all["circuits"].as_array().expect("a list");
    assert_eq!(all.len(), 1_000);
    assert!(all.windows(2).all(|pair| pair[0]["id"].as_str() < pair[1]["id"].as_str()), "in order");

    let mut stream = site.stream("/circuits/events", &[]).await;
    let first = stream.next().await.expect("the first").data;
    assert_eq!(first["circuits"].as_array().map(Vec::len), Some(1_000));
    trip(&tenants.circuit("777"));
    let change = stream.next().await.expect("a change").data;
    assert_eq!(change["circuits"].as_array().map(Vec::len), Some(1), "{change}");
    assert_eq!(change["circuits"][0]["id"], r#"tenants["777"]"#);
}
