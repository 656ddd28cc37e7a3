//! What is said, and where: text for people, or one JSON object for scripts.
//!
//! With `--json` stdout carries nothing but the object; with `--quiet` people hear of warnings and errors only. A closed pipe is
//! no error.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde_json::Value;

use crate::args::Speech;
use crate::failure::Failure;

/// Where everything that is said goes through.
pub struct Output {
    json: bool,
    quiet: bool,
    colour: bool,
}

impl Output {
    /// As the flags say.
    pub fn new(speech: Speech) -> Self {
        let terminal = if speech.json { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json: speech.json, quiet: speech.quiet, colour }
    }

    /// Whether nothing is said to people.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether people see colours.
    pub fn has_colour(&self) -> bool {
        self.colour
    }

    /// A line, or several, for people.
    pub fn say(&self, text: impl fmt::Display) {
        if self.quiet {
            return;
        }
        let text = text.to_string();
        let text = text.trim_end_matches('\n');
        // Nobody is left to tell of a closed pipe.
        let _ = if self.json {
            writeln!(std::io::stderr().lock(), "{text}")
        } else {
            writeln!(std::io::stdout().lock(), "{text}")
        };
    }

    /// A heading for people.
    pub fn heading(&self, text: impl fmt::Display) {
        self.say(format!("\n{}", self.bold(text)));
    }

    /// Said even with `--quiet`.
    pub fn warn(&self, text: impl fmt::Display) {
        let mark = if self.colour && std::io::stderr().is_terminal() { "\x1b[1;33mwarning\x1b[0m" } else { "warning" };
        let _ = writeln!(std::io::stderr().lock(), "{mark}: {text}");
    }

    /// The object for scripts: once, as the last thing.
    pub fn object(&self, value: &Value) {
        if self.json {
            let _ = writeln!(std::io::stdout().lock(), "{value:#}");
        }
    }

    /// Why the command stopped.
    pub fn failure(&self, failure: &Failure) {
        let red = self.colour && std::io::stderr().is_terminal();
        let mark = if red { "\x1b[1;31merror\x1b[0m" } else { "error" };
        let _ = writeln!(std::io::stderr().lock(), "{mark}: {failure}");
        self.object(&failure.to_json());
    }

    /// Bold, where there are colours.
    pub fn bold(&self, text: impl fmt::Display) -> String {
        self.paint("1", text)
    }

    /// Green, where there are colours.
    pub fn good(&self, text: impl fmt::Display) -> String {
        self.paint("1;32", text)
    }

    /// Red, where there are colours.
    pub fn bad(&self, text: impl fmt::Display) -> String {
        self.paint("1;31", text)
    }

    fn paint(&self, code: &str, text: impl fmt::Display) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// `4.2 KB`: three digits, powers of a thousand.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    if value < 10.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// `12 ms`, `1.32 s`.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 0.01 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 100.0 => format!("{s:.2} s"),
        s => format!("{s:.0} s"),
    }
}

/// `1,234,567`.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let sizes = [0, 999, 1000, 9_999, 10_000, 999_600, 4_200_000_000].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 KB", "10.0 KB", "10 KB", "1.0 MB", "4.2 GB"]);
        assert_eq!([1, 999, 1000, 1_234_567].map(count), ["1", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [1.5, 12.0, 1320.0, 123_456.0].map(|ms| time(Duration::from_secs_f64(ms / 1e3))),
            ["1.5 ms", "12 ms", "1.32 s", "123 s"]
        );
    }
}
