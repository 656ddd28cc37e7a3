//! What a user waits for: setup, prove (by stage) and verify, with peak memory, for the sample models and for a multilayer perceptron of
//! a million parameters (784-1024-256-10, random weights: only its shape matters for speed); of the smallest sixteen inferences in one proof, too. With
//! keys that `vouch setup --prefer prover` makes, too, for three of them. First, how the shell grows with depth (`shapes`),
//! and what its circuit costs with more lanes, and with fewer columns to a commitment (`lanes`).
//!
//! Each model runs in a process of its own, so that the peak memory is its own. Figures are medians, of fewer runs where one takes long.
//! `cargo bench -p vouch-prover --bench prove [-- MODEL …]`, or `-- FILE.onnx DATA [AXIS=LENGTH …]` for any other.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use vouch_circuits::layout::Layout;
use vouch_circuits::shell::shape::PACKED;
use vouch_circuits::shell::{Shape, record_shape};
use vouch_models::{Calibration, CompileOptions, Fixed, Model};
use vouch_program::{AffineTerm, AxisIndex, Func, Node, NodeId, Op, Port, Program, View, batched};
use vouch_prover::commit::Srs;
use vouch_prover::{Needs, Prefer, ProvingKey, SetupOptions, constraints_of, prove, setup};
use vouch_verifier::{PreparedKey, verify};

const RUNS: usize = 5;
/// No further run begins after this.
const LONG: Duration = Duration::from_secs(40);
const MILLION: &str = "mlp-1M";
/// Sixteen inferences in one proof.
const SIXTEEN: &str = "digits8x8_mlp x16";
/// Models with keys as `vouch setup --prefer prover` makes them, and how their names end.
const FAST: [&str; 3] = ["digits8x8_mlp --prefer prover", "mnist_lenet5 --prefer prover", "mlp-1M --prefer prover"];
const FOR_SPEED: &str = " --prefer prover";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [flag, name] = &arguments[..]
        && flag == "--one"
    {
        let (model, prefer) =
            name.strip_suffix(FOR_SPEED).map_or((name.as_str(), Prefer::default()), |model| (model, Prefer::Prover));
        let work = match model {
            MILLION => million(),
            SIXTEEN => sixteen(),
            model => sample(model),
        };
        return measure(name, work, &SetupOptions { prefer, ..SetupOptions::default() });
    }
    if let [model, data, rest @ ..] = &arguments[..]
        && model.ends_with(".onnx")
    {
        return measure(model, file(model, data, rest), &SetupOptions::default());
    }
    let all = vouch_models::zoo::entries().iter().map(|m| m.name).chain([SIXTEEN, MILLION]).chain(FAST);
    let wanted = all.filter(|name| arguments.is_empty() || arguments.iter().any(|a| a == name));
    println!("medians of {RUNS} runs on {} threads; milliseconds\n", rayon::current_num_threads());
    if arguments.is_empty() || arguments.iter().any(|a| a == "shapes") {
        shapes();
    }
    if arguments.is_empty() || arguments.iter().any(|a| a == "lanes") {
        lanes();
    }
    for name in wanted {
        let own = std::env::current_exe().expect("a running program has a path");
        let status = Command::new(own).args(["--one", name]).status().expect("the benchmark can start itself");
        assert!(status.success(), "{name} failed");
    }
}

fn measure(name: &str, (program, inputs): (Program, Vec<Vec<i64>>), options: &SetupOptions) {
    let needs = Needs::of(&program, options).expect("the model lowers");
    let parameters = program.parameters();
    let srs = Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng());
    let start = Instant::now();
    let key: ProvingKey = setup(program, options, srs, [7; 32], &mut |_| {}).expect("setup succeeds");
    let setup_time = start.elapsed();
    let prepared = PreparedKey::new(key.verifying_key.clone()).expect("a key that was just made is well formed");

    let mut stages: BTreeMap<usize, (&'static str, Vec<Duration>)> = BTreeMap::new();
    let (mut proving, mut verifying, mut size) = (Vec::new(), Vec::new(), (0, 0, 0));
    let started = Instant::now();
    while proving.len() < RUNS && started.elapsed() < LONG {
        let mut marks = Vec::new();
        let proof = prove(&key, &inputs, None, &mut |stage| marks.push((stage, Instant::now())))
            .expect("the input is provable");
        let end = Instant::now();
        for (i, (stage, begin)) in marks.iter().enumerate() {
            let until = marks.get(i + 1).map_or(end, |next| next.1);
            stages.entry(i).or_insert_with(|| (stage, Vec::new())).1.push(until - *begin);
        }
        proving.push(end - marks[0].1);
        let start = Instant::now();
        verify(&prepared, &proof).expect("an honest proof verifies");
        verifying.push(start.elapsed());
        let publics: usize = proof.publics.iter().map(|values| 8 * values.len()).sum();
        size = (proof.to_bytes().len(), proof.shell.len(), publics);
    }
    let shape = &key.shell.shape;
    println!(
        "{name}: {parameters} parameters, chunks of 2^{}, fractions of layer {}; shell: {} permutations, {} rows, k = {}",
        needs.cuts.chunk_bits, needs.cuts.layer, shape.permutations, shape.rows, shape.k
    );
    println!("  setup {:9.1}   (without the structured reference string)", millis(setup_time));
    println!("  prove {:9.1}   median of {}", millis(median(&mut proving)), proving.len());
    for (stage, times) in stages.values_mut() {
        println!("    {stage:<14}{:9.1}", millis(median(times)));
    }
    println!(
        "  verify {:8.1}   proof {:.1} KB, of which {} B are the shell's and {} B public values   peak memory {}\n",
        millis(median(&mut verifying)),
        size.0 as f64 / 1e3,
        size.1,
        size.2,
        peak()
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|v| v.trim().split(' ').next()?.parse::<u64>().ok());
    peak.map_or_else(|| "unknown".into(), |kb| format!("{} MB", kb / 1000))
}

fn sample(name: &str) -> (Program, Vec<Vec<i64>>) {
    let model = vouch_models::zoo::find(name).expect("a sample model has this name");
    let program = model.compile(&mut |_| {}).expect("sample models compile").program;
    let first = model.samples().expect("sample data is bundled").swap_remove(0);
    let inputs = vouch_models::quantize_all(&program, &first).expect("sample data is in range");
    (program, inputs)
}

/// Sixteen digits.
fn sixteen() -> (Program, Vec<Vec<i64>>) {
    let (name, count) = SIXTEEN.split_once(" x").expect("a name and a number");
    let count = count.parse().expect("a number");
    let (program, _) = sample(name);
    let samples = vouch_models::zoo::find(name).expect("a sample model has this name").samples();
    let inputs = samples.expect("sample data is bundled").into_iter().take(count).flat_map(|sample| {
        vouch_models::quantize_all(&program, &sample).expect("sample data is in range").swap_remove(0)
    });
    (batched(&program, count).expect("there is such a batch"), vec![inputs.collect()])
}

/// A model from a file, calibrated on data from another, of which it runs the first sample.
fn file(model: &str, data: &str, dimensions: &[String]) -> (Program, Vec<Vec<i64>>) {
    let open = dimensions.iter().map(|text| {
        let (name, length) = text.split_once('=').expect("what follows are lengths of open axes, NAME=LENGTH");
        (name, length.parse().expect("a length is a number"))
    });
    let model = Model::from_path_with(model, &Fixed::lengths(open)).unwrap_or_else(|error| panic!("{error}"));
    let data = Calibration::from_path(data).unwrap_or_else(|error| panic!("{error}"));
    let first = data.samples(model.inputs()).unwrap_or_else(|error| panic!("{error}")).swap_remove(0);
    let compiled = model.compile(&data, &CompileOptions::default(), &mut |_| {});
    let program = compiled.unwrap_or_else(|error| panic!("{error}")).program;
    let inputs = vouch_models::quantize_all(&program, &first).expect("calibration data is in range");
    (program, inputs)
}

/// What the shell takes for perceptrons of more and more layers of 32.
fn shapes() {
    println!("perceptrons of layers 32 wide: the shell's permutations, rows, k");
    for layers in [2, 20, 200] {
        let (program, _) = perceptron(&vec![32; layers + 1]);
        let (lowered, cuts) = constraints_of(&program).expect("it lowers");
        let shape = Shape::of(&record_shape(&lowered.system, &Layout::new(&lowered.system, cuts)), 1);
        println!("  {layers:3} layers: {} {} {}", shape.permutations, shape.rows, shape.k);
    }
    println!();
}

/// The shell of the smallest and of the largest sample model in one, two and four lanes, with one column to a commitment and with four.
fn lanes() {
    println!("lanes and columns to a commitment: the shell's k, milliseconds, and bytes of its proof");
    for name in ["digits8x8_mlp", "mnist_lenet5"] {
        let (program, inputs) = sample(name);
        for (lanes, packing) in [(1, 1), (1, PACKED), (2, 1), (2, PACKED), (4, 1), (4, PACKED)] {
            let options = SetupOptions { lanes: Some(lanes), packing: Some(packing), ..SetupOptions::default() };
            let needs = Needs::of(&program, &options).expect("the model lowers");
            let srs = Srs::development_with_lagrange(needs.powers(), &[needs.k], &mut rand::rng());
            let key = setup(program.clone(), &options, srs, [7; 32], &mut |_| {}).expect("setup succeeds");
            let mut times = Vec::new();
            let mut bytes = 0;
            for _ in 0..RUNS {
                let mut last = Instant::now();
                let proof = prove(&key, &inputs, None, &mut |_| last = Instant::now()).expect("the input is provable");
                times.push(last.elapsed());
                bytes = proof.shell.len();
            }
            println!("  {name:<14} {lanes} {packing}: {:2} {:8.1} {bytes}", needs.k, millis(median(&mut times)));
        }
    }
    println!();
}

/// Of a million parameters, in the usual sizes.
fn million() -> (Program, Vec<Vec<i64>>) {
    let (program, inputs) = perceptron(&[784, 1024, 256, 10]);
    (Program { name: MILLION.into(), ..program }, inputs)
}

/// A multilayer perceptron with pseudo-random weights.
fn perceptron(widths: &[usize]) -> (Program, Vec<Vec<i64>>) {
    let mut state = 1u64;
    let mut random = move |bound: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as i64) % (2 * bound) - bound
    };
    let mut nodes = Vec::new();
    let mut push = |op: Op, shape: Vec<usize>| {
        nodes.push(Node { op, shape, frac: 12, source: "synthetic".into() });
        NodeId(nodes.len() as u32 - 1)
    };
    let input = push(Op::Input { bits: 16 }, vec![widths[0]]);
    let mut last = input;
    for (layer, pair) in widths.windows(2).enumerate() {
        let (from, to) = (pair[0], pair[1]);
        let weights =
            push(Op::Weight { data: (0..from * to).map(|_| random(1 << 10) as i32).collect() }, vec![to, from]);
        let bias = push(Op::Weight { data: (0..to).map(|_| random(1 << 20) as i32).collect() }, vec![to]);
        let lhs = View::of_vars(weights, &[0, 1]);
        let rhs = Some(View { node: last, axes: vec![AxisIndex::var(1)] });
        let product = push(Op::Contract { vars: vec![to, from], lhs, rhs }, vec![to]);
        let terms = [product, bias].map(|node| AffineTerm::Scaled { coef: 1, view: View::identity(node, 1) }).to_vec();
        let sum = push(Op::Affine { terms }, vec![to]);
        let func = if layer + 2 == widths.len() { Func::Identity } else { Func::Relu };
        last = push(Op::Apply { input: sum, shift: 14, func, bits: 16, saturate: true }, vec![to]);
    }
    let port = |name: &str, node, len| Port {
        name: name.into(),
        node,
        shape: vec![1, len],
        integer: false,
        column_fracs: vec![],
    };
    let outputs = vec![port("output", last, widths[widths.len() - 1])];
    let inputs = vec![port("input", input, widths[0])];
    let values = (0..widths[0]).map(|_| random(1 << 12)).collect();
    (Program { name: "perceptron".into(), nodes, tables: Vec::new(), inputs, outputs, batch: 1 }, vec![values])
}
