//! Where a call's gas goes; docs/GAS.md has it as a table.

use std::collections::BTreeMap;

use revm::context::result::ExecutionResult;
use revm::inspector::Inspector;
use revm::interpreter::interpreter_types::Jumps;
use revm::interpreter::{CallInputs, CallOutcome, Interpreter};
use vouch_circuits::ir::Visibility;
use vouch_circuits::shell::Columns;
use vouch_circuits::shell::shape::product_columns;
use vouch_evm::Arguments;
use vouch_prover::SetupOptions;

use crate::{DIGITS, Deployed, committed, in_columns, shown};

const KECCAK256: u8 = 0x20;

/// Counts calls of precompiled contracts and their gas, by address, and the gas of hashing.
#[derive(Default)]
pub struct Meter {
    precompiled: BTreeMap<u8, (u64, u64)>,
    hashing: u64,
    /// The operation that is being done, and the gas before it.
    doing: (u8, u64),
}

impl<CTX> Inspector<CTX> for Meter {
    fn step(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        self.doing = (interpreter.bytecode.opcode(), interpreter.gas.remaining());
    }

    fn step_end(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        let (operation, before) = self.doing;
        if operation == KECCAK256 {
            self.hashing += before - interpreter.gas.remaining();
        }
    }

    fn call_end(&mut self, _: &mut CTX, inputs: &CallInputs, outcome: &mut CallOutcome) {
        let address = inputs.bytecode_address;
        if address[..19].iter().all(|byte| *byte == 0) {
            let (calls, gas) = self.precompiled.entry(address[19]).or_default();
            *calls += 1;
            *gas += outcome.gas().total_gas_spent();
        }
    }
}

#[test]
fn gas_goes_where_the_table_says() {
    let others = [
        Deployed::new("digits8x8_mlp", in_columns(Columns::alone(1)), None),
        Deployed::new("mnist_mlp", SetupOptions::default(), None),
        Deployed::new("mnist_lenet5", committed("input"), None),
        Deployed::new("mnist_mlp", shown("input", Visibility::Hashed), None),
        // More commitments in the key than 10^8 weights have in chunks of 2^20.
        Deployed::new("mnist_mlp", SetupOptions { chunk_bits: Some(10), ..shown("input", Visibility::Hashed) }, None),
    ];
    println!(
        "| | multiplications | additions | pairing | exponentiation | hashing | calldata | base | all else | all |"
    );
    for deployed in DIGITS.iter().chain(&others) {
        let data =
            Arguments::of(&deployed.proof).unwrap().require_valid(deployed.key_address, deployed.prepared.model_id());
        let calldata: u64 = data.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum();
        let (result, meter) = deployed.chain.inspect(deployed.verifier, data, Meter::default());
        let ExecutionResult::Success { gas, .. } = result else { panic!("an honest proof") };
        let of = |address| meter.precompiled.get(&address).copied().unwrap_or_default();
        let [(_, exponentiation), (additions, adding), (multiplications, multiplying), (pairings, pairing)] =
            [5, 6, 7, 8].map(of);
        // What is left: reading the key, and arithmetic.
        let parts = [multiplying, adding, pairing, exponentiation, meter.hashing, calldata, 21_000];
        let rest = gas.tx_gas_used() - parts.iter().sum::<u64>();
        let shown: Vec<String> = parts.iter().chain([&rest, &gas.tx_gas_used()]).map(u64::to_string).collect();
        let weights = deployed.key.verifying_key.w_commitments.len();
        println!("| {}, {weights} for weights | {multiplications}: {} |", deployed.name, shown.join(" | "));

        // One for each commitment and each point, and three: W, W' on both sides, [1], B.
        let key = &deployed.key.verifying_key;
        let columns = key.shell.columns;
        let chunks = key.x_chunks + key.y_chunks + key.w_commitments.len();
        let of_proof = columns.of_advice() + product_columns(columns.lanes) + columns.of_quotient() + 2;
        let shell = columns.of_key() + of_proof + usize::from(columns.have_random());
        assert_eq!(multiplications as usize, shell + chunks + 3 + 2 + 2, "{}", deployed.name);
        assert_eq!((additions, pairings), (multiplications, 1));
    }
}
