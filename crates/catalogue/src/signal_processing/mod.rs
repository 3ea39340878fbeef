//! Signal processing and dependence: wavelets, empirical modes, information, causality, networks.

pub mod emd;
pub mod granger_causality;
pub mod mutual_information;
pub mod network_analysis;
pub mod transfer_entropy;
pub mod wavelet_transform;

pub(crate) mod graph;
mod spline;
mod wavelet_filters;
