//! Layers in an order that does harm and says nothing, read from the type of a service.

use std::{any::type_name_of_val, fmt};

use crate::circuit::Circuit;

/// An order of layers that makes a breaker blind, or costs what it should save. See the
/// [chapter](crate::guide::ordering).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misplaced {
    /// A fallback stands inside of the circuit, which takes its answers for successes.
    FallbackInside,
    /// A retry stands inside of the circuit, which sees one slow failure in place of each attempt.
    RetryInside,
    /// The only timeout stands outside of the circuit, which takes a hang for a caller that leaves.
    TimeoutOutside,
}

impl Misplaced {
    /// Says what to do.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::FallbackInside => "put the fallback outside of the circuit, which sees successes only",
            Self::RetryInside => "put the retry outside of the circuit, which should see each attempt",
            Self::TimeoutOutside => {
                "put a timeout inside of the circuit, or set `cancelled_after` a little below the one outside; hangs are not seen"
            }
        }
    }
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice())
    }
}

/// Finds the three orders that do harm and say nothing, in the type of a service; for tests, and for debug builds at start.
///
/// It reads the names of the types, so it sees the layers of tower and of this crate by their names and none that is behind a
/// box. It finds nothing where there is no circuit.
///
/// ```
/// use std::time::Duration;
/// use tower::{ServiceBuilder, service_fn};
/// use tower_breaker::{Circuit, CircuitBreakerLayer, stack::{Misplaced, lint}};
///
/// let circuit = Circuit::builder("payments").build()?;
/// let client = service_fn(|_: http::Request<()>| async { Ok::<_, std::io::Error>(http::Response::new(())) });
/// let wrong = ServiceBuilder::new()
///     .timeout(Duration::from_secs(1)) // outside
///     .layer(CircuitBreakerLayer::new(circuit.clone()))
///     .service(client);
/// assert_eq!(lint(&wrong, &circuit), [Misplaced::TimeoutOutside]);
///
/// let right = ServiceBuilder::new()
///     .layer(CircuitBreakerLayer::new(circuit.clone()))
///     .timeout(Duration::from_secs(1)) // inside
///     .service(client);
/// debug_assert!(lint(&right, &circuit).is_empty());
/// # Ok::<(), tower_breaker::ConfigError>(())
/// ```
#[must_use]
pub fn lint<S: ?Sized>(service: &S, circuit: &Circuit) -> Vec<Misplaced> {
    in_order(&layers(type_name_of_val(service)), circuit.config().abandoned_after().is_some())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Circuit,
    Fallback,
    Retry,
    Timeout,
}

/// The layers in the name of a type, from outside in: a type is named before its parameters.
fn layers(name: &str) -> Vec<Kind> {
    let mut found = Vec::new();
    walk(name, &mut found);
    found
}

fn walk(name: &str, found: &mut Vec<Kind>) {
    let Some((path, rest)) = name.split_once('<') else { return };
    found.extend(kind(path));
    let parameters = parameters(rest);
    // Of a part that may be there or not, the case that it is; the other has the same inside of it.
    let taken = if path.ends_with("::Either") { 1 } else { parameters.len() };
    parameters.into_iter().take(taken).for_each(|parameter| walk(parameter, found));
}

/// What stands between this bracket and the one that closes it, cut at its own commas.
fn parameters(rest: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    let mut previous = ' ';
    for (at, c) in rest.char_indices() {
        match c {
            '<' | '(' | '[' | '{' => depth += 1,
            // The arrow of a function closes nothing.
            '>' if previous == '-' => {}
            '>' if depth == 0 => {
                found.push(rest[start..at].trim());
                break;
            }
            '>' | ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(rest[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        previous = c;
    }
    found
}

fn kind(path: &str) -> Option<Kind> {
    let (module, name) = path.rsplit_once("::")?;
    let home = module.split("::").next()?;
    match (home, name) {
        ("tower_breaker", "Backpressure" | "CircuitBreaker" | "KeyedCircuitBreaker") => Some(Kind::Circuit),
        ("tower_breaker", "Fallback") => Some(Kind::Fallback),
        ("tower", "Retry") => Some(Kind::Retry),
        ("tower" | "tower_http", "Timeout") | ("tower_breaker", "AttemptTimeout" | "TotalTimeout") => {
            Some(Kind::Timeout)
        }
        _ => None,
    }
}

fn in_order(layers: &[Kind], late_drops_fail: bool) -> Vec<Misplaced> {
    let Some(at) = layers.iter().position(|kind| *kind == Kind::Circuit) else { return Vec::new() };
    let (outside, inside) = (&layers[..at], &layers[at + 1..]);
    let mut found = Vec::new();
    if inside.contains(&Kind::Fallback) {
        found.push(Misplaced::FallbackInside);
    }
    if inside.contains(&Kind::Retry) {
        found.push(Misplaced::RetryInside);
    }
    if outside.contains(&Kind::Timeout) && !inside.contains(&Kind::Timeout) && !late_drops_fail {
        found.push(Misplaced::TimeoutOutside);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_read_from_outside_in_whatever_is_between() {
        let name = "tower::timeout::Timeout<tower::retry::Retry<tower_breaker::retry::http::HttpRetry, \
                    tower_breaker::service::CircuitBreaker<tower_breaker::timeout::attempt::AttemptTimeout<\
                    my_app::Timeout<client::{{closure}}>>, tower_breaker::service::policy::Single<(), ()>>>>";
        assert_eq!(layers(name), [Kind::Timeout, Kind::Retry, Kind::Circuit, Kind::Timeout]);
        let either = "tower::util::Either<tower::retry::Retry<fn(a<b>) -> c<d>, tower_breaker::service::CircuitBreaker<x, y>>, \
                      tower_breaker::service::CircuitBreaker<x, y>>";
        assert_eq!(layers(either), [Kind::Retry, Kind::Circuit]);
        assert_eq!(layers("a<b"), [], "what is cut off is no reason to panic");
    }

    #[test]
    fn each_of_the_three_is_found_and_nothing_where_there_is_no_circuit() {
        use Kind::{Circuit, Fallback, Retry, Timeout};
        for (layers, late_drops_fail, expected) in [
            (&[Timeout, Retry, Circuit, Timeout][..], false, &[][..]),
            (&[Timeout, Retry, Circuit], false, &[Misplaced::TimeoutOutside]),
            (&[Timeout, Retry, Circuit], true, &[]),
            (&[Circuit, Retry, Timeout], false, &[Misplaced::RetryInside]),
            (&[Circuit, Fallback, Retry], false, &[Misplaced::FallbackInside, Misplaced::RetryInside]),
            (&[Fallback, Circuit], false, &[]),
            (&[Timeout, Retry, Fallback], false, &[]),
        ] {
            assert_eq!(in_order(layers, late_drops_fail), expected, "{layers:?}");
        }
    }
}
