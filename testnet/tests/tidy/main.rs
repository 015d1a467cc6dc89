//! The house keeps its own rules: import fences, module documents, paths and commands that the
//! documents name, what must never be written, and the shape of the root folder.
//!
//! Reads the sources as text, so it also sees what no build of this machine compiles. It never
//! changes a file. The fences are those of docs/ARCHITECTURE.md.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod attacks;
mod documents;
mod fences;
mod house;
mod supply;
mod text;
mod words;
