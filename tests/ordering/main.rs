//! What happens in each order of the layers, right and wrong: the table of `docs/ordering.md`.
//!
//! Time is paused and nothing is drawn at random, so the numbers are the same on every machine. The chapter must quote them:
//! `ORDERING_WRITE=1 cargo test --all-features --test ordering` writes it anew.

mod orders;
mod table;
mod world;

use std::time::Duration;

use crate::{
    orders::{A, ALL},
    world::{Outage, REFERENCE, SECOND, Seen, World},
};

const EVERY: Duration = Duration::from_millis(20);

async fn in_order(order: orders::Order, outage: Outage) -> Seen {
    let world = World::new(outage);
    world.live(order.build(&world, REFERENCE), EVERY).await
}

#[tokio::test(start_paused = true)]
async fn the_right_order_opens_soon_and_spares_the_back_end_and_the_users() {
    let none = in_order(orders::NONE, Outage::Fails).await;
    assert!(none.opened.is_none() && none.back_end > 4_000, "{none:?}");
    let right = in_order(A, Outage::Fails).await;
    assert!(right.opened.is_some_and(|after| after < 4 * SECOND), "{right:?}");
    assert!(right.back_end < none.back_end / 8, "{right:?}");
    let right = in_order(A, Outage::Hangs).await;
    assert!(right.opened.is_some_and(|after| after < 6 * SECOND), "{right:?}");
    assert!(right.back_end < 600 && right.median < SECOND / 10, "{right:?}");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_repeats_rejections_takes_the_quick_answer_away() {
    let right = in_order(A, Outage::Fails).await;
    let wrong = in_order(orders::REPEATS_REJECTIONS, Outage::Fails).await;
    assert!(right.median.is_zero() && right.rejected > 1_000, "most are told at once: {right:?}");
    assert!(wrong.median >= Duration::from_millis(300), "{wrong:?}");
    assert!(wrong.back_end <= right.back_end * 2, "{wrong:?}");
}

#[tokio::test(start_paused = true)]
async fn a_circuit_outside_of_the_retry_opens_later_and_costs_the_back_end_more() {
    for outage in [Outage::Fails, Outage::Hangs] {
        let right = in_order(A, outage).await;
        for order in [orders::B, orders::D] {
            let wrong = in_order(order, outage).await;
            assert!(wrong.opened > right.opened && wrong.opened.is_some(), "{outage:?}: {wrong:?}");
            assert!(wrong.back_end > right.back_end * 3 / 2, "{outage:?}: {right:?} {wrong:?}");
        }
    }
}

/// For those who want one user to count once: what it costs is that it opens later, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_circuit_outside_of_a_retry_that_asks_it_counts_a_user_once_and_probes_by_one_call() {
    for outage in [Outage::Fails, Outage::Hangs] {
        let (thrice, once) = (in_order(orders::B, outage).await, in_order(orders::ONCE, outage).await);
        assert_eq!(once.opened, thrice.opened, "{outage:?}");
        assert!(once.back_end < thrice.back_end, "{outage:?}: {thrice:?} {once:?}");
    }
    let partly = Outage::FailsPartly(60);
    let (thrice, once) = (in_order(orders::B, partly).await, in_order(orders::ONCE, partly).await);
    assert_eq!((once.opened, once.good), (None, thrice.good), "it serves whom retries can serve");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside_of_the_circuit_blinds_it_to_hangs_unless_late_drops_are_failures() {
    let (none, wrong) = (in_order(orders::NONE, Outage::Hangs).await, in_order(orders::C, Outage::Hangs).await);
    assert!(wrong.opened.is_none(), "{wrong:?}");
    assert_eq!(wrong.back_end, none.back_end, "as if there were no breaker");
    let (right, mended) = (in_order(A, Outage::Hangs).await, in_order(orders::C2, Outage::Hangs).await);
    assert!(mended.opened.is_some_and(|after| after < 6 * SECOND), "{mended:?}");
    assert!(mended.back_end < right.back_end * 3 / 2, "{mended:?}");
    let quick = in_order(orders::C, Outage::Fails).await;
    assert!(quick.opened.is_some(), "answers are seen there, too");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_inside_of_the_circuit_blinds_it_and_outside_serves_everybody() {
    let inside = in_order(orders::FALLBACK_INSIDE, Outage::Fails).await;
    assert!(inside.opened.is_none() && inside.back_end >= 1_500, "{inside:?}");
    let outside = in_order(orders::FALLBACK_OUTSIDE, Outage::Fails).await;
    assert!(outside.opened.is_some() && outside.back_end < 400, "{outside:?}");
    assert_eq!(outside.good, 1_500);
}

/// Brooker's objection: a breaker makes a complete failure of a partial one. It does, and that is a choice.
#[tokio::test(start_paused = true)]
async fn in_a_partial_outage_the_order_chooses_between_the_users_and_the_back_end() {
    let few = Outage::FailsPartly(40);
    for order in [A, orders::B] {
        let seen = in_order(order, few).await;
        assert!(seen.opened.is_none() && seen.good > 1_300, "below the threshold: {seen:?}");
    }
    let many = Outage::FailsPartly(60);
    let (spares, serves) = (in_order(A, many).await, in_order(orders::B, many).await);
    assert!(spares.opened.is_some() && serves.opened.is_none(), "{spares:?} {serves:?}");
    assert!(spares.back_end * 2 < serves.back_end, "{spares:?} {serves:?}");
    assert!(spares.good * 2 < serves.good, "{spares:?} {serves:?}");
}

#[tokio::test(start_paused = true)]
async fn our_own_overload_opens_nothing_unless_it_is_taken_for_a_failure() {
    // Two hundred calls a second of a healthy back end that takes four times what twenty places allow.
    let overload = async |order: orders::Order| {
        let world = World::new(Outage::None).takes(Duration::from_millis(400));
        world.live(order.build(&world, REFERENCE), EVERY / 4).await
    };
    let neutral = overload(orders::SHED_INSIDE).await;
    let outside = overload(orders::SHED_OUTSIDE).await;
    assert_eq!((neutral.times_opened, outside.times_opened), (0, 0));
    assert!(neutral.good > 700 && outside.good > 700, "{neutral:?} {outside:?}");
    let counted = overload(orders::SHED_IS_FAILURE).await;
    assert!(counted.times_opened > 1 && counted.good < neutral.good / 3, "{counted:?}");
}

/// In a queue before the attempt nobody's time runs.
#[tokio::test(start_paused = true)]
async fn a_queue_inside_of_the_circuit_makes_users_wait_longer_than_an_attempt_may_take() {
    let queued = in_order(orders::QUEUE_INSIDE, Outage::Hangs).await;
    assert!(queued.opened.is_some() && queued.longest > 2 * SECOND, "{queued:?}");
    let shed = in_order(orders::SHED_AND_ATTEMPT, Outage::Hangs).await;
    assert!(shed.opened.is_some() && shed.longest < SECOND + EVERY, "{shed:?}");
}

#[tokio::test(start_paused = true)]
async fn callers_that_leave_a_healthy_back_end_open_it_only_if_every_drop_is_a_failure() {
    let leave = async |order: orders::Order| {
        let world = World::new(Outage::None).takes(SECOND / 10);
        world.live(order.build(&world, REFERENCE), EVERY).await
    };
    assert_eq!(leave(orders::LEAVES).await.times_opened, 0);
    assert_eq!(leave(orders::LEAVES_LATE).await.times_opened, 0);
    let wrong = leave(orders::LEAVES_COUNT).await;
    assert!(wrong.opened.is_some() && wrong.back_end < 100, "of 3,000 calls: {wrong:?}");
}

/// tower's timeout does not see the time that a call waits for readiness.
#[tokio::test(start_paused = true)]
async fn a_timeout_of_towers_around_a_queue_ends_nothing() {
    let queue = async |order: orders::Order| {
        let world = World::new(Outage::None).takes(SECOND / 5);
        world.live(order.build(&world, REFERENCE), EVERY / 8).await
    };
    let seen = queue(orders::TIMEOUT_OF_QUEUE).await;
    assert!(seen.longest > 10 * SECOND, "a timeout of one second, and {:?}", seen.longest);
    let covered = queue(orders::TOTAL_OF_QUEUE).await;
    assert!(covered.longest <= SECOND + EVERY, "ours sees it: {covered:?}");
    let shed = queue(orders::TOTAL_OF_BULKHEAD).await;
    assert!(shed.longest <= SECOND && shed.good > covered.good, "a queue without shedding serves fewer: {shed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_chapter_quotes_these_numbers() {
    let mut text = String::new();
    table::head(&mut text);
    for order in ALL {
        let (fails, hangs) = (in_order(*order, Outage::Fails).await, in_order(*order, Outage::Hangs).await);
        table::row(&mut text, order, &fails, &hangs);
    }
    table::partly_head(&mut text);
    for (share, order) in [(40, A), (40, orders::B), (60, A), (60, orders::B)] {
        table::partly(&mut text, share, &order, &in_order(order, Outage::FailsPartly(share)).await);
    }
    table::compare(&text);
}
