//! Ctrl-C between files, never in the middle of one.
//!
//! Files are written under another name and renamed. Whoever presses Ctrl-C meanwhile waits the moment that takes, so that no
//! half-written file stays under any name.

use std::sync::{Mutex, MutexGuard, PoisonError};

static WRITING: Mutex<()> = Mutex::new(());

/// Exit code of a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Ends the process on Ctrl-C, once no file is being written.
pub fn install() {
    // If it cannot be installed, Ctrl-C ends the process at once, which leaves a file under a temporary name at worst.
    let _ = ctrlc::set_handler(|| {
        let _nobody_writes = lock();
        std::process::exit(INTERRUPTED);
    });
}

/// Until it is dropped, Ctrl-C waits.
pub fn lock() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}
