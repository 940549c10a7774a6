//! Where the limit of a call comes from.

use std::time::Duration;

/// Says how long a call may take: always the same ([`Fixed`]), or as its request has it (`PerRequest`, feature `http`).
pub trait Limits<Req> {
    /// Returns how long the whole call may take, and writes the deadline into the request if it is to be known further in.
    fn total(&self, request: &mut Req, usual: Duration) -> Duration;

    /// Returns how long this attempt may take, and writes what is left into the request if the next hop is to know.
    fn attempt(&self, request: &mut Req, usual: Duration) -> Duration;
}

/// The same limit for each call.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Fixed;

impl<Req> Limits<Req> for Fixed {
    #[inline]
    fn total(&self, _: &mut Req, usual: Duration) -> Duration {
        usual
    }

    #[inline]
    fn attempt(&self, _: &mut Req, usual: Duration) -> Duration {
        usual
    }
}
