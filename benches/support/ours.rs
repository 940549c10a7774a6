//! This crate, with each rule, and with each way to say no.

use std::time::Duration;

use tower::Layer;
use tower_breaker::{
    Circuit, CircuitBreakerLayer, Config,
    classify::Classifier,
    config::{Consecutive, FailureRate, Probing, Recovery, Window},
    service::{Reject, Single},
};

use super::{
    contenders::{Refusal, Rule},
    payload::{Bare, Failed, Payload, Typed},
    runner::{Around, Driven, Runner},
};

/// Longer than any bench runs.
const OPEN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the settings for a rule.
///
/// The single rules probe at fixed times and close by probes, so that nothing but the rule asks for the time. All stay
/// open for as long as the bench runs; that is the one thing in which `Rule::Default` is not `Config::new()`.
pub(crate) fn config(rule: Rule) -> Config {
    let single = Config::without_rules().recovery(Recovery::Probes);
    let rate = FailureRate::new(0.5);
    let config = match rule {
        Rule::Default => Config::new(),
        Rule::Evidence => Config::new().without_failure_rate(),
        Rule::Count(calls) => single.failure_rate(rate.minimum_calls(calls).window(Window::count(calls))),
        Rule::Run(failures) => single.consecutive_failures(Consecutive::new(failures)),
        Rule::Time(length) => single.failure_rate(rate.minimum_calls(100).window(Window::time(length))),
    };
    config.probing(Probing::fixed(OPEN_FOR))
}

pub(crate) fn circuit(rule: Rule) -> Circuit {
    Circuit::builder("bench").config(config(rule)).build().expect("the settings are sound")
}

/// Puts a service behind a circuit and says no in a given way.
pub(crate) fn guarded<P: Payload>(circuit: Circuit, refusal: Refusal) -> Box<dyn Runner> {
    let layer = CircuitBreakerLayer::with_classifier(circuit, P::CLASSIFIER);
    match refusal {
        Refusal::Boxed => boxed::<P, Failed, _>(layer),
        Refusal::Typed => boxed::<P, Typed, _>(layer.fail_with(Typed::Rejected)),
        Refusal::Reply => boxed::<P, Failed, _>(layer.reply_with(|_, rejected| P::refusal(&rejected))),
    }
}

/// The reply of its own that the layer has for HTTP.
pub(crate) fn guarded_503(circuit: Circuit) -> Box<dyn Runner> {
    use super::payload::Http;
    boxed::<Http, Failed, _>(CircuitBreakerLayer::with_classifier(circuit, Http::CLASSIFIER).reply_503())
}

fn boxed<P, E, R>(layer: CircuitBreakerLayer<Single<P::Classifier, R>>) -> Box<dyn Runner>
where
    P: Payload,
    E: From<Failed> + Send + 'static,
    R: Reject<P::Request, P::Response, E> + Clone + Send + 'static,
    P::Classifier: Classifier<P::Response, E>,
{
    let size = size_of_val(&layer);
    Driven::<P, _>::boxed(layer.layer(Bare::<P, E>::new()), Some(size), Around::Nothing)
}
