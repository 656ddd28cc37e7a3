//! The compiled contracts are of the sources.

use std::path::Path;
use std::process::Command;

/// Needs Node.js and the npm registry.
#[test]
#[ignore = "takes the Solidity compiler from the npm registry"]
fn compiled_contracts_are_of_the_sources() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for arguments in [&["ci", "--no-audit", "--no-fund"][..], &["run", "check"]] {
        let status = Command::new("npm").args(arguments).current_dir(folder).status().expect("npm is installed");
        assert!(status.success(), "npm {}", arguments.join(" "));
    }
}
