//! The state of a circuit over a restart.

use std::time::{Duration, SystemTime};

use crate::{
    circuit::Circuit,
    clock::wall,
    machine::{Memory, NotRestored, Restored},
};

/// What a circuit knew when it was saved, see [`Circuit::save`]. With the feature `serde` it can be written to a file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Saved {
    /// When, by the clock on the wall.
    pub at: SystemTime,
    /// What.
    pub memory: Memory,
}

impl Circuit {
    /// Returns what is worth knowing after a restart of the process: whether it is open, for how long still, since when and
    /// why, and the mode that an operator has set. What was counted is not part of it: windows are short, and a ledger is that
    /// of one process.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_breaker::{Circuit, Config, Outcome, State, config::Consecutive};
    ///
    /// let config = Config::classic().consecutive_failures(Consecutive::new(1));
    /// let before = Circuit::builder("payments").config(config).build()?;
    /// before.try_acquire()?.record(Outcome::failure());
    /// let saved = before.save();
    ///
    /// // … later, in another process …
    /// let after = Circuit::builder("payments").config(config).build()?;
    /// let restored = after.restore(&saved, Duration::from_secs(600));
    /// assert!(restored.state.is_ok());
    /// assert_eq!(after.state(), State::Open);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn save(&self) -> Saved {
        Saved { at: wall(), memory: self.memory() }
    }

    /// Takes up what was saved, if that is no older than `max_age`, and says what has become of it.
    ///
    /// One that was open is open again, for what is left of its wait; one that was half-open or recovering is open with a probe
    /// that is due. A mode comes back for what is left of its time, unless another has been set by now. Call it before the
    /// first call: what the circuit has found out by itself counts for more. The wait is never longer than its settings could
    /// draw, whatever the file says.
    pub fn restore(&self, saved: &Saved, max_age: Duration) -> Restored {
        self.restore_at(saved, max_age, wall())
    }

    /// [`Circuit::restore`] at a time by the clock on the wall, for tests and for programs that have their own.
    pub fn restore_at(&self, saved: &Saved, max_age: Duration, now: SystemTime) -> Restored {
        match age(saved.at, max_age, now) {
            Ok(ago) => self.recall(&saved.memory, ago),
            Err(why) => Restored::neither(why),
        }
    }

    pub(crate) fn memory(&self) -> Memory {
        self.0.shared.read(|core, now| core.save(now))
    }

    pub(crate) fn recall(&self, memory: &Memory, ago: Duration) -> Restored {
        self.0.shared.operate(|machine, now| machine.restore(memory, ago, now))
    }
}

/// How long ago something was saved, if that is not too long.
pub(crate) fn age(saved: SystemTime, max_age: Duration, now: SystemTime) -> Result<Duration, NotRestored> {
    let age = now.duration_since(saved).map_err(|_| NotRestored::FromTheFuture)?;
    if age > max_age { Err(NotRestored::TooOld) } else { Ok(age) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_just_as_old_as_is_allowed_is_not_too_old() {
        let (saved, second) = (SystemTime::UNIX_EPOCH, Duration::from_secs(1));
        assert_eq!(age(saved, second, saved), Ok(Duration::ZERO));
        assert_eq!(age(saved, second, saved + second), Ok(second));
        assert_eq!(age(saved, second, saved + second + Duration::from_nanos(1)), Err(NotRestored::TooOld));
        assert_eq!(age(saved + second, second, saved), Err(NotRestored::FromTheFuture));
    }
}
