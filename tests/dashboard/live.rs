//! The live stream.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_breaker::{
    Circuit, Config,
    clock::{Clock, TokioClock},
    config::{Consecutive, Probing, Recovery},
    dashboard::Dashboard,
};

use crate::{
    back_end::BackEnd,
    circuit,
    support::{LONG, Message, Site, Stream},
    trip,
};

/// Reads on to the first message that this is true of, and returns it with those before.
async fn until(stream: &mut Stream, is_it: impl Fn(&Message) -> bool) -> Vec<Message> {
    let mut read = Vec::new();
    let reading = async {
        while !read.last().is_some_and(&is_it) {
            read.push(stream.next().await.expect("the stream goes on"));
        }
    };
    tokio::time::timeout(LONG, reading).await.expect("it comes");
    read
}

/// The ids in messages about circuits.
fn ids(messages: &[Message]) -> Vec<&str> {
    let circuits = messages.iter().filter_map(|message| message.data["circuits"].as_array()).flatten();
    circuits.map(|circuit| circuit["id"].as_str().expect("an id")).collect()
}

fn state_of<'a>(message: &'a Message, id: &str) -> Option<&'a Value> {
    let circuits = message.data["circuits"].as_array()?;
    circuits.iter().find(|circuit| circuit["id"] == id).map(|circuit| &circuit["state"])
}

#[tokio::test]
async fn a_back_end_dies_and_recovers_before_ones_eyes() {
    let dashboard = Dashboard::new();
    dashboard.every(Duration::from_millis(20));
    let config = Config::new()
        .consecutive_failures(Consecutive::new(3))
        .probing(Probing::fixed(Duration::from_millis(50)))
        .recovery(Recovery::Probes);
    let payments = Circuit::builder("payments").config(config).observe(dashboard.observer()).build().unwrap();
    dashboard.add(payments.clone());
    circuit("search", &dashboard);
    let back_end = BackEnd::start(payments).await;
    let site = Site::serve(dashboard.router()).await;

    let mut stream = site.stream("/circuits/events", &[]).await;
    let first = stream.next().await.expect("the first");
    assert_eq!((first.event.as_str(), &first.data["reset"]), ("circuits", &json!(true)));
    assert_eq!(ids(std::slice::from_ref(&first)), ["payments", "search"]);
    assert_eq!(first.data["gone"], Value::Null);

    back_end.dies().await;
    let mut later = until(&mut stream, |message| message.data["to"] == "open").await;
    assert!(later.iter().any(|message| state_of(message, "payments") == Some(&json!("open"))), "{later:?}");
    let opened = later.last().expect("it is there");
    assert_eq!((opened.event.as_str(), opened.id), ("event", opened.data["seq"].as_u64()));
    assert_eq!(opened.data["rule"], "consecutive_failures");

    back_end.comes_back().await;
    later.extend(until(&mut stream, |message| message.data["to"] == "closed").await);
    let last = later.iter().rev().find_map(|message| state_of(message, "payments"));
    if last != Some(&json!("closed")) {
        // It closed between the look at the circuits and that at the events.
        later.extend(until(&mut stream, |message| state_of(message, "payments") == Some(&json!("closed"))).await);
    }
    assert!(!ids(&later).contains(&"search"), "nothing has happened to it");
    let resets: Vec<_> = later.iter().filter(|message| message.data["reset"] == true).collect();
    assert!(resets.is_empty(), "{resets:?}");
    let seen: Vec<_> = later.iter().filter_map(|message| message.id).collect();
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "each event comes once, in order: {seen:?}");
}

#[tokio::test]
async fn a_reader_who_comes_back_gets_the_events_it_has_missed() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    let search = circuit("search", &dashboard);
    payments.force_open();
    search.force_open();
    payments.auto();
    let seqs: Vec<_> = dashboard.events().iter().map(|logged| logged.seq).collect();
    search.auto();
    let site = Site::serve(dashboard.router()).await;
    let events = async |path: &str, last: Option<u64>| {
        let last = last.map(|last| last.to_string());
        let headers: Vec<_> = last.iter().map(|last| ("last-event-id", last.as_str())).collect();
        let mut stream = site.stream(path, &headers).await;
        assert_eq!(stream.next().await.expect("the first").data["reset"], true);
        // The last of all marks the end.
        let read = until(&mut stream, |message| message.id == dashboard.events().last().map(|last| last.seq)).await;
        read.into_iter().map(|message| message.id.expect("an event")).collect::<Vec<_>>()
    };
    let last = dashboard.events()[3].seq;
    assert_eq!(events("/circuits/events", None).await, [seqs[0], seqs[1], seqs[2], last]);
    assert_eq!(events("/circuits/events", Some(seqs[1])).await, [seqs[2], last]);
    assert_eq!(events("/circuits/events?circuit=search", Some(seqs[0])).await, [seqs[1], last]);
    let from_elsewhere = last + 1_000_000;
    assert_eq!(events("/circuits/events", Some(from_elsewhere)).await.len(), 4, "a number that is not ours is none");
}

#[tokio::test]
async fn one_circuit_may_be_asked_for() {
    let dashboard = Dashboard::new();
    dashboard.every(Duration::from_millis(10));
    let (payments, search) = (circuit("payments", &dashboard), circuit("search", &dashboard));
    let site = Site::serve(dashboard.router()).await;
    let mut stream = site.stream("/circuits/events?circuit=search", &[]).await;
    let mut read = until(&mut stream, |message| message.data["reset"] == true).await;
    payments.force_open();
    trip(&search);
    read.extend(until(&mut stream, |message| message.event == "event").await);
    assert!(ids(&read).iter().all(|id| *id == "search") && !ids(&read).is_empty(), "{read:?}");
    assert_eq!(read.last().map(|event| &event.data["circuit"]), Some(&json!("search")));
}

#[tokio::test]
async fn a_reader_who_goes_makes_room_for_another() {
    let dashboard = Dashboard::new();
    dashboard.every(Duration::from_millis(10));
    circuit("payments", &dashboard);
    let site = Site::serve(dashboard.router()).await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        let mut stream = site.stream("/circuits/events", &[]).await;
        stream.next().await.expect("the first");
        streams.push(stream);
    }
    let accept = [("accept", "text/html;q=0.1, text/event-stream;q=1")];
    let one_more = site.send(Method::GET, "/circuits/events", &accept, "").await;
    assert_eq!(one_more.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(one_more.json()["error"].is_string());
    assert_eq!(site.get("/circuits").await.status, StatusCode::OK, "all else goes on");

    drop(streams.pop());
    // The server sees it when it does.
    let clock = TokioClock::new();
    let latest = clock.now().after(LONG);
    while site.request(Method::GET, "/circuits/events", &accept, "").await.status() != StatusCode::OK {
        assert!(clock.now() < latest, "the place is not free");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_dashboard_that_is_closed_ends_its_streams() {
    let dashboard = Dashboard::new();
    dashboard.every(Duration::from_millis(10));
    let site = Site::serve(dashboard.router()).await;
    let mut stream = site.stream("/circuits/events", &[]).await;
    assert!(stream.next().await.is_some());
    dashboard.close();
    assert_eq!(stream.next().await, None);
    let accept = [("accept", "text/event-stream")];
    let answer = site.send(Method::GET, "/circuits/events", &accept, "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(site.get("/circuits/events").await.status, StatusCode::OK, "the list is no stream");
}

/// What a reader is sent, and when, in seconds, with the time of tokio moved on as fast as can be.
async fn frames(dashboard: &Dashboard, count: usize, mut between: impl FnMut(usize)) -> Vec<(u64, String)> {
    let request = Request::get("/circuits/events").header("accept", "text/event-stream").body(Body::empty());
    let mut body = dashboard.router().oneshot(request.expect("a request")).await.expect("it answers").into_body();
    let clock = TokioClock::new();
    let start = clock.now();
    let mut frames = Vec::new();
    for i in 0..count {
        let frame = tokio::time::timeout(Duration::from_secs(60), body.frame()).await.expect("something comes");
        let frame = frame.expect("it goes on").expect("it is whole").into_data().expect("data");
        // Timers of tokio are a millisecond late.
        let at = (clock.now().since(start) + Duration::from_millis(100)).as_secs();
        frames.push((at, String::from_utf8(frame.to_vec()).expect("text")));
        between(i);
    }
    frames
}

#[tokio::test(start_paused = true)]
async fn what_runs_on_by_itself_is_no_change() {
    let dashboard = Dashboard::new();
    let payments = Circuit::builder("payments").config(crate::THREE).build().unwrap();
    dashboard.add(payments.clone());
    let search = Circuit::builder("search").build().unwrap();
    dashboard.add(search.clone());
    search.set_mode(tower_breaker::Mode::Disabled, Some(Duration::from_secs(3600)));
    trip(&payments);
    // The one call in its window expires after 10 s, and that is a change.
    let sent = frames(&dashboard, 4, |_| {}).await;
    let at: Vec<_> = sent.iter().map(|(at, _)| *at).collect();
    assert_eq!((at[0], at[1] > 8, at[1] < 12), (0, true, true), "{sent:?}");
    assert_eq!((at[2] - at[1], at[3] - at[2]), (15, 15), "then there is only a sign of life: {at:?}");
    assert!(sent[2].1.contains(r#""reset":false,"circuits":[],"gone":[]"#), "{}", sent[2].1);
}

#[tokio::test(start_paused = true)]
async fn changes_are_seen_within_a_second_and_each_once() {
    let dashboard = Dashboard::new();
    let payments = Circuit::builder("payments").build().unwrap();
    let tenants = tower_breaker::Registry::by_key("tenants").build().unwrap();
    dashboard.add(payments.clone());
    dashboard.add(tenants.clone());
    let sent = frames(&dashboard, 6, |i| match i {
        0 => payments.force_open(),
        1 => payments.set_mode(tower_breaker::Mode::ForcedOpen, Some(Duration::from_secs(600))),
        2 => payments.set_mode(tower_breaker::Mode::ForcedOpen, Some(Duration::from_secs(900))),
        3 => drop(tenants.circuit("acme")),
        _ => drop(tenants.remove("acme")),
    })
    .await;
    let at: Vec<_> = sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 1, 2, 3, 4, 5], "{sent:?}");
    assert!(
        sent[2].1.contains(r#""mode_ends_in_ms":599"#) && sent[3].1.contains(r#""mode_ends_in_ms":899"#),
        "{sent:?}"
    );
    assert!(sent[4].1.contains(r#"tenants[\"acme\"]"#) && !sent[4].1.contains("payments"), "{}", sent[4].1);
    assert!(sent[5].1.contains(r#""circuits":[],"gone":["tenants[\"acme\"]"]"#), "{}", sent[5].1);
}
