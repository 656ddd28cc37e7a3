//! Each operator: its constraints and its proof against the executor, on random programs and at the edges.

mod build;
mod determinism;
mod edges;
mod generate;
mod harness;
mod random;
mod sizes;
mod wiring;
