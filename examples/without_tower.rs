//! A circuit without tower: around a future, around a blocking call, and around anything by a permit.
//!
//! ```sh
//! cargo run --example without_tower
//! ```
//!
//! Prints what each call came to and, in one sentence each time, what the circuit says of itself.

use std::{
    io::{Error, ErrorKind},
    time::Duration,
};

use tower_breaker::{CallError, Circuit, Config, ConfigError, Outcome, State, config::Consecutive};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ConfigError> {
    let config = Config::new().consecutive_failures(Consecutive::new(4));
    let circuit = Circuit::builder("mail").config(config).build()?;
    println!("at first      {}", circuit.explain());

    // Around a future: `Ok` is a success, `Err` a failure.
    let sent = circuit.call(async { Ok::<_, Error>("sent") }).await;
    println!("call          {sent:?}");
    assert!(matches!(sent, Ok("sent")));

    // Around code that blocks.
    let failed = circuit.call_sync(|| Err::<(), _>(Error::from(ErrorKind::ConnectionRefused)));
    println!("call_sync     {failed:?}");
    assert!(matches!(failed, Err(CallError::Failed(_))));

    // With a judge of your own: this error is the caller's mistake and says nothing about the server.
    let mistake = |result: &Result<(), Error>| match result {
        Err(error) if error.kind() == ErrorKind::InvalidInput => Outcome::Ignored,
        Err(_) => Outcome::failure(),
        Ok(()) => Outcome::Success,
    };
    let ignored = circuit.call_sync_with(|| Err(Error::from(ErrorKind::InvalidInput)), mistake);
    println!("with a judge  {ignored:?}");
    assert_eq!(circuit.snapshot().ledger.ignored, 1);

    // By a permit, where the call cannot be put into a closure. One that is dropped says nothing.
    drop(circuit.try_acquire());
    for _ in 0..3 {
        let permit = circuit.try_acquire().expect("closed: one failure so far");
        permit.record(Outcome::failure());
    }
    println!("by permits    {}", circuit.explain());
    assert_eq!(circuit.state(), State::Open);

    // Open: the future is not even polled, and the error says when to come back.
    let rejected = circuit.call(async { unreachable!("the call is not made") as Result<(), Error> }).await;
    let Err(CallError::Rejected(rejected)) = rejected else { panic!("it is open") };
    println!("call          {rejected}");
    assert!(rejected.retry_after().is_some_and(|wait| wait <= Duration::from_millis(250)));

    // Or wait for it. The first good call is the probe, the next ones are the recovery.
    circuit.until_ready().await;
    let sent = circuit.call(async { Ok::<_, Error>("sent") }).await;
    println!("until_ready   {sent:?}");
    println!("and then      {}", circuit.explain());
    assert_eq!(circuit.state(), State::Recovering);
    Ok(())
}
