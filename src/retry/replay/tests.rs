//! Streams that are sent again: cut anywhere, too long, broken, and taken over by another attempt.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Wake,
};

use super::*;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// What a stream does when it is polled, one step for each time.
enum Step {
    Chunk(&'static str),
    Fail,
    Panic,
    Trailers,
    Wait,
}

use self::Step::{Chunk, Fail, Panic, Trailers, Wait};

struct Stream {
    steps: VecDeque<Step>,
    length: Option<u64>,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        match self.get_mut().steps.pop_front() {
            Some(Chunk(text)) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))),
            Some(Fail) => Poll::Ready(Some(Err("cut off"))),
            Some(Panic) => panic!("a stream that panics"),
            Some(Trailers) => {
                let trailers = [("checksum".parse().expect("a name"), "7".parse().expect("a value"))];
                Poll::Ready(Some(Ok(Frame::trailers(trailers.into_iter().collect()))))
            }
            Some(Wait) => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn body<const N: usize>(limit: usize, steps: [Step; N]) -> ReplayBody<Stream> {
    ReplayBody::new(Stream { steps: steps.into(), length: None }, limit)
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn woken() -> (Waker, Arc<Woken>) {
    let woken = Arc::<Woken>::default();
    (Waker::from(Arc::clone(&woken)), woken)
}

/// One poll, told in a word.
fn poll_with(body: &mut ReplayBody<Stream>, waker: &Waker) -> String {
    match Pin::new(body).poll_frame(&mut Context::from_waker(waker)) {
        Poll::Pending => "pending".into(),
        Poll::Ready(None) => "end".into(),
        Poll::Ready(Some(Err(error))) => format!("error: {error}"),
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            Ok(data) => String::from_utf8(data.to_vec()).expect("text"),
            Err(frame) => format!("{} trailers", frame.into_trailers().expect("trailers").len()),
        },
    }
}

fn poll(body: &mut ReplayBody<Stream>) -> String {
    poll_with(body, Waker::noop())
}

/// All that is left.
fn read(body: &mut ReplayBody<Stream>) -> Vec<String> {
    std::iter::repeat_with(|| poll(body)).take_while(|word| word != "end").collect()
}

#[test]
fn a_copy_sends_the_same_wherever_the_one_before_was_cut() {
    for cut in 0..=4 {
        let mut first = body(100, [Chunk("a"), Chunk("bc"), Chunk("d"), Trailers]);
        let mut second = first.replay().expect("nothing was sent");
        (0..cut).for_each(|_| drop(poll(&mut first)));
        assert!(second.is_whole());
        let third = second.replay();
        assert_eq!(read(&mut second), ["a", "bc", "d", "1 trailers"], "cut after {cut}");
        assert!(second.is_end_stream());
        assert_eq!(read(&mut third.expect("it is whole")), ["a", "bc", "d", "1 trailers"], "cut after {cut}");
    }
}

#[test]
fn a_copy_sends_the_same_length() {
    let stream = Stream { steps: [Chunk("abc"), Chunk("d")].into(), length: Some(4) };
    let mut first = ReplayBody::new(stream, 100);
    let mut second = first.replay().expect("nothing was sent");
    assert_eq!((first.size_hint().exact(), second.size_hint().exact()), (Some(4), Some(4)));
    assert_eq!(poll(&mut first), "abc");
    assert_eq!((first.size_hint().exact(), second.size_hint().exact()), (Some(1), Some(4)));
    assert_eq!(read(&mut second), ["abc", "d"]);
    assert_eq!(second.size_hint().exact(), Some(0));
    let empty = ReplayBody::new(http_body_util::Empty::<Bytes>::new(), 0);
    assert!(empty.is_end_stream() && empty.replay().expect("it fits").is_end_stream());
}

#[test]
fn what_passes_the_limit_is_sent_once_and_not_kept() {
    let mut first = body(3, [Chunk("ab"), Chunk("c"), Chunk("d"), Chunk("ef")]);
    let mut second = first.replay().expect("nothing was sent");
    assert_eq!([poll(&mut first), poll(&mut first)], ["ab", "c"]);
    assert!(second.is_whole(), "the limit is reached, not passed");
    assert_eq!(poll(&mut first), "d");
    assert!(!second.is_whole() && second.replay().is_none());
    assert!(first.shared.lock().kept.is_empty(), "what was kept is given up");
    assert_eq!(read(&mut first), ["ef"], "the first goes on");
    assert!(poll(&mut second).starts_with("error: the body cannot be sent again"), "never half a body");
}

#[test]
fn what_says_beforehand_that_it_is_too_long_is_not_kept_at_all() {
    let stream = |length| Stream { steps: [Chunk("ab"), Chunk("cd")].into(), length: Some(length) };
    let mut long = ReplayBody::new(stream(4), 3);
    assert!(long.replay().is_none());
    assert_eq!(read(&mut long), ["ab", "cd"]);
    assert!(ReplayBody::new(stream(3), 3).replay().is_some());
}

#[test]
fn an_attempt_that_is_abandoned_stops_and_the_next_reads_on() {
    let (waker, woken) = woken();
    let mut first = body(100, [Chunk("a"), Wait, Chunk("b")]);
    let mut second = first.replay().expect("nothing was sent");
    assert_eq!([poll_with(&mut first, &waker), poll_with(&mut first, &waker)], ["a", "pending"]);
    assert_eq!(poll(&mut second), "a");
    assert_eq!(woken.0.load(Ordering::Relaxed), 1, "the first is told, so that it does not hang");
    assert!(poll(&mut first).starts_with("error: another attempt has taken over"));
    assert_eq!(read(&mut second), ["b"]);
}

#[test]
fn a_stream_that_fails_or_panics_cannot_be_sent_again() {
    let mut first = body(100, [Chunk("a"), Fail]);
    let mut second = first.replay().expect("nothing was sent");
    assert_eq!([poll(&mut first), poll(&mut first)], ["a", "error: cut off"]);
    assert!(!second.is_whole());
    assert!(poll(&mut second).starts_with("error: "));

    let mut first = body(100, [Chunk("a"), Panic]);
    let mut second = first.replay().expect("nothing was sent");
    assert_eq!(poll(&mut first), "a");
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut first))).is_err(), "it goes on to whoever polls");
    assert!(!second.is_whole());
    assert!(poll(&mut second).starts_with("error: "));
}

/// Two threads: one polls the stream while the other wants it.
#[test]
fn a_copy_that_finds_the_stream_lent_is_woken() {
    let (waker, woken) = woken();
    let mut first = body(100, [Chunk("a")]);
    let mut second = first.replay().expect("nothing was sent");
    let Next::Poll(mut source) = first.next(&Context::from_waker(Waker::noop())).0 else { panic!("it has the stream") };
    assert_eq!(poll_with(&mut second, &waker), "pending");
    let mut cx = Context::from_waker(Waker::noop());
    let polled = source.as_mut().poll_frame(&mut cx).map(|next| next.map(|frame| frame.map_err(Into::into)));
    let (_, waiting) = first.put_back(source, polled, &cx);
    waiting.expect("the second waits").wake();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(read(&mut second), ["a"]);
}

/// Memory that looks at the body when it is freed: with the lock still held it would wait for ever.
struct Nosy(ReplayBody<Stream>);

impl AsRef<[u8]> for Nosy {
    fn as_ref(&self) -> &[u8] {
        b"nosy"
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        assert!(self.0.shared.try_lock().is_some(), "it is freed under the lock");
    }
}

#[test]
fn what_was_kept_is_freed_outside_the_lock() {
    let mut first = body(10, [Chunk("a longer one")]);
    let nosy = Bytes::from_owner(Nosy(first.replay().expect("nothing was sent")));
    assert!(first.shared.lock().keep(&nosy).is_empty());
    first.sent = 1;
    drop(nosy);
    assert_eq!(poll(&mut first), "a longer one");
    assert!(first.shared.lock().kept.is_empty());
}
