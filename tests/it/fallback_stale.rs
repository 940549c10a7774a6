//! What is kept of an answer, to the byte, and what is not.

use std::{convert::Infallible, future::ready, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};
use tower_breaker::{
    BoxError, Circuit,
    clock::ManualClock,
    fallback::{FallbackLayer, Stale, StaleCache},
};

use crate::support::{SECOND, circuit};

type Any = UnsyncBoxBody<Bytes, BoxError>;

fn full(text: &'static str) -> Any {
    Full::from(text).map_err(|never| match never {}).boxed_unsync()
}

fn frames(frames: Vec<Result<Frame<Bytes>, BoxError>>) -> Any {
    BodyExt::boxed_unsync(StreamBody::new(stream::iter(frames)))
}

fn chunk(text: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

fn get(key: &'static str) -> Request<()> {
    Request::get(key).body(()).expect("a request")
}

/// Passes an answer by the cache, read to its end.
async fn pass(cache: &StaleCache, key: &'static str, response: Response<Any>) {
    let layer = FallbackLayer::stale(cache.clone(), |uri, _| Some(uri.path().to_owned()));
    let mut once = Some(response);
    let service = layer.layer(service_fn(move |_: Request<()>| ready(once.take().ok_or(BoxError::from("once")))));
    let response = service.oneshot(get(key)).await.expect("an answer");
    let _ = response.into_body().collect().await;
}

/// What the cache has for a key while a circuit is open, as a text, and its age.
async fn kept(cache: &StaleCache, key: &'static str) -> Option<(String, Duration)> {
    let open: Circuit = circuit(crate::support::THREE);
    open.force_open();
    let layer = FallbackLayer::stale(cache.clone(), |uri, _| Some(uri.path().to_owned()));
    let rejected =
        service_fn(move |_: Request<()>| ready(Err::<Response<Any>, _>(open.try_acquire().expect_err("it is open"))));
    let response = layer.layer(rejected).oneshot(get(key)).await.ok()?;
    let age = response.extensions().get::<Stale>().expect("a mark").age;
    let hint = response.body().size_hint().exact();
    let ends = response.body().is_end_stream();
    let body = response.into_body().collect().await.expect("it is there").to_bytes();
    assert_eq!((hint, ends), (Some(body.len() as u64), body.is_empty()));
    Some((String::from_utf8(body.to_vec()).expect("text"), age))
}

fn cache() -> (StaleCache, ManualClock) {
    let clock = ManualClock::new();
    (StaleCache::new(100, 10 * SECOND).clock(clock.clone()), clock)
}

#[tokio::test]
async fn a_body_is_kept_if_it_fits_with_head_and_key_to_the_byte() {
    // A key of two, a header of two, and a body of six bytes.
    for (max_bytes, fits) in [(9, false), (10, true)] {
        for body in [full("123456"), frames(vec![chunk("123"), chunk("456")])] {
            let (cache, _) = cache();
            let cache = cache.max_bytes(max_bytes);
            pass(&cache, "/a", Response::builder().header("x", "y").body(body).unwrap()).await;
            assert_eq!(
                kept(&cache, "/a").await.map(|(text, _)| text),
                fits.then(|| "123456".to_owned()),
                "{max_bytes}"
            );
        }
    }
}

#[tokio::test]
async fn an_empty_body_is_kept_without_being_read() {
    let (cache, _) = cache();
    let layer = FallbackLayer::stale(cache.clone(), |_, _| Some("/a".to_owned()));
    let service = layer.layer(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(full(""))))));
    drop(service.oneshot(Request::new(())).await.unwrap());
    assert_eq!(kept(&cache, "/a").await, Some((String::new(), Duration::ZERO)));
}

#[tokio::test]
async fn trailers_and_bodies_that_break_off_are_not_kept() {
    let (cache, _) = cache();
    let trailers = Ok(Frame::trailers(HeaderMap::new()));
    pass(&cache, "/a", Response::new(frames(vec![chunk("a"), trailers]))).await;
    pass(&cache, "/a", Response::new(frames(vec![chunk("a"), Err("broken".into())]))).await;
    assert_eq!(kept(&cache, "/a").await, None);
    pass(&cache, "/a", Response::new(frames(vec![chunk("a")]))).await;
    assert!(kept(&cache, "/a").await.is_some());
}

#[tokio::test]
async fn what_is_gone_is_forgotten_and_what_fails_is_not() {
    let (cache, _) = cache();
    let status = |status| Response::builder().status(status).body(full("other")).unwrap();
    for (code, stays) in [(500, true), (503, true), (403, true), (304, true), (404, false), (410, false)] {
        pass(&cache, "/a", Response::new(full("good"))).await;
        pass(&cache, "/a", status(StatusCode::from_u16(code).unwrap())).await;
        assert_eq!(kept(&cache, "/a").await.is_some(), stays, "{code}");
    }
    pass(&cache, "/a", Response::new(full("good"))).await;
    pass(&cache, "/a", Response::builder().header("cache-control", "private").body(full("mine")).unwrap()).await;
    assert_eq!(kept(&cache, "/a").await, None, "what was public is so no more");
}

#[tokio::test]
async fn the_age_counts_from_the_head_and_a_newer_answer_takes_the_place() {
    let (cache, clock) = cache();
    pass(&cache, "/a", Response::new(full("one"))).await;
    clock.advance(10 * SECOND);
    assert_eq!(kept(&cache, "/a").await, Some(("one".into(), 10 * SECOND)));
    pass(&cache, "/a", Response::new(full("two"))).await;
    clock.advance(SECOND);
    assert_eq!(kept(&cache, "/a").await, Some(("two".into(), SECOND)));
    cache.clear();
    assert_eq!((kept(&cache, "/a").await, cache.len()), (None, 0));
}

/// Begins to read an answer; what is returned is the rest of it.
async fn begin(cache: &StaleCache, key: &'static str, text: &'static str) -> impl Body<Data = Bytes> {
    let layer = FallbackLayer::stale(cache.clone(), |uri, _| Some(uri.path().to_owned()));
    let service = layer.layer(service_fn(move |_: Request<()>| ready(Ok::<_, BoxError>(Response::new(full(text))))));
    service.oneshot(get(key)).await.expect("an answer").into_body()
}

async fn end(body: impl Body<Data = Bytes>) {
    assert!(body.collect().await.is_ok());
}

#[tokio::test]
async fn what_was_withdrawn_while_it_was_read_is_not_kept_and_what_is_older_replaces_nothing() {
    let (cache, clock) = cache();
    let slow = begin(&cache, "/a", "slow").await;
    cache.clear();
    end(slow).await;
    assert_eq!(kept(&cache, "/a").await, None, "cleared");

    let slow = begin(&cache, "/a", "slow").await;
    pass(&cache, "/a", Response::builder().status(404).body(full("gone")).unwrap()).await;
    end(slow).await;
    assert_eq!(kept(&cache, "/a").await, None, "gone");

    let slow = begin(&cache, "/a", "slow").await;
    clock.advance(SECOND);
    pass(&cache, "/a", Response::new(full("newer"))).await;
    end(slow).await;
    assert_eq!(kept(&cache, "/a").await, Some(("newer".into(), Duration::ZERO)));
}

/// Whatever the keys are.
#[tokio::test]
async fn no_more_answers_are_kept_than_there_is_room_for() {
    let clock = ManualClock::new();
    for room in [0, 1, 50] {
        let cache = StaleCache::new(room, SECOND).clock(clock.clone());
        let layer = FallbackLayer::stale(cache.clone(), |uri, _| Some(uri.path().to_owned()));
        let service = layer.layer(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(full("page"))))));
        for n in 0..1_000 {
            let request = Request::get(format!("/{n}")).body(()).unwrap();
            service.clone().oneshot(request).await.unwrap().into_body().collect().await.unwrap();
            assert!(cache.len() <= room, "{} in a room for {room}", cache.len());
        }
        assert!(room == 0 || !cache.is_empty());
    }
}

proptest! {
    /// What is served is what the last answer that was whole said, however it was cut into chunks.
    #[test]
    fn a_copy_is_the_body(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (cache, _) = cache();
            let whole: Vec<u8> = chunks.concat();
            let body = chunks.into_iter().map(|chunk| Ok(Frame::data(Bytes::from(chunk)))).collect();
            let layer = FallbackLayer::stale(cache.clone(), |_, _| Some(String::new()));
            let answers = std::sync::Mutex::new(vec![Err(BoxError::from("down")), Ok(Response::new(frames(body)))]);
            let service = layer.on(|result: Result<&Response<Any>, &BoxError>| result.is_err())
                .layer(service_fn(|_: Request<()>| ready(answers.lock().unwrap().pop().unwrap())));
            for _ in 0..2 {
                let response = service.clone().oneshot(Request::new(())).await.unwrap();
                assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), whole);
            }
        });
    }
}
