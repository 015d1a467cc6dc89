//! Keeps an engine's panic from taking the node down: it becomes an error.
//!
//! Both engines panic on some damaged files. A panic inside an engine leaves its state unknown, so
//! the store stops using it afterwards (see `super::checked`).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::StoreError;

/// Runs `operation`; a panic in it becomes [`StoreError::EngineFailed`].
pub(super) fn guarded<T>(
    engine: &'static str,
    doing: &'static str,
    operation: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(operation)) {
        Ok(result) => result,
        Err(panic) => Err(StoreError::EngineFailed { engine, doing, found: panic_message(panic) }),
    }
}

/// The text a panic was raised with.
pub(super) fn panic_message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(_) => "a panic without a message".to_owned(),
        },
    }
}
