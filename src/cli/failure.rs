//! How a command fails: one line on stderr and an exit code.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is wrong; nothing was touched.
    Configuration(String),
    /// Something went wrong while it ran.
    Running(String),
    /// The same, and everything about it has been said.
    Said,
}

impl Failure {
    /// With every cause, each once.
    pub fn running(error: &dyn Error) -> Failure {
        let mut line = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors repeat their cause in their own words.
            if !line.contains(&text) {
                line = format!("{line}: {text}");
            }
            cause = error.source();
        }
        Failure::Running(line)
    }

    /// Prints the line and returns the exit code.
    pub fn report(self) -> ExitCode {
        let (line, code) = match self {
            Failure::Configuration(line) => (Some(line), 2),
            Failure::Running(line) => (Some(line), 1),
            Failure::Said => (None, 1),
        };
        if let Some(line) = line {
            // Nobody is left to tell when stderr is gone.
            let _ = writeln!(std::io::stderr(), "dovetail: {}", line.replace('\n', " "));
        }
        ExitCode::from(code)
    }
}

impl From<super::config::ConfigError> for Failure {
    fn from(error: super::config::ConfigError) -> Failure {
        Failure::Configuration(error.to_string())
    }
}
