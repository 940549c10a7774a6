//! The page of the dashboard in a real browser, served by real servers.
mod live;
mod pictures;
