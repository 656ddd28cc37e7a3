//! The check of a shell proof: Halo2's own verifier.

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use halo2_proofs::halo2curves::bn256::{self, Bn256};
use halo2_proofs::plonk::{VerifyingKey, verify_proof};
use halo2_proofs::poly::kzg::commitment::{KZGCommitmentScheme, ParamsKZG};
use halo2_proofs::poly::kzg::multiopen::VerifierSHPLONK;
use halo2_proofs::poly::kzg::strategy::SingleStrategy;
use halo2_proofs::transcript::TranscriptReadBuffer;
use rand_core::OsRng;
use vouch_circuits::shell::keccak::{Challenge, End};
use vouch_circuits::shell::{ShellKey, convert};

/// A shell's verifying key with what follows from it for every proof.
#[derive(Clone, Debug)]
pub struct PreparedShell {
    params: ParamsKZG<Bn256>,
    key: VerifyingKey<bn256::G1Affine>,
    max_instances: usize,
}

impl PreparedShell {
    /// From a well-formed key and the reference string's `[τ]_2`.
    pub fn new(key: &ShellKey, tau_g2: G2Affine) -> Self {
        // The crate makes parameters from parts only with the help of others. Checking uses no power but the first.
        let maker = ParamsKZG::<Bn256>::setup(1, OsRng);
        let [g2, tau_g2] = [&G2Affine::generator(), &tau_g2].map(convert::g2);
        let one = convert::g1(&G1Affine::generator());
        let params = maker.from_parts(key.k, vec![one], Some(Vec::new()), g2, tau_g2);
        let max_instances = 1 << key.k;
        Self { params, key: key.to_halo2(), max_instances }
    }

    /// The crate's digest of the key, with which the proof's transcript begins.
    pub fn digest(&self) -> Fr {
        convert::scalar_back(&self.key.transcript_repr())
    }

    /// Whether `proof` shows a run of the core's verifier that accepts, with these public values.
    pub fn accepts(&self, instances: &[Fr], proof: &[u8]) -> bool {
        if instances.len() > self.max_instances {
            return false;
        }
        let instances: Vec<bn256::Fr> = instances.iter().map(convert::scalar).collect();
        let mut rest = proof;
        let accepted = {
            let mut transcript = End::<&mut &[u8]>::init(&mut rest);
            verify_proof::<KZGCommitmentScheme<Bn256>, VerifierSHPLONK<Bn256>, Challenge, _, _>(
                &self.params,
                &self.key,
                SingleStrategy::new(&self.params),
                &[&[&instances]],
                &mut transcript,
            )
            .is_ok()
        };
        // The crate does not look at what follows a proof.
        accepted && rest.is_empty()
    }
}
