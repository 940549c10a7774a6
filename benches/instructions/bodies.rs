//! What it costs to watch a body to its end, frame by frame.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use tower::{Layer, Service, service_fn};
use tower_breaker::CircuitBreakerLayer;

use crate::{
    callgrind,
    support::{
        bars::Bars,
        contenders::Rule,
        ours,
        table::{Table, digits},
    },
};

const ROWS: [&str; 3] = ["bare", "at_head", "until_end_of_body"];
const FRAMES: [u32; 4] = [0, 1, 16, 256];
/// Instructions for a frame over those of the bare body.
const BOUND: f64 = 60.0;

/// Prints the table, and the cost of one frame more in a long body.
pub(crate) fn table(bars: &mut Bars) {
    let mut head: Vec<String> = vec!["a call and its body".into()];
    head.extend(FRAMES.map(|frames| format!("{frames} frames")));
    head.push("each frame over bare".into());
    let mut table = Table::new("http, bodies of n frames, closed (default): instructions per call", &head);
    let mut bare = None;
    for row in ROWS {
        let cells = FRAMES.map(|frames| callgrind::per_call(&["body", row, &frames.to_string()], 1_000));
        let [_, _, some, many] = cells;
        let frame = some.zip(many).map(|(some, many)| (many - some) / f64::from(FRAMES[3] - FRAMES[2]));
        bare = bare.or(frame);
        let over = frame.zip(bare).map(|(own, bare)| own - bare);
        let mut line = vec![row.to_owned()];
        line.extend(cells.into_iter().chain([over]).map(|cell| cell.map_or_else(|| "-".into(), digits)));
        table.row(&line);
        if row == ROWS[2] {
            bars.at_most("a frame, until_end_of_body", over, Some(BOUND));
        }
    }
    table.print();
}

/// What runs under callgrind.
pub(crate) fn work(row: &str, frames: u32, calls: u64) {
    let layer = || CircuitBreakerLayer::new(ours::circuit(Rule::Default));
    let bare = service_fn(move |_: Request<()>| {
        let response = Response::new(Frames { left: frames });
        async { Ok::<_, Infallible>(response) }
    });
    match row {
        "bare" => read_all(bare, calls),
        "at_head" => read_all(layer().layer(bare), calls),
        _ => read_all(layer().until_end_of_body().layer(bare), calls),
    }
}

fn read_all<S, B>(mut service: S, calls: u64)
where
    S: Service<Request<()>, Response = Response<B>>,
    B: Body,
{
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..calls {
        assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
        let mut future = pin!(service.call(black_box(Request::new(()))));
        let Poll::Ready(Ok(response)) = poll(future.as_mut(), &mut cx) else { panic!("it answers at once") };
        let mut body = pin!(response.into_body());
        while let Poll::Ready(Some(frame)) = next(body.as_mut(), &mut cx) {
            black_box(frame.is_ok());
        }
    }
}

// As in `support/runner.rs`: a layer is entered by a real call.

#[inline(never)]
fn poll<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(cx)
}

#[inline(never)]
fn next<B: Body>(body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<Next<B>> {
    body.poll_frame(cx)
}

type Next<B> = Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>;

/// So many frames that are there at once.
struct Frames {
    left: u32,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    #[inline(never)]
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.left.checked_sub(1).map(|left| {
            self.left = left;
            Ok(Frame::data(Bytes::from_static(b"data")))
        }))
    }

    /// As a body of unknown length, which does not tell beforehand. Not inlined, as a body of another crate.
    #[inline(never)]
    fn is_end_stream(&self) -> bool {
        black_box(false)
    }
}
