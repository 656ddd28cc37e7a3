//! The bundled models: fixed point must answer as float does.

use vouch_models::{outputs, quantize_all, zoo};

fn top1(values: impl Iterator<Item = f32>) -> usize {
    values.enumerate().fold((0, f32::MIN), |best, (i, v)| if v > best.1 { (i, v) } else { best }).0
}

#[test]
fn every_zoo_model_answers_as_float_does() {
    for entry in zoo::entries() {
        let compiled = entry.compile(&mut |_| {}).unwrap();
        let report = &compiled.report;
        println!("{}\n{report}", entry.name);
        assert_eq!(report.samples, 64, "{}", entry.name);
        assert_eq!(report.top1_agreement, 64, "{}", entry.name);
        assert!(report.largest_error_share < 0.002, "{}: {}", entry.name, report.largest_error_share);
        assert!(report.saturated.is_empty(), "{}", entry.name);
    }
}

#[test]
fn zoo_models_are_right_about_real_images() {
    for (entry, least) in zoo::entries().iter().zip([63, 64, 61, 63]) {
        let compiled = entry.compile(&mut |_| {}).unwrap();
        let samples = entry.samples().unwrap();
        let right = samples.iter().zip(entry.labels().unwrap()).filter(|(sample, label)| {
            let inputs = quantize_all(&compiled.program, sample).unwrap();
            let execution = vouch_program::execute(&compiled.program, &inputs).unwrap();
            top1(outputs(&compiled.program, &execution)[0].iter().copied()) == *label
        });
        assert_eq!(right.count(), least, "{}", entry.name);
    }
}

#[test]
fn any_declared_input_can_be_run() {
    for entry in zoo::entries() {
        let program = entry.compile(&mut |_| {}).unwrap().program;
        let len = program.node(program.inputs[0].node).len();
        let mut state = 1u64;
        for round in 0..20 {
            let input = (0..len).map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                match round {
                    0 => -32768,
                    1 => 32767,
                    // Only extremes, then anything.
                    2..10 => {
                        if state >> 63 == 0 {
                            -32768
                        } else {
                            32767
                        }
                    }
                    _ => (state >> 48) as i64 - 32768,
                }
            });
            vouch_program::execute(&program, &[input.collect()]).unwrap();
        }
    }
}

#[test]
fn a_program_alone_says_what_its_inputs_are() {
    let entry = zoo::find("mnist_cnn_tiny").unwrap();
    let program = entry.compile(&mut |_| {}).unwrap().program;
    let specs = vouch_models::InputSpec::of_program(&program);
    let samples = entry.calibration().unwrap().samples(&specs).unwrap();
    assert_eq!(samples.len(), 64);
    assert!(samples == entry.samples().unwrap());
}

#[test]
fn compiling_twice_gives_the_same_program() {
    let entry = zoo::find("mnist_lenet5").unwrap();
    let [a, b] = [(), ()].map(|()| entry.compile(&mut |_| {}).unwrap().program);
    assert!(a == b);
}
