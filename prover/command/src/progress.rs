//! What is being done right now, and afterwards where the time and memory went.
//!
//! On a terminal a line on stderr moves; elsewhere each stage that takes long is one plain line there.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::memory::{Memory, memory};
use crate::output::{Output, size, time};

/// A stage that takes longer is worth a line in a log.
const LONG: Duration = Duration::from_secs(1);

/// Follows the stages of a command.
pub struct Progress {
    bar: Option<ProgressBar>,
    plain: bool,
    running: Option<(String, Instant)>,
    stages: Vec<Stage>,
}

/// A stage that is over.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// What was done.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// Memory at its end.
    #[serde(flatten)]
    pub memory: Memory,
}

/// Where the time and memory of a command went.
#[derive(Clone, Debug, Serialize)]
pub struct StageTable {
    /// In order.
    pub stages: Vec<Stage>,
    /// All of them together.
    pub seconds: f64,
    /// The most memory that the process ever had, where the system tells.
    pub peak_bytes: Option<u64>,
}

impl Progress {
    /// Nothing has begun yet.
    pub fn new(out: &Output) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = (terminal && !out.is_quiet()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { plain: bar.is_none() && !out.is_quiet(), bar, running: None, stages: Vec::new() }
    }

    /// A stage begins; the one before it is over.
    pub fn begin(&mut self, name: &str) {
        self.end();
        if let Some(bar) = &self.bar {
            bar.reset_elapsed();
            bar.set_message(name.to_string());
        }
        self.running = Some((name.to_string(), Instant::now()));
    }

    /// News of the running stage; a message whose first word is another begins a new one.
    pub fn news(&mut self, message: &str) {
        let word = |text: &str| text.split([' ', ':']).next().map(str::to_string);
        match &self.running {
            Some((name, _)) if word(name) == word(message) => {
                if let Some(bar) = &self.bar {
                    bar.set_message(message.to_string());
                }
            }
            _ => self.begin(message),
        }
    }

    /// The running stage is over.
    pub fn end(&mut self) {
        let Some((name, start)) = self.running.take() else { return };
        let taken = start.elapsed();
        if self.plain && taken > LONG {
            let _ = writeln!(std::io::stderr().lock(), "{name}: {}", time(taken));
        }
        self.stages.push(Stage { name, seconds: taken.as_secs_f64(), memory: memory() });
    }

    /// All is over; what it took.
    pub fn finish(mut self) -> StageTable {
        self.end();
        let stages = std::mem::take(&mut self.stages);
        StageTable { seconds: stages.iter().map(|s| s.seconds).sum(), peak_bytes: memory().peak, stages }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl fmt::Display for StageTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_string(), size);
        let width = self.stages.iter().map(|s| s.name.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "  {:width$}  {:>9}  {:>5}  {:>8}  {:>8}", "stage", "time", "share", "memory", "peak")?;
        let mut row = |name: &str, seconds: f64, now: Option<u64>, peak: Option<u64>| {
            let share = 100.0 * seconds / self.seconds.max(f64::MIN_POSITIVE);
            let taken = time(Duration::from_secs_f64(seconds));
            writeln!(f, "  {name:width$}  {taken:>9}  {share:>4.0}%  {:>8}  {:>8}", bytes(now), bytes(peak))
        };
        for stage in &self.stages {
            row(&stage.name, stage.seconds, stage.memory.now, stage.memory.peak)?;
        }
        row("all", self.seconds, self.stages.last().and_then(|s| s.memory.now), self.peak_bytes)
    }
}
