//! Correlation network.
//!
//! What: shows which of several series move together: a tree, a graph, centres, groups.
//! Formula: distance √(2(1-ρ)) of the correlations of returns; least spanning tree; graph of pairs above a threshold.
//! Data: three or more series.
//! Cost: O(n p²) for correlations, O(p³) for the graph.
//! Fails when: rows are few beside series, or correlations change in the span.
//! Source: Mantegna, European Physical Journal B 11 (1999).
//! Not claimed: a cause, or that the groups will last.

use super::graph::{Graph, spanning_tree};
use crate::numeric::{dot, eigh};
use crate::test::engine::{all, number};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;
use serde_json::{Map, Value, json};

/// The handle.
pub struct NetworkAnalysis;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<NetworkAnalysis>();

choices! {
    /// What is correlated.
    pub enum Returns {
        /// Differences of logarithms.
        Log = "log",
        /// Relative changes.
        Simple = "simple",
        /// The columns as they are.
        AsGiven = "none",
    }
}

choices! {
    /// The correlation.
    pub enum Correlation {
        /// Of the values.
        Pearson = "pearson",
        /// Of the ranks.
        Spearman = "spearman",
    }
}

params! {
    /// Parameters of the correlation network.
    pub struct NetworkAnalysisParams {
        /// What is correlated: log returns, simple returns, or the columns as they are (none).
        returns: Returns = Returns::Log;
        /// Correlation of the values (pearson) or of the ranks (spearman).
        method: Correlation = Correlation::Pearson;
        /// Least correlation of an edge.
        threshold: f64 = 0.3, within(-1.0, 1.0);
        /// Whether the size of a correlation counts, whatever its sign; the distance is then √(1-ρ²).
        absolute: bool = false;
        /// Resolution of the communities: larger makes smaller ones.
        resolution: f64 = 1.0, above_up_to(0.0, 100.0);
    }
}

const CARD: Card = Card {
    id: "network_analysis",
    family: "signal_processing",
    title: "Correlation network",
    tasks: &[Task::Clustering],
    inputs: Inputs::Series,
    summary: "Which series move together: the correlations of their returns, the tree that joins all series along the closest pairs, the graph of pairs above a threshold with its centres, and groups.",
    formula: "s = ρ and d = √(2(1-ρ)), or absolute: s = |ρ| and d = √(1-ρ²); tree: Kruskal on d; graph: edges with s ≥ threshold, weight s, length d; degree k/(p-1), eigenvector centrality by weights (length 1), betweenness (Brandes) and closeness (Wasserman & Faust) by lengths; communities by greedy modularity of the positive weights",
    data: "Three or more series of prices (or returns with returns=none), the same rows.",
    cost: "O(n p²) for the correlations, O(p³) for the rest",
    fails_when: "Rows are few beside series (correlations are then mostly noise), a common market factor joins everything, or correlations change in the span.",
    not_claimed: "A cause, a direction, or that groups will last. In a graph of several parts the eigenvector centrality belongs to the strongest one.",
    source: "R. N. Mantegna, European Physical Journal B 11 (1999); U. Brandes, J. Mathematical Sociology 25 (2001); A. Clauset, M. E. J. Newman, C. Moore, Physical Review E 70 (2004)",
    reference: "networkx 3.6.1",
    outputs: &[
        ("names", "the series, in order"),
        ("correlation", "a row a series"),
        ("distance", "a row a series"),
        (
            "largest_eigenvalue_share",
            "share of the variance that the first principal component of the correlations has",
        ),
        (
            "mst_edges",
            "edges of the tree from short to long: source, target, distance, correlation",
        ),
        ("mst_length", "sum of their distances"),
        (
            "edges",
            "edges of the graph: source, target, weight, distance",
        ),
        ("density", "share of all pairs that are edges"),
        ("components", "number of connected parts"),
        ("degree_centrality", "by series"),
        ("eigenvector_centrality", "by series"),
        ("betweenness_centrality", "by series"),
        ("closeness_centrality", "by series"),
        (
            "clustering",
            "share of neighbours of a series that are neighbours themselves, by series",
        ),
        ("average_clustering", "mean of it"),
        (
            "transitivity",
            "three times the triangles over the connected triples",
        ),
        ("communities", "names by group, the largest group first"),
        ("modularity", "of the communities"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "networkx 3.6.1",
        cases: "closes of 5 shares, pearson and spearman, thresholds 0.2 to 0.6",
        tolerance: "1e-9",
    }],
    presets: &[],
    exemptions: &[],
};

/// Ranks from 1, equal values the mean of theirs.
fn ranks(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|a, b| x[*a].total_cmp(&x[*b]));
    let mut out = vec![0.0; x.len()];
    let mut done = 0.0;
    for run in order.chunk_by(|a, b| x[*a] == x[*b]) {
        let count = run.len() as f64;
        run.iter()
            .for_each(|i| out[*i] = done + (count + 1.0) / 2.0);
        done += count;
    }
    out
}

fn returns_of(x: &[f64], name: &str, kind: Returns) -> Result<Vec<f64>, FitError> {
    if kind == Returns::AsGiven {
        return Ok(x.to_vec());
    }
    if let Some(row) = x.iter().position(|v| *v <= 0.0) {
        return Err(FitError::Data(format!(
            "column \"{name}\" row {}: {} is not above 0, so it has no return; use returns=none for columns that are returns already",
            row + 1,
            x[row]
        )));
    }
    let change = |w: &[f64]| match kind {
        Returns::Log => (w[1] / w[0]).ln(),
        _ => w[1] / w[0] - 1.0,
    };
    Ok(x.windows(2).map(change).collect())
}

/// The column less its mean, at length 1.
fn unit(x: &[f64], name: &str) -> Result<Vec<f64>, FitError> {
    let n = x.len() as f64;
    let size = x.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let mean = x.iter().map(|v| v / size).sum::<f64>() / n;
    let mut e: Vec<f64> = x.iter().map(|v| v / size - mean).collect();
    let length = dot(&e, &e).sqrt();
    if !length.is_finite() || length <= 1e-13 * n.sqrt() {
        return Err(FitError::Data(format!(
            "column \"{name}\" does not vary (or too little for doubles), so it has no correlation: leave it out"
        )));
    }
    e.iter_mut().for_each(|v| *v /= length);
    Ok(e)
}

impl Analysis for NetworkAnalysis {
    type Params = NetworkAnalysisParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (3, usize::MAX);

    fn analyse(
        params: &NetworkAnalysisParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let names = data.names();
        let p = names.len();
        let mut units = Vec::new();
        for (x, name) in all(data).iter().zip(names) {
            let r = returns_of(x, name, params.returns)?;
            if r.len() < 3 {
                return Err(FitError::Data(format!(
                    "{} rows are too few for correlations: give at least 4",
                    data.rows()
                )));
            }
            let r = if params.method == Correlation::Spearman {
                ranks(&r)
            } else {
                r
            };
            units.push(unit(&r, name)?);
        }
        let rho = Array2::from_shape_fn((p, p), |(i, j)| {
            if i == j {
                1.0
            } else {
                dot(&units[i], &units[j]).clamp(-1.0, 1.0)
            }
        });
        let near = if params.absolute {
            rho.mapv(f64::abs)
        } else {
            rho.clone()
        };
        let distance = near.mapv(|s| {
            let square = if params.absolute {
                1.0 - s * s
            } else {
                2.0 * (1.0 - s)
            };
            square.max(0.0).sqrt()
        });
        let (values, _) = eigh(rho.clone(), "the correlation network")?;
        let tree = spanning_tree(&distance);
        let kept = |i: usize, j: usize| i != j && near[[i, j]] >= params.threshold;
        let graph = Graph {
            weight: Array2::from_shape_fn(
                (p, p),
                |(i, j)| if kept(i, j) { near[[i, j]] } else { 0.0 },
            ),
            length: Array2::from_shape_fn((p, p), |(i, j)| {
                if kept(i, j) {
                    distance[[i, j]]
                } else {
                    f64::INFINITY
                }
            }),
        };
        // Modularity is of weights that are not negative.
        let positive = Graph {
            weight: graph.weight.mapv(|w| w.max(0.0)),
            length: graph.length.clone(),
        };
        let groups = positive.communities(params.resolution);
        let edges = graph.edges();
        let (_, vectors) = eigh(graph.weight.clone(), "the correlation network")?;
        let mut centre = vectors.row(0).to_vec();
        if centre.iter().sum::<f64>() < 0.0 {
            centre.iter_mut().for_each(|v| *v = -*v);
        }
        if edges == 0 {
            centre.fill(0.0);
        }
        let degree: Vec<f64> = (0..p)
            .map(|i| graph.neighbours(i).len() as f64 / (p as f64 - 1.0))
            .collect();
        let clustering = graph.clustering();
        let by_name = |v: &[f64]| {
            let pairs = names.iter().zip(v);
            Value::Object(
                pairs
                    .map(|(n, v)| (n.clone(), number(*v)))
                    .collect::<Map<_, _>>(),
            )
        };
        let matrix = |m: &Array2<f64>| -> Value {
            m.rows().into_iter().map(|r| numbers(&r.to_vec())).collect()
        };
        let pairs = (0..p).flat_map(|i| (i + 1..p).map(move |j| (i, j)));
        let shown = pairs.filter(|(i, j)| kept(*i, *j)).map(|(i, j)| {
            json!({"source": names[i], "target": names[j], "weight": near[[i, j]], "distance": distance[[i, j]]})
        });
        let branches = tree.iter().map(|(i, j)| {
            json!({"source": names[*i], "target": names[*j], "distance": distance[[*i, *j]], "correlation": rho[[*i, *j]]})
        });
        let members = |g: &Vec<usize>| {
            g.iter()
                .map(|i| Value::from(names[*i].as_str()))
                .collect::<Value>()
        };
        Ok(Outputs::from_iter([
            ("names".into(), Value::from(names.to_vec())),
            ("correlation".into(), matrix(&rho)),
            ("distance".into(), matrix(&distance)),
            (
                "largest_eigenvalue_share".into(),
                number(values[0] / p as f64),
            ),
            ("mst_edges".into(), branches.collect()),
            (
                "mst_length".into(),
                number(tree.iter().map(|at| distance[*at]).sum()),
            ),
            ("edges".into(), shown.collect()),
            (
                "density".into(),
                number(2.0 * edges as f64 / (p * (p - 1)) as f64),
            ),
            ("components".into(), Value::from(graph.components())),
            ("degree_centrality".into(), by_name(&degree)),
            ("eigenvector_centrality".into(), by_name(&centre)),
            (
                "betweenness_centrality".into(),
                by_name(&graph.betweenness()),
            ),
            ("closeness_centrality".into(), by_name(&graph.closeness())),
            ("clustering".into(), by_name(&clustering)),
            (
                "average_clustering".into(),
                number(clustering.iter().sum::<f64>() / p as f64),
            ),
            ("transitivity".into(), number(graph.transitivity())),
            ("communities".into(), groups.iter().map(members).collect()),
            (
                "modularity".into(),
                number(positive.modularity(&groups, params.resolution)),
            ),
        ]))
    }
}
