//! LightGBM's text model file (version v4 written, v3 and v4 read).
//!
//! The program keeps no start: it is part of the leaves of the first tree of each sum.

use super::boost::Boosted;
use super::histogram::{Node, Tree};
use super::linear_leaves::LinearLeaf;
use super::objective::Objective;
use mltrainer_catalogue_core::FitError;
use std::collections::BTreeMap;
use std::fmt::Write as _;

fn bad(what: &str) -> FitError {
    FitError::Data(format!("the LightGBM model: {what}"))
}

fn joined<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = values.into_iter().map(|v| v.to_string()).collect();
    words.join(" ")
}

/// The model file.
///
/// # Errors
/// [`FitError::Failed`] for categories that the format cannot hold.
pub(crate) fn write(boosted: &Boosted, columns: usize) -> Result<String, FitError> {
    let width = boosted.start.len();
    let objective = match boosted.objective {
        Objective::Absolute => "regression_l1".to_owned(),
        Objective::Huber(_) => "huber".to_owned(),
        Objective::Fair(_) => "fair".to_owned(),
        Objective::Quantile(_) => "quantile".to_owned(),
        Objective::Mape => "mape".to_owned(),
        Objective::Poisson(_) => "poisson".to_owned(),
        Objective::Gamma => "gamma".to_owned(),
        Objective::Tweedie(_) => "tweedie".to_owned(),
        Objective::Logistic => "binary sigmoid:1".to_owned(),
        Objective::Softmax(_) => format!("multiclass num_class:{width}"),
        _ => "regression".to_owned(),
    };
    let mut blocks = Vec::new();
    for (t, tree) in boosted.trees.iter().enumerate() {
        let start = if boosted.average {
            boosted.start_of(t)
        } else {
            boosted.start.get(t).copied().unwrap_or_default()
        };
        blocks.push(format!("Tree={t}\n{}\n\n", write_tree(tree, start)?));
    }
    if blocks.len() < width {
        return Err(FitError::Failed("there is no tree to write".into()));
    }
    let names = joined((0..columns).map(|c| format!("Column_{c}")));
    let infos = joined((0..columns).map(|_| "none"));
    let sizes = joined(blocks.iter().map(String::len));
    let classes = joined(&boosted.classes);
    let average = if boosted.average {
        "average_output\n"
    } else {
        ""
    };
    let linear = u8::from(boosted.trees.iter().any(|t| !t.linear.is_empty()));
    Ok(format!(
        "tree\nversion=v4\nnum_class={width}\nnum_tree_per_iteration={width}\nlabel_index=0\nmax_feature_idx={}\nobjective={objective}\nfeature_names={names}\nfeature_infos={infos}\n{average}tree_sizes={sizes}\n\n{}end of trees\n\nparameters:\n[classes: {classes}]\n[linear_tree: {linear}]\n\nend of parameters\n",
        columns.saturating_sub(1),
        blocks.concat(),
    ))
}

fn write_tree(tree: &Tree, start: f64) -> Result<String, FitError> {
    // Numbers of inner nodes and of leaves, in the order of the nodes.
    let (mut inner, mut leaves) = (Vec::new(), Vec::new());
    let mut number = vec![0_i64; tree.nodes.len()];
    for (i, node) in tree.nodes.iter().enumerate() {
        if node.is_leaf() {
            leaves.push(node);
            number[i] = -(leaves.len() as i64);
        } else {
            inner.push(node);
            number[i] = inner.len() as i64 - 1;
        }
    }
    let (mut boundaries, mut words) = (vec![0_usize], Vec::<u32>::new());
    let (mut thresholds, mut kinds) = (Vec::new(), Vec::new());
    for node in &inner {
        let Some(set) = tree.sets.get(node.set as usize) else {
            thresholds.push(format!("{:?}", node.threshold.clamp(-1e300, 1e300)));
            // A missing value is NaN and goes where the node says.
            kinds.push(8 + 2 * i32::from(node.missing_left));
            continue;
        };
        thresholds.push((boundaries.len() - 1).to_string());
        kinds.push(1 + 8);
        let first = words.len();
        for c in set {
            if *c < 0.0 || c.fract() != 0.0 || *c > 65_535.0 {
                return Err(FitError::Failed(format!(
                    "category {c}: LightGBM's format holds whole numbers from 0 to 65,535"
                )));
            }
            let at = first + *c as usize / 32;
            if words.len() <= at {
                words.resize(at + 1, 0);
            }
            words[at] |= 1 << (*c as u32 % 32);
        }
        boundaries.push(words.len());
    }
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name}={value}");
    };
    line("num_leaves", leaves.len().to_string());
    line("num_cat", (boundaries.len() - 1).to_string());
    if !inner.is_empty() {
        let number = &number;
        let child = |node: &&Node, right: usize| number[node.left as usize + right];
        line("split_feature", joined(inner.iter().map(|n| n.feature)));
        line("split_gain", joined(inner.iter().map(|n| n.gain)));
        line("threshold", thresholds.join(" "));
        line("decision_type", joined(kinds));
        line("left_child", joined(inner.iter().map(|n| child(n, 0))));
        line("right_child", joined(inner.iter().map(|n| child(n, 1))));
    }
    let value = |n: &&Node| format!("{:?}", n.value + start);
    line("leaf_value", joined(leaves.iter().map(value)));
    if !inner.is_empty() {
        line("leaf_weight", joined(leaves.iter().map(|n| n.cover)));
        line("leaf_count", joined(leaves.iter().map(|n| n.rows)));
        line("internal_value", joined(inner.iter().map(value)));
        line("internal_weight", joined(inner.iter().map(|n| n.cover)));
        line("internal_count", joined(inner.iter().map(|n| n.rows)));
        if boundaries.len() > 1 {
            line("cat_boundaries", joined(&boundaries));
            line("cat_threshold", joined(&words));
        }
    }
    let model = |n: &&Node| tree.linear.get(n.left as usize);
    let models: Vec<&LinearLeaf> = leaves.iter().filter_map(model).collect();
    line("is_linear", u8::from(!models.is_empty()).to_string());
    if !models.is_empty() {
        let constant = |m: &&LinearLeaf| format!("{:?}", m.constant + start);
        let coefficients = models.iter().flat_map(|m| &m.coefficients);
        line("leaf_const", joined(models.iter().map(constant)));
        line(
            "num_features",
            joined(models.iter().map(|m| m.columns.len())),
        );
        line(
            "leaf_features",
            joined(models.iter().flat_map(|m| &m.columns)),
        );
        line("leaf_coeff", joined(coefficients.map(|b| format!("{b:?}"))));
    }
    line("shrinkage", "1".to_owned());
    Ok(text)
}

type Block<'a> = BTreeMap<&'a str, &'a str>;

fn numbers(block: &Block<'_>, name: &str, many: usize) -> Result<Vec<f64>, FitError> {
    let text = block.get(name).copied().unwrap_or_default();
    let values: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    match values {
        Ok(values) if values.len() == many => Ok(values),
        Ok(values) => Err(bad(&format!(
            "a tree has {} values of {name} where {many} are needed",
            values.len()
        ))),
        Err(_) => Err(bad(&format!("{name} holds something else than numbers"))),
    }
}

/// The model of a file and its number of columns.
///
/// # Errors
/// [`FitError::Data`] saying what is missing or not understood.
pub(crate) fn read(text: &str) -> Result<(Boosted, usize), FitError> {
    let mut blocks: Vec<Block<'_>> = vec![Block::new()];
    let mut classes: Vec<i64> = Vec::new();
    let mut average = false;
    for line in text.lines() {
        let line = line.trim();
        average |= line == "average_output";
        if let Some(labels) = line.strip_prefix("[classes:") {
            let labels = labels.trim_end_matches(']').split_whitespace();
            classes = labels.filter_map(|l| l.parse().ok()).collect();
        }
        if line.starts_with("end of trees") {
            blocks.push(Block::new());
        }
        if let Some((name, value)) = line.split_once('=') {
            if name == "Tree" {
                blocks.push(Block::new());
            }
            if let Some(block) = blocks.last_mut() {
                block.insert(name, value);
            }
        }
    }
    let head = blocks.remove(0);
    if !text.trim_start().starts_with("tree") {
        return Err(bad("the first line is not \"tree\""));
    }
    let need = |name: &str| -> Result<usize, FitError> {
        let value = head.get(name).and_then(|v| v.parse().ok());
        value.ok_or_else(|| bad(&format!("there is no {name}")))
    };
    let columns = need("max_feature_idx")? + 1;
    let width = need("num_tree_per_iteration")?.max(1);
    let words: Vec<&str> = head
        .get("objective")
        .copied()
        .unwrap_or("regression")
        .split_whitespace()
        .collect();
    let objective = match words.first().copied().unwrap_or_default() {
        "regression" | "huber" | "fair" | "regression_l1" | "quantile" | "mape" => {
            Objective::Squared
        }
        "poisson" => Objective::Poisson(0.7),
        "gamma" => Objective::Gamma,
        "tweedie" => Objective::Tweedie(1.5),
        "binary" => Objective::Logistic,
        "multiclass" | "softmax" => Objective::Softmax(width as f64 / (width as f64 - 1.0)),
        other => return Err(bad(&format!("the objective {other} is not read"))),
    };
    let odd = words[1..]
        .iter()
        .any(|w| *w == "sqrt" || (w.starts_with("sigmoid:") && *w != "sigmoid:1"));
    if odd {
        return Err(bad("a square root or a sigmoid other than 1 is not read"));
    }
    let trees: Result<Vec<Tree>, FitError> = blocks
        .iter()
        .filter(|b| b.contains_key("Tree"))
        .map(|b| read_tree(b, columns))
        .collect();
    let trees = trees?;
    if trees.is_empty() || trees.len() % width != 0 {
        return Err(bad("there is no tree, or not one a class in each round"));
    }
    let many = match objective {
        Objective::Logistic => 2,
        Objective::Softmax(_) => width,
        _ => 0,
    };
    if classes.len() != many {
        classes = (0..many as i64).collect();
    }
    let boosted = Boosted {
        trees,
        start: vec![0.0; width],
        objective,
        classes,
        single: false,
        parallel: 1,
        best_score: None,
        average,
    };
    Ok((boosted, columns))
}

/// The linear models of the leaves; empty where these add constant values.
fn read_models(
    block: &Block<'_>,
    leaves: usize,
    columns: usize,
) -> Result<Vec<LinearLeaf>, FitError> {
    if block.get("is_linear").is_none_or(|v| *v == "0") {
        return Ok(Vec::new());
    }
    let constants = numbers(block, "leaf_const", leaves)?;
    let sizes = numbers(block, "num_features", leaves)?;
    let all = sizes.iter().map(|s| *s as usize).sum();
    let mut which = numbers(block, "leaf_features", all)?.into_iter();
    if which.clone().any(|c| c as usize >= columns) {
        return Err(bad("a leaf refers to a column that there is not"));
    }
    let mut coefficients = numbers(block, "leaf_coeff", all)?.into_iter();
    let models = constants.into_iter().zip(sizes).map(|(constant, size)| {
        let size = size as usize;
        LinearLeaf {
            constant,
            columns: which.by_ref().take(size).map(|c| c as u32).collect(),
            coefficients: coefficients.by_ref().take(size).collect(),
        }
    });
    Ok(models.collect())
}

fn read_tree(block: &Block<'_>, columns: usize) -> Result<Tree, FitError> {
    let many = numbers(block, "num_leaves", 1)?[0] as usize;
    if many == 0 {
        return Err(bad("a tree without leaves is not read"));
    }
    let inner = many - 1;
    let values = numbers(block, "leaf_value", many)?;
    let optional =
        |name: &str, many: usize| numbers(block, name, many).unwrap_or_else(|_| vec![0.0; many]);
    let (weights, counts) = (optional("leaf_weight", many), optional("leaf_count", many));
    let (own, sums) = (
        optional("internal_value", inner),
        optional("internal_weight", inner),
    );
    let (rows, gains) = (
        optional("internal_count", inner),
        optional("split_gain", inner),
    );
    let features = numbers(block, "split_feature", inner)?;
    let thresholds = numbers(block, "threshold", inner)?;
    let kinds = numbers(block, "decision_type", inner)?;
    let left = numbers(block, "left_child", inner)?;
    let right = numbers(block, "right_child", inner)?;
    let sets = numbers(block, "num_cat", 1)?[0] as usize;
    let mut out = Tree {
        nodes: Vec::new(),
        sets: Vec::new(),
        linear: read_models(block, many, columns)?,
    };
    if sets > 0 {
        let bounds = numbers(block, "cat_boundaries", sets + 1)?;
        let words = numbers(block, "cat_threshold", bounds[sets] as usize)?;
        for pair in bounds.windows(2) {
            let own = words.get(pair[0] as usize..pair[1] as usize);
            let own = own.ok_or_else(|| bad("cat_boundaries do not rise"))?;
            let bits = own.iter().enumerate().flat_map(|(k, w)| {
                let word = *w as u32;
                (0..32)
                    .filter(move |b| word >> b & 1 == 1)
                    .map(move |b| (k * 32 + b) as f64)
            });
            out.sets.push(bits.collect());
        }
    }
    let empty = Node {
        feature: u32::MAX,
        left: 0,
        threshold: 0.0,
        missing_left: false,
        set: u32::MAX,
        set_right: false,
        value: 0.0,
        gain: 0.0,
        cover: 0.0,
        rows: 0.0,
    };
    out.nodes.push(empty);
    // Inner nodes count from 0, leaves from -1 down.
    let mut queue =
        std::collections::VecDeque::from([(if inner == 0 { -1_i64 } else { 0 }, 0_usize)]);
    let mut visited = 0;
    while let Some((id, new)) = queue.pop_front() {
        visited += 1;
        if visited > 2 * many {
            return Err(bad("the children of a tree go round in a circle"));
        }
        let at = out.nodes.len();
        let node = &mut out.nodes[new];
        if id < 0 {
            let leaf = (-1 - id) as usize;
            let value = values.get(leaf).ok_or_else(|| bad("a leaf is missing"))?;
            (node.left, node.value) = (leaf as u32, *value);
            (node.cover, node.rows) = (weights[leaf], counts[leaf]);
            continue;
        }
        let i = id as usize;
        if i >= inner || features[i] as usize >= columns {
            return Err(bad("a tree refers to a node or a column that there is not"));
        }
        let kind = kinds[i] as u32;
        let missing = kind >> 2 & 3;
        if missing == 1 {
            return Err(bad("zero as a missing value is not read"));
        }
        node.feature = features[i] as u32;
        node.left = at as u32;
        node.threshold = thresholds[i];
        if kind & 1 == 1 {
            node.set = thresholds[i] as u32;
            if node.set as usize >= out.sets.len() {
                return Err(bad("a set of categories is missing"));
            }
        }
        // Without missing values in training the program takes NaN for 0.
        node.missing_left = match missing {
            2 => kind & 2 != 0,
            _ => kind & 1 == 0 && thresholds[i] >= 0.0,
        };
        (node.value, node.cover) = (own[i], sums[i]);
        (node.rows, node.gain) = (rows[i], gains[i]);
        out.nodes.extend([empty, empty]);
        queue.extend([(left[i] as i64, at), (right[i] as i64, at + 1)]);
    }
    Ok(out)
}
