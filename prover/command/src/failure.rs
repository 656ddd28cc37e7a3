//! Why a command stopped: a message, the chain of causes, what to do about it, and the exit code.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use serde_json::json;

/// Which exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A proof or a constraint did not hold.
    Refused,
    /// A file, a value or the command line is no use.
    Unusable,
    /// vouch itself is at fault.
    Fault,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::Refused => "refused",
            Outcome::Unusable => "unusable input",
            Outcome::Fault => "fault of vouch",
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(match outcome {
            Outcome::Refused => 1,
            Outcome::Unusable => 2,
            Outcome::Fault => 3,
        })
    }
}

/// Why a command stopped.
#[derive(Debug)]
pub struct Failure {
    /// What kind of end it is.
    pub outcome: Outcome,
    chain: Vec<String>,
    advice: Option<String>,
}

impl Failure {
    fn new(outcome: Outcome, message: impl fmt::Display) -> Self {
        Self { outcome, chain: vec![message.to_string()], advice: None }
    }

    /// A file, a value or an option is no use.
    pub fn unusable(message: impl fmt::Display) -> Self {
        Self::new(Outcome::Unusable, message)
    }

    /// A proof or a constraint did not hold.
    pub fn refused(message: impl fmt::Display) -> Self {
        Self::new(Outcome::Refused, message)
    }

    /// vouch is at fault.
    pub fn fault(message: impl fmt::Display) -> Self {
        Self::new(Outcome::Fault, message).advice("please report this, with the command line")
    }

    /// With an error and what caused it.
    pub fn because(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Many errors repeat their cause in their own message.
            if self.chain.last().is_none_or(|last| !last.contains(&text)) {
                self.chain.push(text);
            }
            next = error.source();
        }
        self
    }

    /// With what it is about, before the message.
    pub fn of(mut self, what: impl fmt::Display) -> Self {
        self.chain[0] = format!("{what}: {}", self.chain[0]);
        self
    }

    /// With what the user can do.
    pub fn advice(mut self, advice: impl fmt::Display) -> Self {
        self.advice = Some(advice.to_string());
        self
    }

    /// As an object for scripts.
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "ok": false,
            "outcome": self.outcome.word(),
            "error": self.chain[0],
            "causes": self.chain[1..],
            "advice": self.advice,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.chain.join("\n  because: "))?;
        match &self.advice {
            Some(advice) => write!(f, "\n  what to do: {advice}"),
            None => Ok(()),
        }
    }
}
