//! ONNX's tests of all operators as each version of its package has them, operator sets 7 to 24: what is not refused gives what ONNX says. It
//! needs Python with pip, which downloads the packages from PyPI to `target`; so it is not run by default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use rayon::prelude::*;

use super::case::{Case, Failure};

/// Versions, the operator sets that their tests are of, and how many of their tests pass at least.
const VERSIONS: [(&str, u32, usize); 18] = [
    ("1.2.2", 7, 392),
    ("1.3.0", 8, 322),
    ("1.4.1", 9, 342),
    ("1.5.0", 10, 363),
    ("1.6.0", 11, 458),
    ("1.7.0", 12, 522),
    ("1.8.1", 13, 539),
    ("1.9.0", 14, 559),
    ("1.10.2", 15, 572),
    ("1.11.0", 16, 574),
    ("1.12.0", 17, 612),
    ("1.13.1", 18, 713),
    ("1.14.1", 19, 722),
    ("1.15.0", 20, 733),
    ("1.16.2", 21, 736),
    ("1.17.0", 22, 740),
    ("1.18.0", 23, 816),
    ("1.19.0", 24, 884),
];

/// The cases that give something else than ONNX says, each with the version that is the last one to say so.
const OTHERS: [(&str, &str); 14] = [
    // Later versions say what comes out here.
    ("test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True", "1.17.0"),
    ("test_col2im_pads", "1.17.0"),
    ("test_convtranspose_autopad_same", "1.9.0"),
    ("test_resize_upsample_sizes_nearest_ceil_half_pixel", "1.6.0"),
    ("test_resize_upsample_sizes_nearest_floor_align_corners", "1.6.0"),
    ("test_resize_upsample_sizes_nearest_round_prefer_ceil_asymmetric", "1.6.0"),
    // ONNX's text saturates, which its reference forgets; onnxruntime gives what comes out here.
    ("test_qlinearmatmul_2D_int8_float16", "1.19.0"),
    ("test_qlinearmatmul_2D_int8_float32", "1.19.0"),
    ("test_qlinearmatmul_3D_int8_float16", "1.19.0"),
    ("test_qlinearmatmul_3D_int8_float32", "1.19.0"),
    // Exponentials that differ by 26 decades in one tensor: 16 bits hold the largest.
    ("test_reduce_log_sum_exp_default_axes_keepdims_example_expanded", "1.19.0"),
    ("test_reduce_log_sum_exp_do_not_keepdims_example_expanded", "1.19.0"),
    ("test_reduce_log_sum_exp_keepdims_example_expanded", "1.19.0"),
    ("test_reduce_log_sum_exp_negative_axes_keepdims_example_expanded", "1.19.0"),
];

fn folder() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = manifest.join("../target/onnx-tests");
    std::fs::create_dir_all(&folder).unwrap();
    let mut python = Command::new("python3");
    python.arg(manifest.join("conformance/fetch.py")).arg(&folder).args(VERSIONS.map(|(version, ..)| version));
    let status = python.status().unwrap_or_else(|error| panic!("{python:?}: {error}"));
    assert!(status.success(), "{python:?}: {status}");
    folder
}

/// The folders of a version's tests of single operators, and of the first version's others, which stay the same.
fn tests(version: &str, data: &Path) -> Vec<PathBuf> {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let counts = |kind: &&PathBuf| kind.ends_with("node") || version == VERSIONS[0].0;
    let mut all: Vec<PathBuf> = inside(data).iter().filter(counts).flat_map(|kind| inside(kind)).collect();
    all.retain(|test| test.join("model.onnx").exists());
    all.sort();
    all
}

/// Numbers of a version, as 10 is more than 9.
fn number(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap()).collect()
}

#[test]
#[ignore = "downloads ONNX's packages: run with `-- --ignored`"]
fn every_version_s_tests_pass_or_are_refused() {
    let folder = folder();
    let mut wrong = Vec::new();
    for (version, opset, least) in VERSIONS {
        let tests = tests(version, &folder.join(version).join("data"));
        let outcomes: Vec<_> =
            tests.par_iter().map(|test| Case::in_folder(test).map(|case| case.most_computed().map(drop))).collect();
        let (mut passed, mut refused) = (0, BTreeMap::new());
        for (test, outcome) in tests.iter().zip(outcomes) {
            let name = test.file_name().unwrap().to_string_lossy().into_owned();
            match outcome {
                Some(Ok(())) => passed += 1,
                Some(Err(Failure::Refused(reason))) => {
                    let reason = reason.split("; supported").next().unwrap_or_default().to_string();
                    refused.insert(name, reason);
                }
                Some(Err(Failure::Wrong(reason))) => {
                    let known = OTHERS.iter().any(|(other, last)| name == *other && number(version) <= number(last));
                    if !known {
                        wrong.push(format!("{version}, {name}: {reason}"));
                    }
                }
                None => wrong.push(format!("{version}, {name} cannot be read")),
            }
        }
        for (name, reason) in &refused {
            println!("{version}, {name}: {reason}");
        }
        println!("operator set {opset} (onnx {version}): {passed} of {} pass, {} refused", tests.len(), refused.len());
        if passed < least {
            wrong.push(format!("{version}: {passed} pass, not {least}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
