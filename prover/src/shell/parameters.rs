//! Halo2's parameters with the multi-scalar multiplication of [`crate::commit`] in place of the crate's, which takes twice as long at the
//! sizes that shells have.

use std::io;

use ark_bn254::{Fr, G1Affine};
use ark_ec::CurveGroup;
use halo2_proofs::halo2curves::bn256::{self, Bn256};
use halo2_proofs::poly::commitment::{Blind, CommitmentScheme, Params, ParamsProver, Prover};
use halo2_proofs::poly::kzg::commitment::{KZGCommitmentScheme, ParamsKZG};
use halo2_proofs::poly::kzg::msm::MSMKZG;
use halo2_proofs::poly::kzg::multiopen::ProverSHPLONK;
use halo2_proofs::poly::{Coeff, LagrangeCoeff, Polynomial, ProverQuery};
use halo2_proofs::transcript::{EncodedChallenge, TranscriptWrite};
use rand_core::RngCore;

use super::convert;
use crate::commit::msm;

/// The powers of a reference string, as both libraries have them.
#[derive(Clone, Debug)]
pub struct Parameters {
    halo2: ParamsKZG<Bn256>,
    powers: Vec<G1Affine>,
    /// The crate's own serve where they are not here.
    lagrange: Option<Vec<G1Affine>>,
}

impl Parameters {
    /// From the crate's, and the Lagrange form in it.
    pub fn new(halo2: ParamsKZG<Bn256>, lagrange: Vec<G1Affine>) -> Self {
        Self { lagrange: Some(lagrange), ..Self::without_lagrange(halo2) }
    }

    fn without_lagrange(halo2: ParamsKZG<Bn256>) -> Self {
        let powers = halo2.get_g().iter().map(convert::g1_back).collect();
        Self { halo2, powers, lagrange: None }
    }
}

fn commit(points: &[G1Affine], values: &[bn256::Fr]) -> bn256::G1 {
    let values: Vec<Fr> = values.iter().map(convert::scalar_back).collect();
    convert::g1(&msm(&points[..values.len()], &values).into_affine()).into()
}

impl<'p> Params<'p, bn256::G1Affine> for Parameters {
    type MSM = MSMKZG<Bn256>;

    fn k(&self) -> u32 {
        self.halo2.k()
    }

    fn n(&self) -> u64 {
        self.halo2.n()
    }

    fn downsize(&mut self, k: u32) {
        self.halo2.downsize(k);
        *self = Self::without_lagrange(self.halo2.clone());
    }

    fn empty_msm(&'p self) -> MSMKZG<Bn256> {
        self.halo2.empty_msm()
    }

    fn commit_lagrange(&self, values: &Polynomial<bn256::Fr, LagrangeCoeff>, blind: Blind<bn256::Fr>) -> bn256::G1 {
        match &self.lagrange {
            Some(points) => commit(points, values),
            None => self.halo2.commit_lagrange(values, blind),
        }
    }

    fn write<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.halo2.write(writer)
    }

    fn read<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        Ok(Self::without_lagrange(ParamsKZG::read(reader)?))
    }
}

impl<'p> ParamsProver<'p, bn256::G1Affine> for Parameters {
    type ParamsVerifier = ParamsKZG<Bn256>;

    fn new(k: u32) -> Self {
        Self::without_lagrange(<ParamsKZG<Bn256> as ParamsProver<bn256::G1Affine>>::new(k))
    }

    fn commit(&self, values: &Polynomial<bn256::Fr, Coeff>, _: Blind<bn256::Fr>) -> bn256::G1 {
        commit(&self.powers, values)
    }

    fn get_g(&self) -> &[bn256::G1Affine] {
        self.halo2.get_g()
    }

    fn verifier_params(&'p self) -> &'p ParamsKZG<Bn256> {
        &self.halo2
    }
}

/// KZG over [`Parameters`].
#[derive(Clone, Copy, Debug)]
pub struct Kzg;

impl CommitmentScheme for Kzg {
    type Scalar = bn256::Fr;
    type Curve = bn256::G1Affine;
    type ParamsProver = Parameters;
    type ParamsVerifier = ParamsKZG<Bn256>;

    fn new_params(k: u32) -> Parameters {
        ParamsProver::new(k)
    }

    fn read_params<R: io::Read>(reader: &mut R) -> io::Result<Parameters> {
        Params::read(reader)
    }
}

/// The crate's SHPLONK over [`Parameters`].
#[derive(Debug)]
pub struct Shplonk<'p>(ProverSHPLONK<'p, Bn256>);

impl<'p> Prover<'p, Kzg> for Shplonk<'p> {
    const QUERY_INSTANCE: bool = <ProverSHPLONK<'p, Bn256> as Prover<'p, KZGCommitmentScheme<Bn256>>>::QUERY_INSTANCE;

    fn new(parameters: &'p Parameters) -> Self {
        Self(ProverSHPLONK::new(&parameters.halo2))
    }

    fn create_proof<'c, E, T, R, I>(&self, rng: R, transcript: &mut T, queries: I) -> io::Result<()>
    where
        E: EncodedChallenge<bn256::G1Affine>,
        T: TranscriptWrite<bn256::G1Affine, E>,
        I: IntoIterator<Item = ProverQuery<'c, bn256::G1Affine>> + Clone,
        R: RngCore,
    {
        Prover::<KZGCommitmentScheme<Bn256>>::create_proof(&self.0, rng, transcript, queries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::Field;
    use halo2_proofs::poly::EvaluationDomain;

    #[test]
    fn commitments_are_the_crates() {
        let mut rng = rand::rng();
        let mut srs = crate::commit::Srs::development_with_lagrange(32, &[5], &mut rng);
        let mut parameters = crate::shell::parameters(&mut srs, 5).unwrap();
        let domain = EvaluationDomain::<bn256::Fr>::new(3, 5);
        let mut values: Vec<bn256::Fr> = (2..34u64).map(|i| convert::scalar(&-Fr::from(i).pow([77u64]))).collect();
        values[3] = convert::scalar(&-Fr::ONE);
        values[7] = convert::scalar(&Fr::from(0u64));
        let (lagrange, coefficients) =
            (domain.lagrange_from_vec(values.clone()), domain.coeff_from_vec(values.clone()));
        let none = || Blind(convert::scalar(&Fr::from(0u64)));
        let expected = parameters.halo2.commit_lagrange(&lagrange, none());
        assert_eq!(parameters.commit_lagrange(&lagrange, none()), expected);
        let expected = parameters.halo2.commit(&coefficients, none());
        assert_eq!(ParamsProver::commit(&parameters, &coefficients, none()), expected);

        // Shorter ones, and as they are read from elsewhere.
        parameters.downsize(4);
        let mut file = Vec::new();
        parameters.write(&mut file).unwrap();
        let read = Parameters::read(&mut &file[..]).unwrap();
        let domain = EvaluationDomain::<bn256::Fr>::new(3, 4);
        let lagrange = domain.lagrange_from_vec(values[..16].to_vec());
        let expected = parameters.halo2.commit_lagrange(&lagrange, none());
        assert_eq!([&parameters, &read].map(|p| p.commit_lagrange(&lagrange, none())), [expected; 2]);
        assert_eq!((read.k(), read.n(), read.powers.len()), (4, 16, 16));
    }
}
