//! Which calls stand in a window, walked through from the list of everything.
//!
//! Where no rule looks at the last ten seconds, the traffic that they tell is an estimate: nobody looks at the clock for a
//! plain success, so those since it was last looked at are taken to have come evenly, and stand where it is looked at next.

use std::time::Duration;

use tower_breaker::{Instant, config::Window};

use super::log::{Call, Item, Log};

/// The window at its last item.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    /// The newest bucket that has begun.
    pub(super) newest: u64,
    /// The calls that stand, newest last, each with its bucket, whether it has expired or not.
    pub(super) calls: Vec<(u64, Call)>,
    /// The plain successes for which nobody has looked at the clock, and when somebody last did.
    pub(super) unseen: Vec<Call>,
    pub(super) looked: Instant,
}

impl Walk {
    /// As many of them as are recent: all within ten seconds, else their share of ten seconds, and at least one.
    pub(super) fn recent(&self, now: Instant) -> &[Call] {
        let (ten, passed) = (Duration::from_secs(10).as_nanos(), now.since(self.looked).as_nanos());
        let all = self.unseen.len() as u128;
        // The fewest calls that are as many a second as all of them were.
        let recent = (0..all).find(|recent| recent * passed >= all * ten).unwrap_or(all);
        &self.unseen[..if passed <= ten { all } else { recent } as usize]
    }

    /// Somebody looks at the clock.
    fn look(&mut self, at: Instant, bucket: u64) {
        self.newest = self.newest.max(bucket);
        let recent: Vec<Call> = self.recent(at).to_vec();
        self.calls.extend(recent.into_iter().map(|call| (self.newest, call)));
        self.unseen.clear();
        self.looked = self.looked.max(at);
    }
}

impl Log {
    /// Through all items but the last few, for the windows of before if the last item are other settings.
    pub(super) fn walk(&self, window: Window, but: usize) -> Walk {
        let known = self.windows.iter().find(|known| known.window == window).expect("it is wanted");
        let bucket = |at: Instant| match window {
            Window::Time { length, buckets } => {
                at.since(known.since).as_nanos() as u64 / (length.as_nanos() as u64 / u64::from(buckets)).max(1)
            }
            _ => 0,
        };
        // A clock that steps back counts in the newest bucket, at the earliest in that in which the phase began.
        let newest = bucket(known.phase);
        let mut walk = Walk { newest, calls: Vec::new(), unseen: Vec::new(), looked: known.since };
        let mut estimated = false;
        for (at, item) in &self.items[known.from..self.items.len() - but] {
            match item {
                Item::Call(call) if estimated => {
                    if !call.is_plain() || call.sample.is_some() {
                        walk.look(*at, bucket(*at));
                    }
                    if call.is_plain() {
                        walk.unseen.push(*call);
                    } else {
                        walk.calls.push((walk.newest, *call));
                    }
                }
                Item::Call(call) => {
                    walk.newest = walk.newest.max(bucket(*at));
                    walk.calls.push((walk.newest, *call));
                }
                Item::Began => {
                    walk.newest = walk.newest.max(bucket(*at));
                    walk.calls.clear();
                    walk.unseen.clear();
                    walk.looked = *at;
                }
                Item::Configured { estimated: then } => {
                    if estimated {
                        walk.look(*at, bucket(*at));
                    }
                    walk.looked = *at;
                    estimated = *then && window == Window::DEFAULT;
                }
                Item::NetForgotten | Item::RunForgotten | Item::NetCapped(_) | Item::LatencyForgotten => {}
            }
        }
        walk
    }

    /// The calls of the present closed phase that stand in a window now, newest last, each with its bucket.
    pub(super) fn standing(&self, window: Window, now: Instant) -> Vec<(u64, Call)> {
        let walk = self.walk(window, 0);
        let mut calls = walk.calls.clone();
        match window {
            Window::Count { calls: most } => calls.split_off(calls.len().saturating_sub(most as usize)),
            Window::Time { length, buckets } => {
                let known = self.windows.iter().find(|known| known.window == window).expect("it is wanted");
                let width = (length.as_nanos() as u64 / u64::from(buckets)).max(1);
                let present = walk.newest.max(now.since(known.since).as_nanos() as u64 / width);
                calls.retain(|(bucket, _)| bucket + u64::from(buckets) > present);
                calls.extend(walk.recent(now).iter().map(|call| (present, *call)));
                calls
            }
            _ => unreachable!("there are two kinds of windows"),
        }
    }

    /// Whether a bucket of a window has begun with the last item.
    pub(super) fn has_begun_a_bucket(&self) -> bool {
        let windows = self.windows.iter().filter(|known| known.from < self.items.len());
        let mut newest = windows.map(|known| (self.walk(known.window, 1).newest, self.walk(known.window, 0).newest));
        newest.any(|(before, after)| before < after)
    }
}
