//! The proven faults of other breakers, turned round: each test is named after what must hold, with the fault's id in its
//! doc line ("Peers: d01"). Where another module already holds a circuit to the rule, the index points there.
//!
//! | id | what must hold | where |
//! |---|---|---|
//! | d01 | a count window slides | `counting` |
//! | d02, f08 | a reset forgets, in the closed state too | `counting` |
//! | d03 | successful probes do not expire | `probes` |
//! | d04, r02, r04 | settings that make no sense are refused | `settings` |
//! | d05, f06, r06 | late results decide nothing | `probes` |
//! | d07 | the default clock follows paused time | `service` |
//! | d08, f09 | calls that an outer timeout cuts off count, if so configured | `service`, `client` |
//! | d09, r07 | the minimum of calls, and not one more, opens | `counting` |
//! | d10 | a slow probe opens again | `probes` |
//! | d11 | readiness given while open does not reject after the recovery | `readiness` |
//! | d12 | forced open stays until it is taken away | `modes` |
//! | d13, t05 | a probe that never answers gives its slot back | `probes` |
//! | d14 | an observer runs under no lock | `events` |
//! | a01 | all services of a layer share its circuit, per connection and per request | `server` |
//! | m01 | an error of the inner readiness is a failure | `readiness`, `service` |
//! | m02 | a panic is a failure | `server`, `service`, `calls` |
//! | m03 | inner errors and rejections are found through the breaker | `service`, `types_http` |
//! | m04, t04 | an HTTP 5xx is a failure by default | `client`, `server` |
//! | m05 | in this version the head decides, and a body collected below counts | `client` |
//! | m06 | rejecting takes no time, and a rejection can be told from what is worth a retry | `service`, `order` |
//! | m07 | one layer is one circuit, two circuits are two | `service` |
//! | p01 | a closed circuit allocates nothing | `tests/alloc.rs` |
//! | p04, f10 | waiting is no busy loop | `readiness_mock`, `waiting` |
//! | p05 | what an outage has escalated is forgotten after the recovery | `probes` |
//! | `cf_a` | a classifier fits any error type | `types` |
//! | `cf_b`, `cf_c`, `cf_d` | nothing is asked of requests and responses | `types`, `types_http` |
//! | `cf_e` | errors are errors | `types` |
//! | `cf_f` | axum takes the layer without an error handler | `types_http` |
//! | t01 | a buffer survives an open circuit | `order` |
//! | t02 | no probe is held between readiness and the call | `readiness_mock` |
//! | t03 | impatient callers open nothing | `server`, `service` |
//! | f01, r03 | never more probes than allowed | `threads` |
//! | f02 | failures at one instant count in full | `counting` |
//! | f03, f04 | windows and waits below a second are what they say | `counting`, `settings` |
//! | f05 | an observer may read and reset the circuit | `events` |
//! | f07 | durations as long as time itself neither panic nor overflow | `settings`, `modes` |
//! | f11 | a clock that is moved by hand has moved on every thread | `settings` |
//! | r01 | a circuit that is dropped takes everything with it | `settings` |
//! | r05 | nothing is held while a call runs | `service` |
//! | l01 | a probe whose client goes away frees its slot | `server` |
//! | l02 | an older response is not taken for the probe's | `probes` |
//!
//! What cannot be tested here, or not yet:
//!
//! | id | why |
//! |---|---|
//! | d06 | a state gauge: there are no metrics yet |
//! | m04 | gRPC statuses: there is no gRPC classifier yet |
//! | m05 | the end of a body: it is not watched yet |
//! | p02 | cost and memory of a window: `benches/`, since a test that measures time is flaky |
//! | p05 | ejections of an outlier detector: there is none; its rule for escalation is held in `probes` |
//! | `cf_c`, `cf_d` | fallback and retry layers: there are none yet; our own layer asks for no `Clone` |
//! | `cf_g` | a README that compiles: it is the crate's documentation, and its examples are doc tests |
//! | f10 | a stream that spins: there is none; waiting as such is held in `waiting` |
//! | r01 | bytes that leak in each cycle: not measured; drops are held in `settings` |
//! | r05 | epochs that are pinned: `arc-swap` pins nothing across a call; what a call may do is held in `service` |

mod counting;
mod probes;
mod service;
mod settings;
