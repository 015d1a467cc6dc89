//! Log lines on standard error: from a level on, as text or JSON, one event per line.
//!
//! What a peer or a file may have put into a message cannot steer a terminal or begin a line of its
//! own: control characters are escaped. Other libraries are heard from warnings on. No event of this
//! program holds a record's field, a key or a token; that is kept where events are written.

use std::fmt::Write as _;
use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer as _, fmt};

/// Begins logging, once in a process.
///
/// # Errors
/// When something else logs already.
pub fn start(level: LevelFilter, json: bool) -> Result<(), TryInitError> {
    let targets = targets(level);
    let registry = tracing_subscriber::registry();
    let layer = fmt::layer().with_writer(StandardError).with_ansi(false).with_target(true);
    if json {
        registry.with(layer.json().flatten_event(true).with_filter(targets)).try_init()
    } else {
        registry.with(layer.with_filter(targets)).try_init()
    }
}

/// Our own crates from the level on, others from warnings on.
fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("reeve", level)
}

struct StandardError;

impl<'a> MakeWriter<'a> for StandardError {
    type Writer = OneLine<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine(io::stderr())
    }
}

/// Writes each event, which comes in one piece, as one line.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = String::with_capacity(text.len().saturating_add(1));
        for c in text.chars() {
            if c.is_control() {
                // Writing to a string cannot fail.
                let _ = write!(line, "{}", c.escape_default());
            } else {
                line.push(c);
            }
        }
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_it_holds() {
        let payloads =
            ["a\nERROR forged", "\u{1b}[2J\u{1b}[31mred", "\r\n\r\n", "\u{7}\u{8}\u{9b}31m"];
        for payload in payloads {
            for json in [false, true] {
                let kept = Kept::default();
                let writer = kept.clone();
                let layer =
                    fmt::layer().with_writer(move || OneLine(writer.clone())).with_ansi(false);
                let logged = || tracing::warn!(text = payload, shown = %payload, "{payload}");
                if json {
                    let all = tracing_subscriber::registry().with(layer.json());
                    tracing::subscriber::with_default(all, logged);
                } else {
                    let all = tracing_subscriber::registry().with(layer);
                    tracing::subscriber::with_default(all, logged);
                }
                let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
                assert_eq!(text.matches('\n').count(), 1, "{text:?}");
                let steers = |c: char| c.is_control() && c != '\n';
                assert!(!text.chars().any(steers), "{text:?}");
            }
        }
    }

    #[test]
    fn our_own_crates_speak_from_the_level_on_and_others_from_warnings() {
        let targets = targets(LevelFilter::DEBUG);
        assert!(targets.would_enable("reeve::net", &tracing::Level::DEBUG));
        assert!(targets.would_enable("reeve_protocol", &tracing::Level::DEBUG));
        assert!(!targets.would_enable("libp2p_swarm", &tracing::Level::INFO));
        assert!(targets.would_enable("libp2p_swarm", &tracing::Level::WARN));
    }
}
