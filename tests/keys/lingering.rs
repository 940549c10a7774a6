//! What is forgotten and not yet dropped: it must not be taken for a lack of room for longer than somebody looks at it.

use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use tower_breaker::{Outcome, registry::RegistryBuilder};

use super::{THREE, registry, strangers};

/// The map keeps what is removed until there is enough of it, apart for each number that a thread has while it removes: the lowest
/// that is free. So each thread that comes to stay leaves something behind under the number before.
#[test]
fn what_waits_to_be_dropped_is_no_lack_of_room_however_many_threads_come_to_stay() {
    const CAPACITY: usize = 100;
    const THREADS: usize = 64;
    let (tenants, _clock) = registry(THREE, |builder| builder.capacity(CAPACITY));
    let end = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (done, is_done) = channel();
            let (tenants, end) = (&tenants, &end);
            scope.spawn(move || {
                strangers(tenants, &format!("{number} of its own"), CAPACITY + number);
                done.send(()).expect("it is waited for");
                end.wait();
            });
            is_done.recv().expect("it is sent");
            strangers(tenants, &number.to_string(), 2 * CAPACITY);
        }
        end.wait();
    });
    assert_eq!(tenants.overflow().snapshot().ledger.ended(), 0);
    assert!(tenants.len() <= CAPACITY);
}

/// A key at which a comparison can be kept waiting.
#[derive(Clone, Debug)]
struct Slow(u32, Option<Arc<Stop>>);

#[derive(Debug)]
struct Stop {
    armed: AtomicBool,
    reached: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Hash for Slow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Slow {
    fn eq(&self, other: &Self) -> bool {
        for stop in [&self.1, &other.1].into_iter().flatten() {
            if stop.armed.swap(false, Ordering::Relaxed) {
                stop.reached.send(()).expect("it is waited for");
                stop.go_on.lock().expect("one at a time").recv().expect("it is sent");
            }
        }
        self.0 == other.0
    }
}

impl Eq for Slow {}

/// A reader that stands still keeps everything alive that is forgotten meanwhile; then new keys share the overflow, and memory is
/// bounded. Whatever the map was at when the bound was reached, once the reader goes on there is room again.
#[test]
fn a_reader_who_stands_still_costs_bounded_memory_and_afterwards_there_is_room_again() {
    for capacity in (40..=200).step_by(8) {
        let hosts = RegistryBuilder::<Slow>::new("hosts").config(THREE).capacity(capacity).build().expect("sound");
        let ask = |key: u32| {
            hosts.circuit(&Slow(key, None)).try_acquire().expect("closed").record(Outcome::Success);
            hosts.overflow().snapshot().ledger.ended()
        };
        ask(0);
        let ((reached, is_reached), (let_go, go_on)) = (channel(), channel());
        let stop = Stop { armed: AtomicBool::new(true), reached, go_on: Mutex::new(go_on) };
        thread::scope(|scope| {
            let reader = scope.spawn(|| hosts.find(&Slow(0, Some(Arc::new(stop)))).is_some());
            is_reached.recv().expect("it is compared with the one that is there");
            let full = (1..20_000).find(|key| ask(*key) > 0).expect("what is forgotten is bounded");
            assert!(full as usize > capacity, "capacity {capacity}: full after {full}");
            let_go.send(()).expect("it waits");
            let _was_there = reader.join().expect("it does not panic");
        });
        let before = hosts.overflow().snapshot().ledger.ended();
        let after = (20_000..21_000).fold(before, |_, key| ask(key));
        assert!(after <= before + 1, "capacity {capacity}: {} of 1,000 find no room", after - before);
        assert!(hosts.len() <= capacity);
    }
}
