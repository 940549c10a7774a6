//! The chapters: what there is to know beyond the items.

#[doc = include_str!("../docs/states.md")]
pub mod states {}

#[doc = include_str!("../docs/classify.md")]
pub mod classify {}

#[cfg_attr(
    all(feature = "grpc", feature = "reqwest", feature = "tower-http"),
    doc = include_str!("../docs/recipes.md")
)]
#[cfg_attr(
    not(all(feature = "grpc", feature = "reqwest", feature = "tower-http")),
    doc = "Where to put it: `docs/recipes.md`, whose code needs the features `grpc`, `reqwest` and `tower-http`."
)]
pub mod recipes {}

#[cfg(feature = "balance")]
#[doc = include_str!("../docs/balancers.md")]
pub mod balancers {}

#[cfg(all(feature = "http", feature = "keyed"))]
#[doc = include_str!("../docs/keys.md")]
pub mod keys {}

#[cfg(feature = "stack")]
#[doc = include_str!("../docs/ordering.md")]
pub mod ordering {}

#[cfg(feature = "axum")]
#[doc = include_str!("../docs/dashboard.md")]
pub mod dashboard {}

#[cfg(all(feature = "keyed", feature = "metrics"))]
#[doc = include_str!("../docs/metrics.md")]
pub mod metrics {}

#[doc = include_str!("../docs/design.md")]
pub mod design {}

#[cfg(all(feature = "http", feature = "retry"))]
#[doc = include_str!("../docs/retry.md")]
pub mod retry {}

#[cfg_attr(feature = "http", doc = include_str!("../docs/bulkhead.md"))]
#[cfg_attr(
    not(feature = "http"),
    doc = "Bulkheads and timeouts: `docs/bulkhead.md`, whose code needs the feature `http`."
)]
pub mod bulkhead {}
#[cfg(feature = "stale")]
#[doc = include_str!("../docs/fallback.md")]
pub mod fallback {}

#[cfg(all(feature = "keyed", feature = "retry", feature = "serde"))]
#[doc = include_str!("../docs/settings.md")]
pub mod settings {}

#[doc = include_str!("../docs/limits.md")]
pub mod limits {}

#[expect(clippy::doc_markdown, reason = "its tables are printed by the benches")]
#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

#[doc = include_str!("../docs/verification.md")]
pub mod verification {}

#[doc = include_str!("../docs/comparison.md")]
pub mod comparison {}
