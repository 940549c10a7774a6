//! What the tests of the dashboard's page need: servers that can die, a program with circuits, a browser.
//!
//! The tests are in `tests/page`. They need Chromium and its driver: `apt-get install chromium chromium-driver`.

mod chrome;
mod page;
mod program;
mod server;
mod shop;

pub use self::{
    chrome::Chrome,
    page::{Page, look},
    program::{Backend, Program, calls},
    server::Server,
    shop::Shop,
};
