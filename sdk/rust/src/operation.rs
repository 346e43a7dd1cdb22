use std::marker::PhantomData;
use std::time::Duration;

use serde::Deserialize;

use crate::abi::{self, code, Part};
use crate::error::HostError;

/// Something that takes time and has been started. Start several and they overlap. Whoever drops one
/// that runs cancels it.
#[derive(Debug)]
#[must_use = "dropping it cancels what was started"]
pub struct Pending<T: Answered> {
    op: Op,
    what: String,
    answer: PhantomData<fn() -> T>,
}

/// What a [`Pending`] can become.
pub trait Answered: Sized + sealed::Answered {}

pub(crate) mod sealed {
    use super::Answer;
    use crate::error::HostError;

    pub trait Answered {
        /// Makes the value of what an operation answered.
        fn from_answer(answer: Answer) -> Result<Self, HostError>
        where
            Self: Sized;
    }
}

impl<T: Answered> Pending<T> {
    /// Takes over a started operation, or the negated code of one that was not. `what` is said in errors.
    pub(crate) fn started(op: i32, what: String) -> Result<Pending<T>, HostError> {
        if op <= 0 {
            return Err(HostError::of(op).about(&what));
        }
        Ok(Pending { op: Op(op), what, answer: PhantomData })
    }

    /// Waits for the answer.
    pub fn wait(self) -> Result<T, HostError> {
        self.op.wait(None);
        let answer = self.op.answer().map_err(|e| e.about(&self.what))?;
        T::from_answer(answer).map_err(|e| e.about(&self.what))
    }

    /// Waits for at most `timeout` and tells whether the answer is there.
    pub fn ready_within(&self, timeout: Duration) -> bool {
        self.op.wait(Some(timeout))
    }
}

/// Waits until one of several is answered, and returns its index; `None` when there are none.
pub fn first_of<T: Answered>(pending: &[Pending<T>]) -> Option<usize> {
    let ids: Vec<i32> = pending.iter().map(|one| one.op.0).collect();
    if ids.is_empty() {
        return None;
    }
    let done = abi::wait(&ids, -1);
    ids.iter().position(|id| *id == done)
}

/// Waits, and lets what was started go on meanwhile.
pub fn sleep(time: Duration) {
    abi::wait(&[], milliseconds(time));
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

// Op is an operation of the host, closed when it is dropped.
#[derive(Debug)]
struct Op(i32);

impl Op {
    fn wait(&self, timeout: Option<Duration>) -> bool {
        let op = self.0;
        abi::status(op) != -code::RUNNING || abi::wait(&[op], timeout.map_or(-1, milliseconds)) == op
    }

    fn answer(&self) -> Result<Answer, HostError> {
        let op = self.0;
        match abi::status(op) {
            0 => Ok(Answer { head: abi::part(op, Part::Head), body: abi::part(op, Part::Body) }),
            failed => Err(HostError::of_operation(op, failed)),
        }
    }
}

impl Drop for Op {
    fn drop(&mut self) {
        abi::close(self.0);
    }
}

/// What an operation answered.
pub struct Answer {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads the head.
    pub(crate) fn head<'a, H: Deserialize<'a>>(&'a self) -> Result<H, HostError> {
        serde_json::from_slice(&self.head).map_err(|_| HostError::new(crate::Kind::Internal, "the host sent an unreadable head"))
    }
}
