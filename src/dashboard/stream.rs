//! The live stream: what changes, and what happens, as server-sent events. Each connection drives its own; there is no task.

use std::{
    convert::Infallible,
    fmt::Write,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Bytes, HttpBody};
use http_body::Frame;
use serde::Serialize;

use super::{Dashboard, changes::Look, log::since_1970, reply, view::CircuitView};
use crate::{
    clock::{Clock, Sleep, SystemClock, wall},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

/// How many streams there may be at once: enough for a team and its screens, and nobody can exhaust the server with them.
const STREAMS: usize = 64;

/// A stream that has nothing to say says so after this time, so that neither side takes the other for gone.
const SILENCE: Duration = Duration::from_secs(15);

/// What the streams of a dashboard share.
#[derive(Default)]
pub(super) struct Streams {
    open: AtomicUsize,
    closed: AtomicBool,
    clock: SystemClock,
    /// The last look, which all streams that are due at about the same time share.
    last: Mutex<Option<Arc<Look>>>,
}

impl Dashboard {
    /// Ends all live streams, each when it looks next, and begins no more. Call it when the server is to stop: a graceful
    /// shutdown waits for all connections, and a stream ends by itself only when its reader goes.
    pub fn close(&self) {
        // Relaxed: nothing else is told by it.
        self.0.streams.closed.store(true, Ordering::Relaxed);
    }

    fn is_closed(&self) -> bool {
        self.0.streams.closed.load(Ordering::Relaxed)
    }

    /// Looks at all circuits, or at what another stream has seen no longer ago than this.
    fn look(&self, not_older: Duration) -> Arc<Look> {
        let streams = &self.0.streams;
        let now = streams.clock.now();
        let last = streams.last.lock().clone();
        if let Some(last) = last.filter(|last| now.since(last.at) < not_older) {
            return last;
        }
        let look = Arc::new(Look { at: now, circuits: self.circuits() });
        *streams.last.lock() = Some(Arc::clone(&look));
        look
    }
}

/// What a reader wants to see.
pub(super) struct Wish {
    /// Whether the page may offer to steer.
    pub(super) control: bool,
    /// The one circuit that is asked for, by its id.
    pub(super) only: Option<String>,
    /// The number of the last event that the reader has.
    pub(super) seen: u64,
}

/// A live stream, as the body of a response. When the reader goes it is dropped.
pub(super) struct Stream {
    dashboard: Dashboard,
    wish: Wish,
    /// What the reader knows; none before the first message.
    known: Option<Arc<Look>>,
    spoke: Instant,
    timer: Option<Sleep>,
    _place: Place,
}

impl Stream {
    /// None if there are too many, or no more are wanted.
    pub(super) fn new(dashboard: &Dashboard, wish: Wish) -> Option<Self> {
        let place = Place::take(dashboard)?;
        let dashboard = dashboard.clone();
        Some(Self { dashboard, wish, known: None, spoke: Instant::ZERO, timer: None, _place: place })
    }

    /// What there is to say now.
    fn speak(&mut self, now: Instant, every: Duration) -> String {
        let mut text = String::new();
        // Who comes new sees what is true now; who has been here for a while may share the look of another.
        let not_older = self.known.as_ref().map_or(Duration::ZERO, |_| every / 2);
        let look = self.dashboard.look(not_older);
        match self.known.replace(Arc::clone(&look)) {
            None => self.say_all(&mut text, &look),
            Some(before) => {
                let alive = now.since(self.spoke) >= SILENCE;
                self.say_changes(&mut text, &before, &look, alive);
            }
        }
        self.say_events(&mut text, &look);
        if !text.is_empty() {
            self.spoke = now;
        }
        text
    }

    fn say_all(&self, text: &mut String, look: &Look) {
        let circuits = look.circuits.iter().filter(|view| self.wants(&view.id)).collect();
        say(
            text,
            &Message { now_ms: since_1970(wall()), control: self.wish.control, reset: true, circuits, gone: None },
        );
    }

    fn say_changes(&self, text: &mut String, before: &Look, look: &Look, alive: bool) {
        let circuits: Vec<_> = look.changed_since(before).filter(|view| self.wants(&view.id)).collect();
        let gone: Vec<_> = look.gone_since(before).filter(|id| self.wants(id)).collect();
        if alive || !circuits.is_empty() || !gone.is_empty() {
            let (now_ms, control) = (since_1970(wall()), self.wish.control);
            say(text, &Message { now_ms, control, reset: false, circuits, gone: Some(gone) });
        }
    }

    fn say_events(&mut self, text: &mut String, look: &Look) {
        // Events have the id without a number.
        let base = |only| look.find(only).map_or(only, |view| view.base.as_str());
        let only = self.wish.only.as_deref().map(base);
        for event in self.dashboard.0.log.read(self.wish.seen, only) {
            // Writing to a text cannot fail.
            let _ = write!(text, "event: event\nid: {}\ndata: {}\n\n", event.seq, reply::text(&event));
            self.wish.seen = event.seq;
        }
    }

    fn wants(&self, id: &str) -> bool {
        self.wish.only.as_deref().is_none_or(|only| only == id)
    }
}

/// One message about circuits.
#[derive(Serialize)]
struct Message<'a> {
    now_ms: u64,
    control: bool,
    reset: bool,
    circuits: Vec<&'a CircuitView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<Vec<&'a str>>,
}

fn say(text: &mut String, message: &Message<'_>) {
    // JSON is on one line, whatever the names are.
    let _ = write!(text, "event: circuits\ndata: {}\n\n", reply::text(message));
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        loop {
            if let Some(timer) = &mut this.timer {
                ready!(timer.as_mut().poll(cx));
            }
            if this.dashboard.is_closed() {
                return Poll::Ready(None);
            }
            let (clock, every) = (&this.dashboard.0.streams.clock, *this.dashboard.0.every.lock());
            let now = clock.now();
            this.timer = Some(clock.sleep_until(now.after(every)));
            let text = this.speak(now, every);
            if !text.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(text.into()))));
            }
        }
    }
}

/// One of the streams that there may be.
struct Place(Dashboard);

impl Place {
    fn take(dashboard: &Dashboard) -> Option<Self> {
        if dashboard.is_closed() {
            return None;
        }
        let one_more = |open| (open < STREAMS).then_some(open + 1);
        // Relaxed: it is a number and nothing more.
        let taken = dashboard.0.streams.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Self(dashboard.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.streams.open.fetch_sub(1, Ordering::Relaxed);
    }
}
