//! recloser.

use recloser::{AsyncRecloser, Error, Recloser};

use crate::breaker::{Answer, Breaker, Rule, Settings, Unbuilt, errors_for_5xx};

pub(crate) const CONFIGURATION: &str = "`Recloser::custom().closed_len(5).error_rate_closed(1.0).half_open_len(1)\
.error_rate_half_open(0.5).open_wait(open).build()`: it has no run of failures, and a window of five that failed whole is the nearest; \
it has no limit on probes; 5xx is made an `Err` before `call`. Window: `closed_len(100).error_rate_closed(0.5)`";

pub(super) fn build(settings: Settings) -> Result<Breaker, Unbuilt> {
    let custom = Recloser::custom().half_open_len(1).error_rate_half_open(0.5).open_wait(settings.open);
    let recloser = match settings.rule {
        Rule::Calls(calls) => custom.closed_len(calls).error_rate_closed(0.5).build(),
        Rule::Run(failures) => custom.closed_len(failures as usize).error_rate_closed(1.0).build(),
        Rule::Time(_) => return Err(Unbuilt::NoSuchRule("no time window")),
    };
    let recloser = AsyncRecloser::from(recloser);
    Ok(Breaker::of_fn(move |job| {
        let call = recloser.call(errors_for_5xx(job));
        async move {
            match call.await {
                Ok(response) => Answer::Answered(response),
                Err(Error::Inner(_)) => Answer::Failed,
                Err(Error::Rejected) => Answer::Rejected,
            }
        }
    }))
}
