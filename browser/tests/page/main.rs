//! The page of the dashboard in a real browser, served by real servers.

mod finding;
mod hostile;
mod keyboard;
mod layout;
mod live;
mod many;
mod pictures;
mod reconnect;
mod source;
mod steering;
