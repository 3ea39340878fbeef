//! Tests of the engine from outside, over real bars.

mod bars;
mod conformance;
mod invariants;
mod naive;
mod orders;
mod strategies;
