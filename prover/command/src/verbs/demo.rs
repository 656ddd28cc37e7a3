//! `vouch demo`: the whole way on a bundled model and a real image, and some lies that are refused.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vouch_circuits::ir::Role;
use vouch_circuits::key::{Proof, VerifyingKey};
use vouch_models::zoo::{self, ZooModel};
use vouch_prover::{ProveOptions, SetupOptions};
use vouch_verifier::{PreparedKey, TensorValues, argmax, verify};

use super::{prove, setup};
use crate::args::Demo;
use crate::artifacts::{ARCHITECTURE, MODEL, NewFile, PROVING_KEY, REPORT, VERIFYING_KEY, encode_model, write_folder};
use crate::failure::Failure;
use crate::output::{Output, count, size, time};
use crate::picture::draw;
use crate::progress::Progress;
use crate::values::{model_failure, to_integers};

/// The proof's name with `--keep`.
const PROOF: &str = "demo.proof";
/// All of the model's test images, scaled as in training.
const IMAGES: &str = "images.npy";

pub fn run(args: &Demo, out: &Output) -> Result<Value, Failure> {
    let start = Instant::now();
    let model = zoo::find(&args.model).ok_or_else(|| {
        let names: Vec<_> = zoo::entries().iter().map(|model| model.name).collect();
        Failure::unusable(format!("no bundled model is called {:?}", args.model))
            .advice(format!("use one of {}", names.join(", ")))
    })?;
    let fail = |error: vouch_models::ModelError| model_failure("the bundled model cannot be used", &error);
    let labels = model.labels().map_err(fail)?;
    if args.index >= labels.len() {
        return Err(Failure::unusable(format!("there is no image {}", args.index))
            .advice(format!("choose one with --index, from 0 to {}", labels.len() - 1)));
    }
    let label = labels.get(args.index).copied();
    let pixels = model.pixels(args.index).map_err(fail)?;

    out.say(format!("{}: {}", out.bold(model.name), model.description));
    show_image(model, args.index, pixels.as_slice().unwrap_or_default(), label, out);

    out.heading("1. compile: float to fixed point");
    let mut progress = Progress::new(out);
    let compiled = model.compile(&mut |message| progress.news(message)).map_err(fail)?;
    let compile_table = progress.finish();
    let report = &compiled.report;
    out.say(format!("  same answer as float on {} of {} images", report.top1_agreement, report.samples));
    out.say(format!("  largest error {:.4} % of the largest output", 100.0 * report.largest_error_share));
    out.say(format!("  took {}", time(Duration::from_secs_f64(compile_table.seconds))));
    let sample = model.samples().map_err(fail)?.swap_remove(args.index);
    let inputs = to_integers(&compiled.program, &sample)?;
    let model_file = encode_model(&compiled.program)?;

    out.heading("2. setup: commit to the weights");
    let mut progress = Progress::new(out);
    // Each sample model gives scores of the ten digits.
    let classes = compiled.program.outputs.iter().map(|port| (port.name.clone(), None)).collect();
    let options = SetupOptions { classes, ..SetupOptions::default() };
    let srs = setup::Reference::OwnersChoice(None);
    let key = setup::make(compiled.program, &options, srs, None, out, &mut progress)?;
    let setup_table = progress.finish();
    let vk = &key.verifying_key;
    let (proving_bytes, vk_bytes, architecture_bytes) = (key.to_bytes(), vk.to_bytes(), key.architecture.to_bytes());
    let model_id = hex::encode(vk.model_id());
    out.say(format!("  model id       {model_id}"));
    out.say(format!(
        "  proving key    {} for {} parameters",
        size_of(&proving_bytes),
        count(key.program().parameters())
    ));
    out.say(format!("  verifying key  {}", size_of(&vk_bytes)));
    out.say(format!("  commitments    {}", setup::commitments(&key)));
    out.say(format!("  shell          {}", setup::shell(&key)));
    out.say(format!("  took {}", time(Duration::from_secs_f64(setup_table.seconds))));

    out.heading("3. prove: run the model on the image, and prove the run");
    let mut progress = Progress::new(out);
    let proof = prove::make(&key, &inputs, &ProveOptions::default(), &mut progress)?.proof;
    let prove_table = progress.finish();
    let outputs = stated_outputs(vk, &proof);
    let Some(scores) = outputs.first() else { return Err(Failure::fault("the bundled model has no output")) };
    show_scores(scores, label, out);
    out.say(&prove_table);
    let bytes = proof.to_bytes();
    out.say(format!("  {}, a zero-knowledge proof", size_of(&bytes)));

    out.heading("4. verify: from the bytes of the proof and of the verifying key alone");
    let begin = Instant::now();
    let fault = |what: &str, error: &dyn std::error::Error| {
        Failure::fault(format!("{what} that was just made is unusable")).because(error)
    };
    let read_key = VerifyingKey::from_bytes(&vk_bytes).map_err(|error| fault("the verifying key", &error))?;
    let read_proof = Proof::from_bytes(&bytes).map_err(|error| fault("the proof", &error))?;
    let read_key = PreparedKey::new(read_key).map_err(|error| fault("the verifying key", &error))?;
    let verified = verify(&read_key, &read_proof).map_err(|refusal| fault("the proof", &refusal))?;
    let verify_time = begin.elapsed();
    out.say(format!("  {} in {}", out.good("accepted"), time(verify_time)));

    out.heading("5. lies: the same proof, slightly changed");
    let mut refusals = Vec::new();
    for lie in lies(vk, &proof, scores) {
        let refusal = match verify(&read_key, &lie.proof) {
            Err(refusal) => refusal.to_string(),
            Ok(_) => return Err(Failure::fault(format!("a lie was accepted: {}", lie.what))),
        };
        out.say(format!("  {}\n    {}: {refusal}", lie.what, out.bad("refused")));
        refusals.push(json!({ "lie": lie.what, "refused_by": refusal }));
    }

    if let Some(dir) = &args.keep {
        let report = serde_json::to_vec_pretty(report)
            .map_err(|error| Failure::fault("the report cannot be written").because(&error))?;
        let images = model.images_file().map_err(fail)?;
        let onnx = format!("{}.onnx", model.name);
        let new = [
            NewFile { name: onnx.as_ref(), bytes: model.onnx, private: false },
            NewFile { name: IMAGES.as_ref(), bytes: &images, private: false },
            NewFile { name: MODEL.as_ref(), bytes: &model_file, private: true },
            NewFile { name: REPORT.as_ref(), bytes: &report, private: false },
            NewFile { name: PROVING_KEY.as_ref(), bytes: &proving_bytes, private: true },
            NewFile { name: VERIFYING_KEY.as_ref(), bytes: &vk_bytes, private: false },
            NewFile { name: ARCHITECTURE.as_ref(), bytes: &architecture_bytes, private: false },
            NewFile { name: PROOF.as_ref(), bytes: &bytes, private: false },
        ];
        write_folder(dir, &new)?;
        out.heading(format!("kept in {}", dir.display()));
        let (vk, proof) = (dir.join(VERIFYING_KEY), dir.join(PROOF));
        out.say(format!("  vouch-verify --key {} --proof {}", vk.display(), proof.display()));
        out.say(format!("  vouch inspect {}", dir.display()));
        let (onnx, images) = (dir.join(&onnx), dir.join(IMAGES));
        out.say(format!("  vouch compile {} --calibration {} --out DIR", onnx.display(), images.display()));
    }
    out.say(format!("\nAll of it took {}.", time(start.elapsed())));
    Ok(json!({
        "command": "demo",
        "model": model.name,
        "index": args.index,
        "label": label,
        "predicted": scores.largest.first(),
        "report": report,
        "model_id": model_id,
        "proving_key_bytes": proving_bytes.len(),
        "verifying_key_bytes": vk_bytes.len(),
        "proof_bytes": bytes.len(),
        "development": vk.development,
        "compile": compile_table,
        "setup": setup_table,
        "prove": prove_table,
        "verify_seconds": verify_time.as_secs_f64(),
        "verified": verified,
        "lies": refusals,
        "outputs": outputs,
        "kept": args.keep,
    }))
}

fn size_of(bytes: &[u8]) -> String {
    size(bytes.len() as u64)
}

/// The outputs that a proof states.
fn stated_outputs(vk: &VerifyingKey, proof: &Proof) -> Vec<TensorValues> {
    let all = vk.publics.iter().enumerate().zip(&proof.publics);
    let publics = all.filter(|((_, public), _)| public.role == Role::Output).map(|((index, _), q)| (index, q));
    publics.filter_map(|(index, q)| TensorValues::of(vk, index, q)).collect()
}

/// The image, if it is square.
fn show_image(model: &ZooModel, index: usize, pixels: &[f32], label: Option<usize>, out: &Output) {
    let width = pixels.len().isqrt();
    let label = label.map_or_else(String::new, |label| format!(", labelled {label} by people"));
    out.say(format!("image {index} of its test images{label}:\n"));
    if width * width == pixels.len() {
        let scaled: Vec<f32> = pixels.iter().map(|pixel| pixel / model.divisor).collect();
        out.say(draw(&scaled, width, out.has_colour()));
    }
}

/// The scores as bars.
fn show_scores(scores: &TensorValues, label: Option<usize>, out: &Output) {
    const WIDTH: f64 = 32.0;
    let largest = scores.largest.first().copied().unwrap_or(0);
    let low = scores.values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = scores.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for (class, &value) in scores.values.iter().enumerate() {
        let length = ((value - low) / (high - low).max(f64::MIN_POSITIVE) * WIDTH).round() as usize;
        let row = format!("  {class:>3} {value:>9.4} {}", "▪".repeat(length));
        let row = row.trim_end();
        out.say(if class == largest { out.bold(row) } else { row.to_string() });
    }
    let verdict = match label {
        Some(label) if label == largest => ", as its label says",
        Some(_) => ", unlike its label: a mistake of the model, proven all the same",
        None => "",
    };
    out.say(format!("  the model says {}{verdict}", largest));
}

/// A changed proof.
struct Lie {
    what: String,
    proof: Proof,
}

/// Proofs that claim something else.
fn lies(vk: &VerifyingKey, proof: &Proof, scores: &TensorValues) -> Vec<Lie> {
    let publics = &vk.publics;
    let largest = scores.largest.first().copied().unwrap_or(0);
    let mut lies = Vec::new();
    if let Some(output) = publics.iter().position(|public| public.role == Role::Output) {
        let mut proof = proof.clone();
        let other = (0..scores.integers.len()).find(|&class| class != largest);
        if let (Some(other), Some(values)) = (other, proof.publics.get_mut(output)) {
            values.swap(largest, other);
            lies.push(Lie { what: format!("\"the model said {}\" (two scores exchanged)", argmax(values)), proof });
        }
    }
    if let Some(input) = publics.iter().position(|public| public.role == Role::Input) {
        let mut proof = proof.clone();
        if let Some(pixel) = proof.publics.get_mut(input).and_then(|values| values.iter_mut().find(|value| **value > 1))
        {
            *pixel -= 1;
            lies.push(Lie { what: "\"the image was another\" (one pixel darker by the least step)".into(), proof });
        }
    }
    let mut changed = proof.clone();
    if changed.x_commitments.len() > 1 {
        changed.x_commitments.swap(0, 1);
        lies.push(Lie { what: "two commitments to inner values exchanged".into(), proof: changed });
    }
    lies
}
