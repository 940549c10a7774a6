//! A stack in words.

use std::fmt::{self, Write};

use crate::{retry::RetryConfig, stack::Parts};

/// A line for each part, from outside in.
pub(super) fn describe(parts: &Parts) -> String {
    let mut text = format!("`{}`, from outside in:\n", parts.circuit.name());
    // Writing to a string does not fail.
    let _ = if parts.is_server { server(&mut text, parts) } else { client(&mut text, parts) };
    text
}

fn client(text: &mut String, parts: &Parts) -> fmt::Result {
    if let Some(total) = parts.config.total {
        writeln!(text, "  total timeout    {total:?}")?;
    }
    if let Some(retry) = &parts.config.retry {
        writeln!(text, "  retry            {}", Retry(retry, parts.config.retry_ratio))?;
    }
    writeln!(text, "  circuit          {}", parts.circuit.explain())?;
    bulkhead(text, parts)?;
    attempt(text, parts, "attempt timeout")
}

fn server(text: &mut String, parts: &Parts) -> fmt::Result {
    bulkhead(text, parts)?;
    writeln!(text, "  circuit          {}", parts.circuit.explain())?;
    attempt(text, parts, "handler timeout")
}

fn bulkhead(text: &mut String, parts: &Parts) -> fmt::Result {
    let Some(bulkhead) = parts.config.bulkhead else { return Ok(()) };
    write!(text, "  bulkhead         {} calls at once", bulkhead.limit)?;
    if bulkhead.queue > 0 {
        write!(text, ", {} wait for {:?} at most", bulkhead.queue, bulkhead.max_wait)?;
    }
    writeln!(text)
}

fn attempt(text: &mut String, parts: &Parts, name: &str) -> fmt::Result {
    match parts.config.attempt {
        Some(attempt) => writeln!(text, "  {name}  {attempt:?}"),
        None => Ok(()),
    }
}

struct Retry<'a>(&'a RetryConfig, f64);

impl fmt::Display for Retry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(RetryConfig { attempts, backoff, .. }, ratio) = self;
        write!(f, "{attempts} attempts, {:?} × {} up to {:?} apart, ", backoff.base, backoff.factor, backoff.max)?;
        write!(f, "spread {:?}; {ratio} retries for each call", backoff.spread)
    }
}
