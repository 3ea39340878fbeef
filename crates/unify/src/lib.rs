//! No code: its manifest is one set of dependency features for every selection of packages, so
//! that the large dependencies are compiled once.
