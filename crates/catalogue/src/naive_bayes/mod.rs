//! Classifiers that take the columns as independent within a label.

pub mod bernoulli_nb;
pub mod gaussian_nb;
pub mod multinomial_nb;
