//! At most so many calls under way: one slow dependency does not take all tasks, connections and memory with it.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), tower_breaker::BoxError> {
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_breaker::{BoxError, Overloaded, bulkhead::{Bulkhead, BulkheadConfig, BulkheadLayer, Overload}};
//!
//! let config = BulkheadConfig::new(1).queue(1, Duration::from_millis(100)); // one call, one more in line for 100 ms
//! let bulkhead = Bulkhead::new("search", config)?;                         // a clone is the same bulkhead
//! let mut client = ServiceBuilder::new()
//!     .layer(BulkheadLayer::new(bulkhead.clone()))
//!     .service(service_fn(|wait: Duration| async move {
//!         tokio::time::sleep(wait).await;
//!         Ok::<_, BoxError>("found")
//!     }));
//!
//! let slow = tokio::spawn(client.ready().await?.call(Duration::from_secs(1)));
//! let waits = tokio::spawn(client.ready().await?.call(Duration::ZERO));
//! let error = client.ready().await?.call(Duration::ZERO).await.unwrap_err();
//! assert_eq!(Overloaded::find(&*error).unwrap().kind(), Overload::Full);
//! assert_eq!((bulkhead.in_flight(), bulkhead.queued(), bulkhead.shed_full()), (1, 1, 1));
//!
//! let error = waits.await?.unwrap_err();
//! assert_eq!(Overloaded::find(&*error).unwrap().waited(), Duration::from_millis(100));
//! assert_eq!(slow.await??, "found");
//! # Ok(()) }
//! ```
//!
//! # Versus `ConcurrencyLimit` and `LoadShed`
//!
//! tower's `ConcurrencyLimit` lets its callers wait in `poll_ready`, as many as come and for as long as it takes, and
//! a `Timeout` around it does not see them there; with `LoadShed` around it nobody waits at all. Here callers wait in the call: at
//! most so many, for so long, first come first served, and whatever is around the call covers it. So this service is always
//! ready, and a `LoadShed` around it has nothing to shed.
//!
//! See the [chapter on bulkheads and timeouts](crate::guide::bulkhead) for the order of layers.

mod config;
mod future;
mod line;
mod service;

pub use self::{
    config::BulkheadConfig,
    future::ResponseFuture,
    service::{BulkheadLayer, InBulkhead},
};
#[doc(inline)]
pub use crate::overloaded::{Overload, Overloaded};

use std::{fmt, time::Duration};

use tokio::sync::Semaphore;

use self::line::{InLine, Turn};
use crate::{
    config::ConfigError,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

/// The places for the calls of one dependency, and the queue before them; the handle of a [`BulkheadLayer`].
///
/// A clone is the same bulkhead. See the [module docs](self) for an example; without tower it is [`Bulkhead::enter`].
#[derive(Clone)]
pub struct Bulkhead {
    shared: Arc<Shared>,
}

struct Shared {
    name: Arc<str>,
    config: BulkheadConfig,
    /// Never closed. It serves first come, first served, and nobody can push in: a place that is given back goes to who is next.
    places: Semaphore,
    /// Invariant: no more than `config.queue`. Relaxed wherever it is used, since nothing else is read or written by it.
    queued: AtomicU32,
    shed_full: AtomicU64,
    shed_waited: AtomicU64,
}

/// How a call comes in.
enum Entry {
    Now(Place),
    InTurn(Turn),
    Shed(Overloaded),
}

impl Bulkhead {
    /// Makes a bulkhead; the name is for errors and logs.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names each number that is out of its bounds.
    pub fn new(name: impl Into<Arc<str>>, config: BulkheadConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let shared = Shared {
            name: name.into(),
            config,
            places: Semaphore::new(config.limit as usize),
            queued: AtomicU32::new(0),
            shed_full: AtomicU64::new(0),
            shed_waited: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Returns the numbers that it was made with.
    pub fn config(&self) -> BulkheadConfig {
        self.shared.config
    }

    /// Returns how many calls are under way: places that are taken, at most [`BulkheadConfig::limit`].
    ///
    /// A place counts from the moment it is given to a caller in the queue, which that caller learns when it runs next.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        let free = u32::try_from(self.shared.places.available_permits()).unwrap_or(u32::MAX);
        self.shared.config.limit.saturating_sub(free)
    }

    /// Returns how many callers are in the queue, at most [`BulkheadConfig::queue`].
    #[must_use]
    pub fn queued(&self) -> u32 {
        self.shared.queued.load(Ordering::Relaxed)
    }

    /// Returns how many calls were turned away at once, since the queue was full or there is none; of all time.
    #[must_use]
    pub fn shed_full(&self) -> u64 {
        self.shared.shed_full.load(Ordering::Relaxed)
    }

    /// Returns how many calls were turned away after they had waited for too long; of all time.
    #[must_use]
    pub fn shed_waited(&self) -> u64 {
        self.shared.shed_waited.load(Ordering::Relaxed)
    }

    /// Waits for a place, in line, if the queue has room.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower_breaker::BoxError> {
    /// use tower_breaker::bulkhead::{Bulkhead, BulkheadConfig};
    ///
    /// let bulkhead = Bulkhead::new("reports", BulkheadConfig::new(2))?;
    /// let place = bulkhead.enter().await?;
    /// assert_eq!(bulkhead.in_flight(), 1);
    /// drop(place); // the call is over
    /// assert_eq!(bulkhead.in_flight(), 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Overloaded`], if the queue is full or the wait was too long. Do not try again at once: answer, or do without.
    ///
    /// # Panics
    ///
    /// Where it has to wait: outside a tokio runtime with its timer enabled.
    ///
    /// # Cancel safety
    ///
    /// Who is dropped leaves the queue; a place that was meant for it goes to the next.
    pub async fn enter(&self) -> Result<Place, Overloaded> {
        match self.entry() {
            Entry::Now(place) => Ok(place),
            Entry::InTurn(turn) => turn.await,
            Entry::Shed(error) => Err(error),
        }
    }

    #[inline]
    fn entry(&self) -> Entry {
        match self.shared.places.try_acquire() {
            Ok(permit) => {
                // It comes back when the place is dropped. A permit that is kept would have to own the semaphore.
                permit.forget();
                Entry::Now(Place { bulkhead: self.clone() })
            }
            Err(_) => self.queue_up(),
        }
    }

    #[inline(never)]
    fn queue_up(&self) -> Entry {
        match InLine::last(self) {
            Some(line) => Entry::InTurn(line.turn()),
            None => Entry::Shed(self.overloaded(Overload::Full, Duration::ZERO)),
        }
    }

    /// Counts a call that is turned away, and says so.
    fn overloaded(&self, kind: Overload, waited: Duration) -> Overloaded {
        let Shared { name, config, shed_full, shed_waited, .. } = &*self.shared;
        let count = match kind {
            Overload::Full => shed_full,
            Overload::WaitedTooLong => shed_waited,
        };
        count.fetch_add(1, Ordering::Relaxed);
        Overloaded::new(name.clone(), kind, config.limit, config.queue, waited)
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead")
            .field("name", &self.shared.name)
            .field("config", &self.shared.config)
            .field("in_flight", &self.in_flight())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

/// A place for one call; dropping it gives it to who is next.
#[must_use = "a place that is dropped is free again"]
#[derive(Debug)]
pub struct Place {
    bulkhead: Bulkhead,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.bulkhead.shared.places.add_permits(1);
    }
}

#[cfg(test)]
mod tests;
