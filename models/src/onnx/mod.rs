//! ONNX files as a small graph with constants folded, and the float model to compare with.
//!
//! It knows protobuf and tract; it must not know fixed point.

mod attributes;
mod float;
mod graph;
mod half;
mod masks;
mod read;
mod rewrite;

pub use attributes::Attributes;
pub use float::FloatModel;
pub use graph::{Fixed, Graph, GraphNode, InputSpec};
pub use masks::MASKED;
pub use read::{MAX_ELEMENTS, read_model};
pub use rewrite::{Thresholds, rewritten};

/// Runs `work`, which calls into tract, and turns a panic inside it into the error text it carried.
pub(crate) fn guarded<T>(work: impl FnOnce() -> tract_onnx::prelude::TractResult<T>) -> Result<T, String> {
    // What the closure touches is dropped when it panics, so no broken state is seen afterwards.
    let outcome = quietly(|| std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)));
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_string()));
            Err(text.unwrap_or_else(|| "the ONNX runtime failed".to_string()))
        }
    }
}

/// A folder as the runtime takes it: the one that a path names without saying so is this one.
fn text_of(folder: &std::path::Path) -> &str {
    if folder.as_os_str().is_empty() { "." } else { folder.to_str().unwrap_or(".") }
}

thread_local! {
    static QUIET: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Keeps the panic hook from printing while `work` runs on this thread: the panic becomes an error instead.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                previous(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let result = work();
    QUIET.set(before);
    result
}
