//! Time-series models: forecasts of a series from its own past.
