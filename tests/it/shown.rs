//! What programs see of the values that they hold, in their logs and in a debugger.

use std::fmt::Debug;

use tower_breaker::{Circuit, Mode, Outcome, State, circuit::Group, classify::classify_fn};

use crate::support::{THREE, acquire, circuit};

fn shown(value: &impl Debug) -> String {
    format!("{value:?}")
}

#[test]
fn a_circuit_in_the_making_and_a_permit_say_what_they_are_for() {
    let builder = Circuit::builder("payments").config(THREE).mode(Mode::Disabled);
    let text = shown(&builder);
    assert!(
        text.contains("\"payments\"") && text.contains("Disabled") && text.contains("consecutive_failures"),
        "{text}"
    );
    let call = acquire(&circuit(THREE));
    assert_eq!(shown(&call), "Permit { circuit: Some(\"test\"), probe: false, .. }");
    let probe = acquire(&circuit(THREE.initial_state(State::HalfOpen)));
    assert_eq!(shown(&probe), "Permit { circuit: Some(\"test\"), probe: true, .. }");
}

#[test]
fn a_group_says_how_many_of_how_many_are_open() {
    let group = Group::new(0.5).expect("a share");
    let member = || Circuit::builder("endpoint").group(&group).build().expect("the defaults");
    let (one, _other) = (member(), member());
    one.force_open();
    assert_eq!(shown(&group), "Group { open: 0, of: 2, .. }", "an operator's word is no sign of trouble");
    one.auto();
    crate::support::trip(&one);
    assert_eq!(shown(&group), "Group { open: 1, of: 2, .. }");
}

#[test]
fn a_classifier_says_which_it_is() {
    let text = shown(&classify_fn(|_: Result<&(), &()>| Outcome::Success));
    assert!(text.starts_with("ClassifyFn(") && text.contains("a_classifier_says_which_it_is"), "{text}");
    #[cfg(feature = "http")]
    {
        use tower_breaker::classify::AtEnd;
        assert_eq!(shown(&AtEnd::head()), "AtEnd(head)");
        assert_eq!(shown(&AtEnd::body()), "AtEnd(body)");
        assert_eq!(shown(&AtEnd::judge(|_| Outcome::Success)), "AtEnd(judge)");
        let text = shown(&tower_breaker::classify::http_fn(|_| Outcome::Success));
        assert!(text.starts_with("HttpFn(") && text.contains("a_classifier_says_which_it_is"), "{text}");
    }
    #[cfg(feature = "grpc")]
    {
        use tower_breaker::classify::{Classifier, GrpcClassifier};
        let at_end = Classifier::<_, std::io::Error>::at_end(&GrpcClassifier::new(), &http::Response::new(()));
        assert_eq!(shown(&at_end), "AtEnd(grpc)");
    }
}
