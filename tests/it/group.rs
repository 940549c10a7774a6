//! Endpoints of one service: not too many are left out, and never all.

use tower_breaker::{Circuit, ConfigError, Mode, Outcome, State, circuit::Group, clock::ManualClock};

use crate::support::{SECOND, THREE, acquire, circuit, trip};

fn endpoints(group: &Group, number: usize) -> (Vec<Circuit>, ManualClock) {
    let clock = ManualClock::new();
    let endpoint = |i: usize| {
        let builder = Circuit::builder(i.to_string()).config(THREE).clock(clock.clone()).group(group);
        builder.build().expect("the settings are within bounds")
    };
    ((0..number).map(endpoint).collect(), clock)
}

fn group(max_ejection: f64) -> Group {
    Group::new(max_ejection).expect("a share")
}

/// Whether each of them rejects calls.
fn out(endpoints: &[Circuit]) -> Vec<bool> {
    endpoints.iter().map(|circuit| circuit.check().is_err()).collect()
}

#[test]
fn those_that_open_beyond_the_share_go_on_in_the_order_in_which_they_opened() {
    let group = group(0.5);
    let (endpoints, _clock) = endpoints(&group, 5);
    for (opened, expected) in [
        (3, [false, false, false, true, false]),
        (1, [false, true, false, true, false]),
        (0, [false, true, false, true, false]),
        (2, [false, true, false, true, false]),
    ] {
        trip(&endpoints[opened]);
        assert_eq!(out(&endpoints), expected, "after {opened}");
    }
    assert_eq!(group.open(), (4, 5));
    assert_eq!((endpoints[0].state(), endpoints[0].mode()), (State::Open, Mode::MetricsOnly));
}

#[test]
fn if_all_are_open_all_pass_and_each_that_recovers_lets_two_be_left_out_again() {
    let group = group(0.5);
    let (endpoints, clock) = endpoints(&group, 4);
    endpoints.iter().for_each(trip);
    assert_eq!(out(&endpoints), [false; 4], "whom to leave out is not known");
    clock.advance(SECOND);
    acquire(&endpoints[0]).record(Outcome::Success);
    assert_eq!(endpoints[0].state(), State::Closed, "what passes is its probe, too");
    assert_eq!(endpoints[0].mode(), Mode::Auto);
    acquire(&endpoints[3]).record(Outcome::failure());
    let modes: Vec<_> = endpoints.iter().map(Circuit::mode).collect();
    assert_eq!(modes, [Mode::Auto, Mode::Auto, Mode::Auto, Mode::MetricsOnly], "the first two that opened are out");
}

#[test]
fn a_small_share_leaves_out_one_and_the_largest_all_but_one() {
    let small = group(0.0);
    let (endpoints_, _clock) = endpoints(&small, 3);
    trip(&endpoints_[0]);
    trip(&endpoints_[1]);
    assert_eq!(out(&endpoints_), [true, false, false]);
    let large = group(1.0);
    let (endpoints_, _clock) = endpoints(&large, 3);
    trip(&endpoints_[0]);
    trip(&endpoints_[1]);
    assert_eq!(out(&endpoints_), [true, true, false]);
    trip(&endpoints_[2]);
    assert_eq!(out(&endpoints_), [false; 3]);
    let (alone, _clock) = endpoints(&group(1.0), 1);
    trip(&alone[0]);
    assert_eq!(out(&alone), [false], "there is nowhere else to go");
}

#[test]
fn what_a_group_has_let_pass_is_left_out_after_a_restart_if_it_is_the_first_then() {
    let (before, after) = (group(0.5), group(0.5));
    let (old, _clock) = endpoints(&before, 3);
    trip(&old[1]);
    trip(&old[0]);
    assert_eq!(out(&old), [false, true, false]);
    let (new, _clock) = endpoints(&after, 3);
    let saved = old[0].save();
    assert_eq!((saved.memory.state, saved.memory.mode), (State::Open, Mode::Auto));
    assert_eq!(new[0].restore_at(&saved, SECOND, saved.at).state, Ok(()));
    assert_eq!(out(&new), [true, false, false]);
}

#[test]
fn an_endpoint_that_was_built_to_measure_only_does_so_after_an_outage_too() {
    let (group, clock) = (group(0.5), ManualClock::new());
    let build = |name: &str, mode: Mode| {
        let builder = Circuit::builder(name).config(THREE).clock(clock.clone()).mode(mode).group(&group);
        builder.build().expect("the settings are within bounds")
    };
    let (one, other) = (build("one", Mode::Auto), build("other", Mode::MetricsOnly));
    trip(&one);
    trip(&other);
    assert_eq!(one.mode(), Mode::MetricsOnly, "all are out, so all pass");
    clock.advance(SECOND);
    for circuit in [&one, &other] {
        acquire(circuit).record(Outcome::Success);
        assert_eq!(circuit.state(), State::Closed);
    }
    assert_eq!((one.mode(), other.mode()), (Mode::Auto, Mode::MetricsOnly));
}

#[test]
fn what_an_operator_has_set_stays() {
    let group = group(0.5);
    let (endpoints, clock) = endpoints(&group, 3);
    endpoints[1].force_open();
    trip(&endpoints[0]);
    endpoints[1].auto();
    trip(&endpoints[1]);
    assert_eq!(endpoints[1].mode(), Mode::MetricsOnly);
    endpoints[1].disable();
    clock.advance(SECOND);
    acquire(&endpoints[0]).record(Outcome::Success);
    assert_eq!(endpoints[1].mode(), Mode::Disabled, "there is room for it now, and it is not touched");
    trip(&endpoints[2]);
    endpoints[2].force_open();
    trip(&endpoints[0]);
    assert_eq!(endpoints[2].mode(), Mode::ForcedOpen);
}

#[test]
fn an_endpoint_that_is_gone_counts_no_more() {
    let group = group(0.5);
    let (mut endpoints, _clock) = endpoints(&group, 4);
    trip(&endpoints[0]);
    trip(&endpoints[1]);
    drop(endpoints.remove(0));
    assert_eq!(group.open(), (1, 3));
    trip(&endpoints[1]);
    assert_eq!(out(&endpoints), [true, false, false], "of three one is left out");
}

#[test]
fn the_circuit_of_the_service_opens_once_with_the_share_that_was_asked_for() {
    let (group, service) = (group(1.0), circuit(THREE));
    group.opens(&service, 0.75).expect("a share");
    let (endpoints, clock) = endpoints(&group, 4);
    trip(&endpoints[0]);
    trip(&endpoints[1]);
    assert_eq!(service.state(), State::Closed);
    trip(&endpoints[2]);
    let snapshot = service.snapshot();
    assert_eq!((snapshot.state, snapshot.times_opened), (State::Open, 1));
    assert_eq!(snapshot.reason.expect("it says why").to_string(), "3 of 4 endpoints are open");
    service.reset();
    trip(&endpoints[3]);
    assert_eq!(service.state(), State::Closed, "it has been told");
    clock.advance(SECOND);
    for endpoint in &endpoints {
        acquire(endpoint).record(Outcome::Success);
    }
    assert_eq!(group.open(), (0, 4));
    endpoints[..3].iter().for_each(trip);
    assert_eq!(service.snapshot().times_opened, 2, "another outage");
}

#[test]
fn a_share_that_is_none_is_refused_by_name() {
    for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let faults = |error: ConfigError| error.faults().iter().map(ToString::to_string).collect::<String>();
        let told = faults(Group::new(value).expect_err("no share"));
        assert!(told.contains("max_ejection") && told.contains("between 0 and 1"), "{told}");
        let told = faults(group(0.5).opens(&circuit(THREE), value).expect_err("no share"));
        assert!(told.contains("`at`"), "{told}");
    }
    let told = group(0.5).opens(&circuit(THREE), 0.0);
    assert!(told.is_err(), "a service that is down with no endpoint open is none");
}

/// Whatever the order, in the end as many are left out as may be.
#[test]
fn many_threads_that_open_and_close_endpoints_agree_in_the_end() {
    for round in 0..50 {
        let group = group(0.5);
        let (endpoints, clock) = endpoints(&group, 6);
        std::thread::scope(|scope| {
            for thread in 0..3usize {
                let (endpoints, clock) = (&endpoints, &clock);
                scope.spawn(move || {
                    for step in 0..40 {
                        let endpoint = &endpoints[(thread * 7 + step * 5 + round) % 6];
                        let Ok(permit) = endpoint.try_acquire() else {
                            clock.advance(SECOND / 2);
                            continue;
                        };
                        let fails = (thread + step) % 3 > 0;
                        let failed = tower_breaker::Failure::new().tripping().into();
                        permit.record(if fails { failed } else { Outcome::Success });
                    }
                });
            }
        });
        let open = endpoints.iter().filter(|circuit| matches!(circuit.state(), State::Open | State::HalfOpen)).count();
        assert_eq!(group.open(), (open, 6));
        let left_out = endpoints.iter().filter(|circuit| circuit.mode() == Mode::Auto).count() - (6 - open);
        assert_eq!(left_out, if open == 6 { 0 } else { open.min(3) }, "{open} are open");
    }
}
