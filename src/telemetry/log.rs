//! Log set-up: one line an event on stderr, as text or as JSON.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: time, level, message, fields. Coloured only on a terminal.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Sends the process's log lines to stderr from now on. `level` is `error`, `warn`, `info`, `debug`, `trace` or
/// `off`, or a list of `module=level` pairs as `tracing_subscriber::EnvFilter` reads it. A second call changes
/// nothing.
///
/// # Errors
/// A level that cannot be read, in words.
pub fn init(format: Format, level: &str) -> Result<(), String> {
    let filter = parse_level(level)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A line that cannot be written is lost. By default it would be complained about on stderr, which panics when
        // nobody reads that any more: whoever logged would die with the program that collects the log.
        .log_internal_errors(false);
    // Failing means that a subscriber is in place already, as in tests that start two servers in one process.
    let _ = match format {
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    Ok(())
}

/// Checks a level without setting anything up.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_level(level: &str) -> Result<EnvFilter, String> {
    // A bare word that is no level would be taken for the name of a module.
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    if !level.contains(['=', ',']) && !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
        return Err(format!("`{level}` is not a level; allowed: {}", LEVELS.join(", ")));
    }
    EnvFilter::try_new(level).map_err(|err| format!("`{level}` is not a list of levels: {err}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_a_level() {
        assert!(parse_level("info").is_ok());
        assert!(parse_level("INFO").is_ok());
        assert!(parse_level("info,dovetail::http=debug").is_ok());
        assert!(parse_level("loud").unwrap_err().contains("allowed: off, error"));
        assert!(parse_level("dovetail=loud").is_err());
    }
}
