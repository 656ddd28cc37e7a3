//! A model with its keys, and both ways to a proof: the cheating prover's and the product's own.

use std::sync::LazyLock;

use ark_bn254::{Fr, G1Affine};
use ark_ec::CurveGroup;
use ark_ff::AdditiveGroup;
use vouch_circuits::argument::key::{CoreKey, CoreProof};
use vouch_circuits::backend::Check;
use vouch_circuits::blinds::blind_base;
use vouch_circuits::ir::*;
use vouch_circuits::layout::{Cuts, Layout, Vector, leaf_bits};
use vouch_circuits::lowering::{Limbs, Lowered, Recipe, Rescale, Style, lower, lower_with};
use vouch_program::Program;
use vouch_prover::commit::{Srs, commit_sparse, random_scalar};
use vouch_prover::shell::record_proof;
use vouch_prover::witness::model_values;
use vouch_verifier::{PreparedCore, Refused, verify_core};

use crate::cheat::Cheat;
use crate::values::{Values, run};

/// The chunk size, as a binary logarithm.
pub const CHUNK_BITS: usize = 6;

/// One reference string for all.
pub static SRS: LazyLock<Srs> = LazyLock::new(|| Srs::development(1 << CHUNK_BITS, &mut rand::rng()));

/// A constraint system with a verifying key whose weights' blinds the prover of these tests knows.
pub struct Scene {
    pub lowered: Lowered,
    pub layout: Layout,
    pub prepared: PreparedCore,
    pub digest: [u8; 32],
    /// Values of model and fixed tensors.
    pub model: Values,
    /// The committed vector `w`.
    pub w: Vec<Fr>,
    pub w_blinds: Vec<Fr>,
}

impl Scene {
    /// A program's, with the whole tree of fractions.
    pub fn new(program: &Program) -> Self {
        Self::lowered(program, lower(program).unwrap(), 0)
    }

    /// A program's, with products and limbs of this width, and the leaves' fractions committed to.
    pub fn joined(program: &Program, limb_bits: u32) -> Self {
        Self::showing(program, Visibility::Public, Style { products: true, limb_bits })
    }

    /// Lowered in this style, with the leaves' fractions committed to if there are products, and all inputs and outputs as visible as this.
    pub fn showing(program: &Program, visibility: Visibility, style: Style) -> Self {
        let lowered = lower_with(program, &|_, _| visibility, style).unwrap();
        let layer = if style.products { leaf_bits(&lowered.system) } else { 0 };
        Self::lowered(program, lowered, layer)
    }

    fn lowered(program: &Program, lowered: Lowered, layer: usize) -> Self {
        let model = model_values(program, &lowered);
        let model = model.iter().map(|t| t.iter().map(|v| Fr::from(*v)).collect()).collect();
        Self::with(lowered, model, layer)
    }

    /// One whose constraints are written by hand.
    pub fn of_system(system: ConstraintSystem, model: Values) -> Self {
        let layer = if system.products.is_empty() { 0 } else { leaf_bits(&system) };
        let (plan, model_nodes, fixed) = Default::default();
        Self::with(Lowered { system, style: Style::TABLES, plan, model: model_nodes, fixed }, model, layer)
    }

    /// The same with the fractions of another layer committed to, or with those of none.
    pub fn cut_at(&self, layer: usize) -> Self {
        Self::with(self.lowered.clone(), self.model.clone(), layer)
    }

    /// With the whole tree of fractions, with commitments to those of a layer in the midst of it, and to the leaves'.
    pub fn cuts(&self) -> [Self; 3] {
        let leaves = self.layout.leaf_bits;
        assert!(leaves > 2);
        [0, leaves / 2, leaves].map(|layer| self.cut_at(layer))
    }

    /// The check that refuses fractions which do not sum to zero.
    pub fn sum_check(&self) -> Option<Check> {
        Some(if self.layout.layer == 0 { Check::LookupSum } else { Check::Batch })
    }

    /// Any public value is in range, so that what stands against a false one is the constraints alone.
    pub fn with(mut lowered: Lowered, model: Values, layer: usize) -> Self {
        for public in lowered.system.publics.iter_mut().filter(|public| public.is_stated()) {
            public.range = (i64::from(i32::MIN), i64::from(i32::MAX));
        }
        let cuts = Cuts { chunk_bits: CHUNK_BITS, layer };
        let layout = Layout::new(&lowered.system, cuts);
        let w = flat(&layout, Vector::W, &model, layout.w_len);
        let w_blinds = randoms(layout.w_chunks());
        let key = CoreKey {
            system: lowered.system.clone(),
            cuts,
            w_commitments: w.chunks(1 << CHUNK_BITS).zip(&w_blinds).map(|(chunk, b)| commit(chunk, b)).collect(),
            tau_g2: SRS.tau_g2,
        };
        let digest = key.digest();
        let prepared = PreparedCore::new(key, digest).unwrap();
        Self { lowered, layout, prepared, digest, model, w, w_blinds }
    }

    pub fn system(&self) -> &ConstraintSystem {
        &self.lowered.system
    }

    /// How wide values are cut.
    pub fn limbs(&self) -> Vec<&Limbs> {
        let plan = self.lowered.plan.iter();
        plan.filter_map(|recipe| if let Recipe::Limbs(limbs) = recipe { Some(limbs) } else { None }).collect()
    }

    /// The tensor with this name.
    pub fn tensor(&self, name: &str) -> TensorId {
        let position = self.system().tensors.iter().position(|t| t.name == name);
        TensorId(position.unwrap_or_else(|| panic!("no tensor {name:?}")) as u32)
    }

    /// The multiplicities of the table with this name.
    pub fn multiplicity(&self, table: &str) -> TensorId {
        self.tensor(&format!("multiplicities of {table}"))
    }

    /// The rescale whose result is `out`.
    pub fn rescale(&self, out: TensorId) -> Rescale {
        let found = self.lowered.plan.iter().find_map(|recipe| match recipe {
            Recipe::Rescale(rescale) if rescale.out == out => Some(rescale.clone()),
            _ => None,
        });
        found.expect("a rescale writes it")
    }

    /// The truth.
    pub fn honest(&self, inputs: &[Vec<i64>]) -> Values {
        run(&self.lowered, &self.model, inputs, &mut |_, _| ())
    }

    /// What follows from a lie told right after `tensor` was written.
    pub fn lied(&self, inputs: &[Vec<i64>], tensor: TensorId, lie: impl Fn(&mut Values)) -> Values {
        let mut told = false;
        let values = run(&self.lowered, &self.model, inputs, &mut |done, values| {
            if done == tensor {
                lie(values);
                told = true;
            }
        });
        assert!(told, "the plan writes {tensor:?}");
        values
    }

    /// What the verifier makes of a proof.
    pub fn verify(&self, proof: &CoreProof) -> Result<(), Refused> {
        let outcome = verify_core(&self.prepared, proof).map(|_| ());
        // The circuit's verifier says the same, and some row of it does not hold exactly if it fails a check. (The group equation is
        // no circuit's; what is refused before the argument never reaches it.)
        let failure = match &outcome {
            Ok(()) | Err(Refused::Check(Check::Pairing)) => None,
            Err(Refused::Check(check)) => Some(*check),
            Err(_) => return outcome,
        };
        let run = record_proof(self.system(), &self.layout, proof);
        assert_eq!(run.failure, failure, "the circuit's run against the native one");
        if failure != Some(Check::Shape) {
            assert_eq!(run.rows.iter().all(|row| row.holds(&run.values)), failure.is_none());
        }
        outcome
    }

    /// The check that refuses values which are proven as well as can be; none if they are accepted.
    pub fn refusal(&self, values: &Values) -> Option<Check> {
        self.refusal_of(&Cheat::new(self, values))
    }

    /// The check that refuses a prover; none if it is believed.
    pub fn refusal_of(&self, cheat: &Cheat) -> Option<Check> {
        match self.verify(&cheat.prove()) {
            Ok(()) => None,
            Err(Refused::Check(check)) => Some(check),
            Err(other) => panic!("refused before the argument: {other}"),
        }
    }

    /// That the truth is accepted along the way on which the lies are told.
    pub fn assert_accepts(&self, values: &Values) {
        assert_eq!(self.verify(&Cheat::new(self, values).prove()), Ok(()));
    }
}

/// The flat vector of the tensors that lie in it.
pub fn flat(layout: &Layout, vector: Vector, values: &Values, len: usize) -> Vec<Fr> {
    let mut flat = vec![Fr::ZERO; len];
    for ((lies_in, block), values) in layout.blocks.iter().zip(values) {
        if *lies_in == vector {
            flat[block.range()].copy_from_slice(values);
        }
    }
    flat
}

/// A chunk's commitment.
pub fn commit(chunk: &[Fr], blind: &Fr) -> G1Affine {
    let entries: Vec<(usize, Fr)> = chunk.iter().copied().enumerate().filter(|(_, v)| *v != Fr::ZERO).collect();
    (commit_sparse(&SRS.powers, &entries) + blind_base() * blind).into_affine()
}

pub fn randoms(count: usize) -> Vec<Fr> {
    (0..count).map(|_| random_scalar(&mut rand::rng())).collect()
}
