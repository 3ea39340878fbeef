//! Tests of the engine from outside, over real bars.

mod bars;
mod invariants;
mod naive;
mod orders;
