//! Measures of small undirected weighted graphs, as networkx defines them.

use ndarray::Array2;

/// An undirected graph without loops: adjacency with the weight (nearness) and the length of each edge.
pub(crate) struct Graph {
    /// Weight of an edge, 0 where there is none.
    pub(crate) weight: Array2<f64>,
    /// Length of an edge, infinite where there is none.
    pub(crate) length: Array2<f64>,
}

impl Graph {
    /// Number of nodes.
    pub(crate) fn nodes(&self) -> usize {
        self.weight.nrows()
    }

    fn edge(&self, i: usize, j: usize) -> bool {
        i != j && self.length[[i, j]].is_finite()
    }

    /// Neighbours of a node, in order.
    pub(crate) fn neighbours(&self, i: usize) -> Vec<usize> {
        (0..self.nodes()).filter(|j| self.edge(i, *j)).collect()
    }

    /// Number of edges.
    pub(crate) fn edges(&self) -> usize {
        (0..self.nodes())
            .map(|i| self.neighbours(i).len())
            .sum::<usize>()
            / 2
    }

    /// Share of pairs of neighbours that are neighbours themselves, one a node; 0 with fewer than two.
    pub(crate) fn clustering(&self) -> Vec<f64> {
        (0..self.nodes())
            .map(|i| {
                let near = self.neighbours(i);
                let (k, t) = (near.len() as f64, self.triangles(&near));
                if near.len() < 2 {
                    0.0
                } else {
                    2.0 * t / (k * (k - 1.0))
                }
            })
            .collect()
    }

    fn triangles(&self, near: &[usize]) -> f64 {
        let pairs = near
            .iter()
            .enumerate()
            .flat_map(|(at, a)| near[at + 1..].iter().map(move |b| (*a, *b)));
        pairs.filter(|(a, b)| self.edge(*a, *b)).count() as f64
    }

    /// Three times the triangles over the connected triples; 0 without a triple.
    pub(crate) fn transitivity(&self) -> f64 {
        let (mut closed, mut triples) = (0.0, 0.0);
        for i in 0..self.nodes() {
            let near = self.neighbours(i);
            closed += self.triangles(&near);
            triples += (near.len() * near.len().saturating_sub(1)) as f64 / 2.0;
        }
        if triples == 0.0 {
            0.0
        } else {
            closed / triples
        }
    }

    /// Shortest ways from one node (Dijkstra): nodes in the order in which they were reached, lengths,
    /// numbers of shortest ways, and the nodes before each on them.
    fn shortest(&self, from: usize) -> (Vec<usize>, Vec<f64>, Vec<f64>, Vec<Vec<usize>>) {
        let n = self.nodes();
        let (mut order, mut settled) = (Vec::new(), vec![false; n]);
        let (mut length, mut ways) = (vec![f64::INFINITY; n], vec![0.0; n]);
        let mut before = vec![Vec::new(); n];
        length[from] = 0.0;
        ways[from] = 1.0;
        loop {
            let open = (0..n).filter(|i| !settled[*i] && length[*i].is_finite());
            let Some(at) = open.min_by(|a, b| length[*a].total_cmp(&length[*b])) else {
                return (order, length, ways, before);
            };
            settled[at] = true;
            order.push(at);
            for to in self.neighbours(at) {
                let through = length[at] + self.length[[at, to]];
                if settled[to] {
                    continue;
                }
                if through < length[to] {
                    length[to] = through;
                    ways[to] = ways[at];
                    before[to] = vec![at];
                } else if through == length[to] {
                    ways[to] += ways[at];
                    before[to].push(at);
                }
            }
        }
    }

    /// Share of shortest ways between other nodes that lead through each node (Brandes, 2001).
    pub(crate) fn betweenness(&self) -> Vec<f64> {
        let n = self.nodes();
        let mut sums = vec![0.0; n];
        for from in 0..n {
            let (order, _, ways, before) = self.shortest(from);
            let mut share = vec![0.0; n];
            for at in order.iter().rev() {
                for b in &before[*at] {
                    share[*b] += ways[*b] / ways[*at] * (1.0 + share[*at]);
                }
                if *at != from {
                    sums[*at] += share[*at];
                }
            }
        }
        if n > 2 {
            let pairs = ((n - 1) * (n - 2)) as f64;
            sums.iter_mut().for_each(|s| *s /= pairs);
        }
        sums
    }

    /// Reached nodes over the sum of their distances, times the share of nodes reached (Wasserman & Faust).
    pub(crate) fn closeness(&self) -> Vec<f64> {
        let n = self.nodes();
        (0..n)
            .map(|from| {
                let (order, length, _, _) = self.shortest(from);
                let total: f64 = order.iter().map(|i| length[*i]).sum();
                let reached = order.len() as f64 - 1.0;
                if total > 0.0 {
                    reached / total * reached / (n as f64 - 1.0)
                } else {
                    0.0
                }
            })
            .collect()
    }

    /// Number of connected parts.
    pub(crate) fn components(&self) -> usize {
        let mut seen = vec![false; self.nodes()];
        let mut count = 0;
        for start in 0..self.nodes() {
            if seen[start] {
                continue;
            }
            count += 1;
            for i in self.shortest(start).0 {
                seen[i] = true;
            }
        }
        count
    }

    /// Modularity of a grouping, by weights.
    pub(crate) fn modularity(&self, groups: &[Vec<usize>], resolution: f64) -> f64 {
        let total = self.weight.sum();
        if total <= 0.0 {
            return 0.0;
        }
        let each = groups.iter().map(|group| {
            let inside: f64 = group
                .iter()
                .flat_map(|i| group.iter().map(|j| self.weight[[*i, *j]]))
                .sum();
            let degree: f64 = group.iter().map(|i| self.weight.row(*i).sum()).sum();
            inside / total - resolution * (degree / total) * (degree / total)
        });
        each.sum()
    }

    /// Groups found by joining the pair that raises the modularity most, until none raises it (Clauset,
    /// Newman & Moore, 2004); the largest group first, members in order.
    pub(crate) fn communities(&self, resolution: f64) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = (0..self.nodes()).map(|i| vec![i]).collect();
        let total = self.weight.sum();
        if total > 0.0 {
            // Shares of the weight between groups, and of the ends in each.
            let mut between = &self.weight / total;
            let mut ends: Vec<f64> = between.rows().into_iter().map(|r| r.sum()).collect();
            let mut alive: Vec<usize> = (0..groups.len()).collect();
            loop {
                let mut best: Option<(f64, usize, usize)> = None;
                for (at, i) in alive.iter().enumerate() {
                    for j in &alive[at + 1..] {
                        if between[[*i, *j]] <= 0.0 {
                            continue;
                        }
                        let gain = 2.0 * (between[[*i, *j]] - resolution * ends[*i] * ends[*j]);
                        if best.is_none_or(|(g, _, _)| gain > g) {
                            best = Some((gain, *i, *j));
                        }
                    }
                }
                let Some((_, i, j)) = best.filter(|(gain, _, _)| *gain >= 0.0) else {
                    break;
                };
                let moved = std::mem::take(&mut groups[j]);
                groups[i].extend(moved);
                for k in 0..ends.len() {
                    let more = between[[j, k]];
                    between[[i, k]] += more;
                    between[[k, i]] += more;
                }
                ends[i] += ends[j];
                alive.retain(|k| *k != j);
            }
        }
        groups.retain(|g| !g.is_empty());
        groups.iter_mut().for_each(|g| g.sort_unstable());
        groups.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        groups
    }
}

/// The tree of least total length that joins all nodes (Kruskal, 1956): edges by length.
pub(crate) fn spanning_tree(length: &Array2<f64>) -> Vec<(usize, usize)> {
    let n = length.nrows();
    let mut edges: Vec<(usize, usize)> = (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .collect();
    edges.sort_by(|a, b| length[*a].total_cmp(&length[*b]).then(a.cmp(b)));
    let mut part: Vec<usize> = (0..n).collect();
    edges.retain(|(i, j)| {
        let (a, b) = (part[*i], part[*j]);
        if a == b {
            return false;
        }
        part.iter_mut().filter(|p| **p == b).for_each(|p| *p = a);
        true
    });
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    /// networkx 3.6.1 on the path 0-1-2-3 with the edge 1-3 and a lone node 4, lengths 1, 2, 2, 1,
    /// weights 4, 1, 1, 2.
    #[test]
    fn a_small_graph_measures_as_networkx_says() {
        let mut graph = Graph {
            weight: Array2::zeros((5, 5)),
            length: Array2::from_elem((5, 5), f64::INFINITY),
        };
        for (i, j, length, weight) in [
            (0, 1, 1.0, 4.0),
            (1, 2, 2.0, 1.0),
            (2, 3, 2.0, 1.0),
            (1, 3, 1.0, 2.0),
        ] {
            for at in [[i, j], [j, i]] {
                graph.length[at] = length;
                graph.weight[at] = weight;
            }
        }
        assert_eq!((graph.edges(), graph.components()), (4, 2));
        assert_near(
            &graph.clustering(),
            &[0.0, 0.3333333333333333, 1.0, 1.0, 0.0],
            1e-14,
        );
        assert_near(&[graph.transitivity()], &[0.6], 1e-14);
        assert_near(
            &graph.betweenness(),
            &[0.0, 0.3333333333333333, 0.0, 0.0, 0.0],
            1e-14,
        );
        assert_near(
            &graph.closeness(),
            &[0.375, 0.5625, 0.3214285714285714, 0.44999999999999996, 0.0],
            1e-14,
        );
        let groups = graph.communities(1.0);
        assert_eq!(groups, [vec![0, 1], vec![2, 3], vec![4]]);
        assert_near(&[graph.modularity(&groups, 1.0)], &[0.0546875], 1e-14);
    }
}
