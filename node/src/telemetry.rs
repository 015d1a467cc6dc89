//! Log lines on standard error: from a level on, as text or JSON, one event per line.
//!
//! What a peer or a file may have put into a message cannot steer a terminal or begin a line of its
//! own: control characters are escaped. Nor can they fill a disk: of the warnings of one place in the
//! program a few are written in a while, and the others are counted. Other libraries are heard from
//! warnings on. No event of this program holds a record's field, a key or a token; that is kept where
//! events are written.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::FilterExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer as _, fmt};

/// Warnings of one place that are written in a [`WHILE`]; what comes from outside may cause thousands a
/// second.
const WARNINGS: u32 = 10;

/// After this long as many are written again.
const WHILE: Duration = Duration::from_secs(10);

/// Begins logging, once in a process.
///
/// # Errors
/// When something else logs already.
pub fn start(level: LevelFilter, json: bool) -> Result<(), TryInitError> {
    let left_out = Arc::new(AtomicU64::new(0));
    let filter = targets(level).and(Sparing::new(Arc::clone(&left_out)));
    let registry = tracing_subscriber::registry();
    let writer = StandardError { left_out, json };
    let layer = fmt::layer().with_writer(writer).with_ansi(false).with_target(true);
    if json {
        registry.with(layer.json().flatten_event(true).with_filter(filter)).try_init()
    } else {
        registry.with(layer.with_filter(filter)).try_init()
    }
}

/// Our own crates from the level on, others from warnings on.
fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("reeve", level)
}

/// Lets so many warnings of each place pass, and counts the others.
struct Sparing {
    /// Since when, and how many, by place: there are some tens of places.
    passed: Mutex<Vec<(Identifier, Instant, u32)>>,
    left_out: Arc<AtomicU64>,
}

impl Sparing {
    fn new(left_out: Arc<AtomicU64>) -> Self {
        Self { passed: Mutex::default(), left_out }
    }

    fn passes(&self, place: Identifier, now: Instant) -> bool {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, since, count)) = passed.iter_mut().find(|(known, _, _)| *known == place)
        else {
            passed.push((place, now, 1));
            return true;
        };
        if now.saturating_duration_since(*since) >= WHILE {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= WARNINGS
    }
}

impl<S: Subscriber> Filter<S> for Sparing {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // What a developer asks for comes whole.
        if *metadata.level() > Level::WARN || self.passes(metadata.callsite(), Instant::now()) {
            return true;
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        false
    }
}

struct StandardError {
    left_out: Arc<AtomicU64>,
    json: bool,
}

impl StandardError {
    /// The line that says how many were left out since the last; none were: nothing.
    fn left_out(&self) -> Option<String> {
        let count = self.left_out.swap(0, Ordering::Relaxed);
        let text = "warnings like those before were left out";
        match (count, self.json) {
            (0, _) => None,
            (_, true) => Some(format!(
                "{{\"level\":\"WARN\",\"target\":\"reeve::telemetry\",\"message\":\"{text}\",\"count\":{count}}}\n"
            )),
            (_, false) => Some(format!("WARN reeve::telemetry: {count} {text}\n")),
        }
    }
}

impl<'a> MakeWriter<'a> for StandardError {
    type Writer = OneLine<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        let mut errors = io::stderr();
        if let Some(line) = self.left_out() {
            // There is nowhere to say that nothing can be said.
            let _ = errors.write_all(line.as_bytes());
        }
        OneLine(errors)
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
    fn attack_55_an_event_is_one_line_whatever_it_holds() {
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

    /// THREATS row 55, and a flood of what is worth a warning.
    #[test]
    fn attack_55_a_flood_of_warnings_is_a_few_lines_and_a_count() {
        let kept = Kept::default();
        let left_out = Arc::new(AtomicU64::new(0));
        let writer = kept.clone();
        let layer = fmt::layer().with_writer(move || OneLine(writer.clone())).with_ansi(false);
        let filter = targets(LevelFilter::INFO).and(Sparing::new(Arc::clone(&left_out)));
        let all = tracing_subscriber::registry().with(layer.with_filter(filter));
        tracing::subscriber::with_default(all, || {
            for number in 0..1_000 {
                tracing::warn!(number, "refused");
            }
            tracing::warn!("something else");
            for number in 0..30 {
                tracing::info!(number, "done");
            }
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("refused").count(), usize::try_from(WARNINGS).unwrap());
        assert_eq!(text.matches("something else").count(), 1);
        assert_eq!(text.matches("done").count(), 30);
        assert_eq!(left_out.load(Ordering::Relaxed), 990);
        let writer = StandardError { left_out, json: true };
        let line = writer.left_out().unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line.get("count"), Some(&serde_json::json!(990)));
        assert!(writer.left_out().is_none());
    }

    #[test]
    fn a_while_later_warnings_pass_again() {
        let sparing = Sparing::new(Arc::default());
        let place =
            tracing::callsite!(name: "here", kind: tracing::metadata::Kind::EVENT, fields: a);
        let place = tracing::callsite::Callsite::metadata(place).callsite();
        let begin = Instant::now();
        let passed = (0..100).filter(|_| sparing.passes(place.clone(), begin)).count();
        assert_eq!(passed, usize::try_from(WARNINGS).unwrap());
        assert!(sparing.passes(place, begin + WHILE));
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
