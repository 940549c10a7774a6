//! The JSON without a server, and what is kept.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tower_breaker::{
    Circuit, Mode, Outcome, Registry,
    clock::ManualClock,
    dashboard::{Action, Command, Dashboard, Source, Viewer},
    machine::Event,
    observe::Observer,
};

use crate::{circuit, support::Site, trip};

#[tokio::test]
async fn the_views_are_what_the_routes_send() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    circuit("search", &dashboard);
    dashboard.critical("search");
    trip(&payments);
    let site = Site::serve(dashboard.router()).await;
    let value = |view: &dyn erased::Json| view.value();
    assert_eq!(value(&dashboard.circuits()), site.get("/circuits").await.json()["circuits"]);
    assert_eq!(value(&dashboard.circuit("payments")), site.get("/circuits/payments").await.json());
    assert_eq!(value(&dashboard.events()), site.get("/circuits/events").await.json()["events"]);
    assert_eq!(value(&dashboard.health()), site.get("/health").await.json());
    assert_eq!(value(&dashboard.circuit("nobody")), Value::Null);
}

mod erased {
    pub(super) trait Json {
        fn value(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Json for T {
        fn value(&self) -> serde_json::Value {
            serde_json::to_value(self).expect("it can be written")
        }
    }
}

#[test]
fn circuits_can_be_steered_without_a_server() {
    let dashboard = Dashboard::new();
    let payments = circuit("payments", &dashboard);
    let command = Command::from_json(br#"{"action": "metrics_only", "for": "1m"}"#).expect("a command");
    assert_eq!(command.action(), Action::MetricsOnly);
    let detail = dashboard.steer("payments", command).expect("it is there");
    assert_eq!(detail.circuit.snapshot.mode_ends_in, Some(Duration::from_secs(60)));
    assert_eq!(payments.mode(), Mode::MetricsOnly);
    assert!(dashboard.steer("nobody", command).is_none());
}

#[test]
fn a_circuit_that_changes_often_does_not_push_out_the_events_of_others() {
    let dashboard = Dashboard::with_events(50);
    let (calm, busy) = (circuit("calm", &dashboard), circuit("busy", &dashboard));
    calm.force_open();
    for _ in 0..100 {
        busy.force_open();
        busy.auto();
    }
    assert_eq!((dashboard.events().len(), dashboard.dropped()), (50, 151));
    assert!(dashboard.events().iter().all(|logged| &*logged.circuit == "busy"));
    assert_eq!(dashboard.events_of("calm").len(), 1);
    let events = dashboard.events_of("busy");
    assert_eq!(events.len(), 50, "the common log has more of it than its own");
    assert!(events.windows(2).all(|pair| pair[0].seq < pair[1].seq && pair[0].at <= pair[1].at));

    let little = Dashboard::with_events(0);
    let busy = circuit("busy", &little);
    for _ in 0..100 {
        busy.force_open();
        busy.auto();
    }
    assert!(little.events().is_empty());
    assert_eq!(little.events_of("busy").len(), 20, "its last twenty");
}

#[test]
fn the_memory_of_events_is_bounded_whatever_the_keys_are() {
    let dashboard = Dashboard::with_events(10);
    let each = dashboard.clone();
    let hosts = Registry::by_key("hosts").each(move |_: &String, it| it.observe(each.observer())).build().unwrap();
    for host in 0..1_005 {
        hosts.circuit(&host.to_string()).force_open();
    }
    // The first comes again, so it is not among those to which nothing has happened for longest.
    let kept = |host: u32| dashboard.events_of(&format!("hosts[\"{host}\"]")).len();
    assert_eq!((kept(0), kept(4)), (0, 0));
    assert_eq!((kept(5), kept(1_004)), (1, 1));
    hosts.circuit("5").auto();
    hosts.circuit("6").auto();
    hosts.circuit("new").force_open();
    assert_eq!((kept(5), kept(6), kept(7)), (2, 2, 0));
}

#[test]
fn numbers_of_events_go_on_growing_over_a_restart() {
    let before = Dashboard::new();
    let circuit_before = circuit("payments", &before);
    (0..10).for_each(|_| (circuit_before.force_open(), circuit_before.auto()).1);
    let last = before.events().last().expect("some").seq;
    // The numbers of a process begin with its own time of day, in microseconds: 20 events must not outrun them.
    std::thread::sleep(Duration::from_millis(1));
    let after = Dashboard::new();
    circuit("payments", &after).force_open();
    assert!(after.events()[0].seq > last);
    assert!(last > 1_700_000_000_000_000, "they begin with the time, in microseconds");
    assert!(after.events()[0].seq < 1 << 53, "JavaScript can tell it from the next");
}

#[test]
fn observers_are_told_the_key_of_a_circuit_that_is_one_of_many() {
    #[derive(Clone, Default)]
    struct Keys(Arc<Mutex<Vec<Option<String>>>>);
    impl Observer for Keys {
        fn on_event(&self, _: &Event) {
            panic!("circuits call the other one");
        }
        fn on_keyed_event(&self, _: &Event, key: Option<&dyn Debug>) {
            self.0.lock().unwrap().push(key.map(|key| format!("{key:?}")));
        }
    }
    let keys = Keys::default();
    let each = keys.clone();
    let tenants = Registry::by_key("tenants").each(move |_: &String, it| it.observe(each.clone())).build().unwrap();
    tenants.circuit("acme").force_open();
    Circuit::builder("payments").observe(keys.clone()).build().unwrap().force_open();
    assert_eq!(*keys.0.lock().unwrap(), [Some("\"acme\"".to_owned()), None]);
}

#[test]
fn to_look_keeps_no_circuit_from_being_forgotten() {
    let (dashboard, clock) = (Dashboard::new(), ManualClock::new());
    let hosts = Registry::by_key("hosts").forget_after(Duration::from_secs(1)).clock(clock.clone()).build().unwrap();
    dashboard.add(hosts.clone());
    hosts.circuit("old").try_acquire().unwrap().record(Outcome::Success);
    for new in 0..10 {
        assert_eq!(dashboard.circuits().len(), hosts.len());
        let _ = (dashboard.circuit("hosts[\"old\"]"), dashboard.health());
        clock.advance(Duration::from_millis(600));
        let _ = hosts.circuit(&new.to_string());
    }
    assert!(dashboard.circuit("hosts[\"old\"]").is_none(), "nobody has called it for six seconds");
}

#[test]
fn the_overflow_is_shown_once_somebody_is_in_it() {
    let dashboard = Dashboard::new();
    let hosts = Registry::by_key("hosts").capacity(0).build().unwrap();
    dashboard.add(hosts.clone());
    assert!(dashboard.circuits().is_empty());
    hosts.circuit("example.org").try_acquire().unwrap().record(Outcome::Success);
    assert_eq!(dashboard.circuits()[0].id, "hosts: overflow");
}

#[test]
fn a_source_of_your_own_is_shown() {
    struct Both(Circuit, Circuit);
    impl Source for Both {
        fn show(&self, viewer: &mut Viewer<'_>) {
            self.0.show(viewer);
            viewer.see(&self.1);
        }
    }
    let new = |name: &str| Circuit::builder(name).build().unwrap();
    let dashboard = Dashboard::new();
    dashboard.add(Both(new("a"), new("b")));
    dashboard.add(vec![new("c"), new("d")]);
    let ids: Vec<_> = dashboard.circuits().into_iter().map(|view| view.id).collect();
    assert_eq!(ids, ["a", "b", "c", "d"]);
    assert_eq!(serde_json::to_value(&dashboard.circuits()[0]).unwrap()["key"], json!(null));
}
