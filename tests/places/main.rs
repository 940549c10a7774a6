//! The places where people put a breaker, each over real sockets; the code is that of `docs/recipes.md`.

mod axum;
mod middleware;
mod reqwest;
mod support;
mod tower_http;
