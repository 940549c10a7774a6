//! The shop of the usual articles: payment, inventory, shipping and e-mail die one at a time and all at once, and it stays up.
//!
//! `cargo run --release --example checkout` takes 20 to 30 s and prints what customers saw in each phase. `/health` tells what
//! the circuits do and why. It fails (exit code 1) if the shop did not stay up; `checks.rs` has what that means.
//!
//! Read `shop.rs`, `payment.rs`, `inventory.rs`, `shipping.rs` and `mail.rs` for how the crate is used: each department has its
//! own settings and its own fallback. The other files break things and look.

mod args;
mod back_end;
mod checks;
mod client;
mod clock;
mod customers;
#[path = "../outage/desk.rs"]
mod desk;
mod health;
mod inventory;
mod mail;
mod measure;
mod order;
mod outbox;
mod payment;
mod plan;
mod report;
mod run;
mod shipping;
mod shop;

use std::{net::SocketAddr, process::ExitCode};

use tower_breaker::BoxError;

use crate::{
    args::{Command, HELP},
    back_end::BackEnds,
    customers::{Customers, Visitor},
    desk::Desk,
    shop::Shop,
};

#[tokio::main]
async fn main() -> ExitCode {
    let serve = match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Command::Shop { serve }) => serve,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match shop(serve).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the day of the shop and shows it. Returns whether it stayed up.
async fn shop(serve: Option<SocketAddr>) -> Result<bool, BoxError> {
    let back_ends = BackEnds::start().await?;
    let desk = Desk::default();
    let address = Shop::new(&back_ends.addresses(), &desk)?.open().await?;
    let desk = desk.open(serve.unwrap_or(desk::ANYWHERE)).await?;
    report::introduce(address, desk);
    let (mut customers, visitor) = (Customers::new(address), Visitor::new(address));
    let (phases, done) = run::day(&back_ends, &mut customers, &visitor, report::phase).await?;
    let checks = checks::all(&phases, &done);
    report::conclude(&phases, &checks);
    if serve.is_some() {
        println!("The shop stays open until it is interrupted: http://{address}/health\n{}", desk::sign(desk));
        std::future::pending::<()>().await;
    }
    Ok(checks.iter().all(|check| check.holds))
}
