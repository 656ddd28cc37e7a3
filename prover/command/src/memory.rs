//! How much memory this process has, where the system tells.

use serde::Serialize;

/// Resident memory.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Memory {
    /// Right now.
    #[serde(rename = "memory_bytes")]
    pub now: Option<u64>,
    /// The most since the process began.
    #[serde(rename = "peak_bytes")]
    pub peak: Option<u64>,
}

/// From `/proc/self/status`; nothing on systems without it.
pub fn memory() -> Memory {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    };
    Memory { now: field("VmRSS:"), peak: field("VmHWM:") }
}
