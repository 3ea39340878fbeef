//! XGBoost's JSON model file (written as version 3.2.0; versions from 1.6 are read).
//!
//! A split of the program sends x < c left, in single precision; ours sends x ≤ t left. The two agree
//! when c is the least single-precision number above t. A split between categories lists those that go
//! right.

use super::boost::Boosted;
use super::histogram::{Node, Tree};
use super::objective::Objective;
use mltrainer_catalogue_core::FitError;
use serde_json::{Value, json};

/// The least single-precision number above t.
fn above(t: f64) -> f32 {
    let near = t as f32;
    if near.is_infinite() {
        // A split of known values from missing ones.
        f32::MAX
    } else if f64::from(near) > t {
        near
    } else {
        near.next_up()
    }
}

fn bad(what: &str) -> FitError {
    FitError::Data(format!("the XGBoost model: {what}"))
}

/// The model file.
///
/// # Errors
/// [`FitError::Failed`] when categories are no whole numbers from 0 to 16,777,215.
pub(crate) fn write(boosted: &Boosted, columns: usize) -> Result<String, FitError> {
    let width = boosted.start.len();
    let trees: Result<Vec<Value>, FitError> = boosted
        .trees
        .iter()
        .enumerate()
        .map(|(id, tree)| write_tree(id, tree, columns))
        .collect();
    let trees = trees?;
    let base: Vec<String> = boosted
        .start
        .iter()
        .map(|s| match boosted.objective {
            Objective::Softmax(_) => format!("{:E}", *s as f32),
            other => format!("{:E}", other.answer(*s) as f32),
        })
        .collect();
    let classes: Vec<String> = boosted.classes.iter().map(ToString::to_string).collect();
    let objective = match boosted.objective {
        Objective::Absolute | Objective::AbsoluteUp => json!({"name": "reg:absoluteerror"}),
        Objective::PseudoHuber(d) => json!({
            "name": "reg:pseudohubererror", "pseudo_huber_param": {"huber_slope": d.to_string()}
        }),
        Objective::Quantile(a) | Objective::QuantileUp(a) => json!({
            "name": "reg:quantileerror", "quantile_loss_param": {"quantile_alpha": format!("[{a}]")}
        }),
        Objective::Poisson(step) => json!({
            "name": "count:poisson", "poisson_regression_param": {"max_delta_step": step.to_string()}
        }),
        Objective::Gamma => {
            json!({"name": "reg:gamma", "reg_loss_param": {"scale_pos_weight": "1"}})
        }
        Objective::Tweedie(rho) => json!({
            "name": "reg:tweedie",
            "tweedie_regression_param": {"tweedie_variance_power": rho.to_string()}
        }),
        Objective::Logistic => json!({
            "name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}
        }),
        Objective::Softmax(_) => json!({
            "name": "multi:softprob",
            "softmax_multiclass_param": {"num_class": width.to_string()}
        }),
        _ => json!({"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}}),
    };
    let rounds: Vec<usize> = (0..=boosted.rounds())
        .map(|t| t * width * boosted.parallel)
        .collect();
    let info: Vec<usize> = (0..trees.len()).map(|t| t % width).collect();
    // The program is told of columns of categories; those that no tree splits by are not known here.
    let mut types = vec!["q"; columns];
    let nodes = boosted.trees.iter().flat_map(|tree| &tree.nodes);
    for node in nodes.filter(|n| has_categories(n)) {
        types[node.feature as usize] = "c";
    }
    if !types.contains(&"c") {
        types.clear();
    }
    let model = json!({
        "version": [3, 2, 0],
        "learner": {
            "attributes": {"classes": classes.join(",")},
            "feature_names": [],
            "feature_types": types,
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
                    "gbtree_model_param": {
                        "num_parallel_tree": boosted.parallel.to_string(),
                        "num_trees": trees.len().to_string()
                    },
                    "iteration_indptr": rounds,
                    "tree_info": info,
                    "trees": trees,
                }
            },
            "learner_model_param": {
                "base_score": format!("[{}]", base.join(",")),
                "boost_from_average": "1",
                "num_class": if width > 1 { width } else { 0 }.to_string(),
                "num_feature": columns.to_string(),
                "num_target": "1"
            },
            "objective": objective,
        }
    });
    Ok(model.to_string())
}

/// Whether a node is split between categories.
fn has_categories(node: &Node) -> bool {
    !node.is_leaf() && node.set != u32::MAX
}

fn write_tree(id: usize, tree: &Tree, columns: usize) -> Result<Value, FitError> {
    let n = tree.nodes.len();
    let mut parents = vec![i32::MAX; n];
    for (i, node) in tree.nodes.iter().enumerate().filter(|(_, n)| !n.is_leaf()) {
        parents[node.left as usize] = i as i32;
        parents[node.left as usize + 1] = i as i32;
    }
    // Models of before the program's rules held list the categories that go left.
    let turned = |node: &Node| has_categories(node) && !node.set_right;
    let child = |node: &Node, right: bool| {
        if node.is_leaf() {
            -1
        } else {
            i64::from(node.left) + i64::from(right != turned(node))
        }
    };
    let (mut categories, mut nodes) = (Vec::<u32>::new(), Vec::new());
    let (mut segments, mut sizes) = (Vec::new(), Vec::new());
    for (i, node) in tree.nodes.iter().enumerate() {
        let Some(set) = tree.sets.get(node.set as usize) else {
            continue;
        };
        nodes.push(i);
        segments.push(categories.len());
        sizes.push(set.len());
        for c in set {
            if *c < 0.0 || c.fract() != 0.0 || *c >= 16_777_216.0 {
                return Err(FitError::Failed(format!(
                    "category {c}: XGBoost's format holds whole numbers from 0 to 16,777,215"
                )));
            }
            categories.push(*c as u32);
        }
    }
    let condition = |node: &Node| {
        if node.is_leaf() {
            node.value as f32
        } else if has_categories(node) {
            0.0
        } else {
            above(node.threshold)
        }
    };
    let each = |f: &dyn Fn(&Node) -> Value| -> Value { tree.nodes.iter().map(f).collect() };
    Ok(json!({
        "id": id,
        "base_weights": each(&|n| json!(n.value as f32)),
        "categories": categories, "categories_nodes": nodes,
        "categories_segments": segments, "categories_sizes": sizes,
        "default_left": each(&|n| json!(i32::from(!n.is_leaf() && n.missing_left != turned(n)))),
        "left_children": each(&|n| json!(child(n, false))),
        "right_children": each(&|n| json!(child(n, true))),
        "loss_changes": each(&|n| json!(n.gain as f32)),
        "parents": parents,
        "split_conditions": each(&|n| json!(condition(n))),
        "split_indices": each(&|n| json!(if n.is_leaf() { 0 } else { n.feature })),
        "split_type": each(&|n| json!(i32::from(has_categories(n)))),
        "sum_hessian": each(&|n| json!(n.cover as f32)),
        "tree_param": {
            "num_deleted": "0", "num_feature": columns.to_string(),
            "num_nodes": n.to_string(), "size_leaf_vector": "1"
        },
    }))
}

/// The model of a file and its number of columns.
///
/// # Errors
/// [`FitError::Data`] saying what is missing or not understood.
pub(crate) fn read(text: &str) -> Result<(Boosted, usize), FitError> {
    let file: Value = serde_json::from_str(text).map_err(|e| bad(&e.to_string()))?;
    let text_at = |path: &str| file.pointer(path).and_then(Value::as_str);
    let need = |path: &str| text_at(path).ok_or_else(|| bad(&format!("there is no {path}")));
    let number = |path: &str| -> Result<f64, FitError> {
        let text = need(path)?.trim_matches(['[', ']']);
        text.parse()
            .map_err(|_| bad(&format!("{path} is no number")))
    };
    let columns = number("/learner/learner_model_param/num_feature")? as usize;
    let width = (number("/learner/learner_model_param/num_class")? as usize).max(1);
    if text_at("/learner/gradient_booster/name") != Some("gbtree") {
        return Err(bad("only the booster gbtree is read"));
    }
    let param = |name: &str| number(&format!("/learner/objective/{name}"));
    let objective = match need("/learner/objective/name")? {
        "reg:squarederror" => Objective::Squared,
        "reg:absoluteerror" => Objective::Absolute,
        "reg:pseudohubererror" => Objective::PseudoHuber(param("pseudo_huber_param/huber_slope")?),
        "reg:quantileerror" => Objective::Quantile(param("quantile_loss_param/quantile_alpha")?),
        "count:poisson" => Objective::Poisson(param("poisson_regression_param/max_delta_step")?),
        "reg:gamma" => Objective::Gamma,
        "reg:tweedie" => {
            Objective::Tweedie(param("tweedie_regression_param/tweedie_variance_power")?)
        }
        "binary:logistic" => Objective::Logistic,
        "multi:softprob" | "multi:softmax" => Objective::Softmax(2.0),
        other => return Err(bad(&format!("the objective {other} is not read"))),
    };
    let base: Result<Vec<f64>, FitError> = need("/learner/learner_model_param/base_score")?
        .trim_matches(['[', ']'])
        .split(',')
        .map(|b| b.trim().parse().map_err(|_| bad("base_score is no number")))
        .collect();
    let mut start: Vec<f64> = base?
        .into_iter()
        .map(|b| match objective {
            Objective::Softmax(_) => b,
            other => f64::from(other.link(b) as f32),
        })
        .collect();
    if start.len() == 1 {
        start = vec![start[0]; width];
    }
    let trees = file
        .pointer("/learner/gradient_booster/model/trees")
        .and_then(Value::as_array)
        .ok_or_else(|| bad("there are no trees"))?;
    let trees: Result<Vec<Tree>, FitError> = trees.iter().map(|t| read_tree(t, columns)).collect();
    let trees = trees?;
    let parallel = text_at("/learner/gradient_booster/model/gbtree_model_param/num_parallel_tree")
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let unfit = || bad("trees, classes and base_score do not fit each other");
    if start.len() != width || parallel == 0 || trees.len() % (width * parallel) != 0 {
        return Err(unfit());
    }
    let trees = interleaved(trees, &file, width).ok_or_else(unfit)?;
    let classes = match (objective, text_at("/learner/attributes/classes")) {
        (Objective::Logistic | Objective::Softmax(_), Some(own)) if !own.is_empty() => {
            let labels: Result<Vec<i64>, _> = own.split(',').map(str::parse).collect();
            labels.map_err(|_| bad("the attribute classes is no list of labels"))?
        }
        (Objective::Logistic, _) => vec![0, 1],
        (Objective::Softmax(_), _) => (0..width as i64).collect(),
        _ => Vec::new(),
    };
    if !classes.is_empty() && classes.len() != width.max(2) {
        return Err(bad("the attribute classes does not fit the trees"));
    }
    let boosted = Boosted {
        trees,
        start,
        objective,
        classes,
        single: true,
        parallel,
        best_score: None,
        average: false,
    };
    Ok((boosted, columns))
}

/// Trees one a class in turn: in the file those of a class stand together in a round of several.
fn interleaved(trees: Vec<Tree>, file: &Value, width: usize) -> Option<Vec<Tree>> {
    let info = file.pointer("/learner/gradient_booster/model/tree_info");
    let info = info.and_then(Value::as_array);
    if width == 1 || info.is_none() {
        return Some(trees);
    }
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(trees.len());
    let mut counts = vec![0; width];
    for class in info.into_iter().flatten() {
        let class = usize::try_from(class.as_u64()?).ok()?;
        let count = counts.get_mut(class)?;
        places.push((*count, class));
        *count += 1;
    }
    if places.len() != trees.len() || counts.iter().any(|c| *c != counts[0]) {
        return None;
    }
    let mut placed: Vec<((usize, usize), Tree)> = places.into_iter().zip(trees).collect();
    placed.sort_by_key(|(place, _)| *place);
    Some(placed.into_iter().map(|(_, tree)| tree).collect())
}

fn read_tree(tree: &Value, columns: usize) -> Result<Tree, FitError> {
    let list = |name: &str| -> Result<Vec<f64>, FitError> {
        let values = tree.get(name).and_then(Value::as_array);
        let values = values.ok_or_else(|| bad(&format!("a tree has no {name}")))?;
        // Booleans in older versions.
        let one = |v: &Value| {
            v.as_f64()
                .or_else(|| v.as_bool().map(|b| f64::from(u8::from(b))))
        };
        let values: Option<Vec<f64>> = values.iter().map(one).collect();
        values.ok_or_else(|| bad(&format!("{name} holds something else than numbers")))
    };
    let (left, right) = (list("left_children")?, list("right_children")?);
    let (features, conditions) = (list("split_indices")?, list("split_conditions")?);
    let (defaults, weights) = (list("default_left")?, list("base_weights")?);
    let (gains, covers) = (list("loss_changes")?, list("sum_hessian")?);
    let n = left.len();
    let lengths = [
        right.len(),
        features.len(),
        conditions.len(),
        defaults.len(),
        weights.len(),
        gains.len(),
        covers.len(),
    ];
    if n == 0 || lengths.iter().any(|l| *l != n) {
        return Err(bad("the lists of a tree have different lengths"));
    }
    let types = list("split_type").unwrap_or_else(|_| vec![0.0; n]);
    let of_categories = types.iter().filter(|t| **t != 0.0).count();
    if types.len() != n || types.iter().any(|t| *t != 0.0 && *t != 1.0) {
        return Err(bad("a split is neither of numbers nor of categories"));
    }
    let mut sets = vec![None; n];
    if of_categories > 0 {
        let (nodes, categories) = (list("categories_nodes")?, list("categories")?);
        let (segments, sizes) = (list("categories_segments")?, list("categories_sizes")?);
        for ((node, start), many) in nodes.iter().zip(segments).zip(sizes) {
            let (start, many) = (start as usize, many as usize);
            let own = categories.get(start..start.saturating_add(many));
            let place = sets.get_mut(*node as usize);
            let (Some(own), Some(place)) = (own, place) else {
                return Err(bad("the categories of a split are missing"));
            };
            let mut own = own.to_vec();
            own.sort_unstable_by(f64::total_cmp);
            *place = Some(own);
        }
    }
    let leaf = Node {
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
    let mut out = Tree {
        nodes: vec![leaf],
        sets: Vec::new(),
        linear: Vec::new(),
    };
    let mut leaves = 0;
    let mut queue = std::collections::VecDeque::from([(0, 0)]);
    while let Some((old, new)) = queue.pop_front() {
        let (value, at) = (f64::from(conditions[old] as f32), out.nodes.len());
        let node = &mut out.nodes[new];
        node.cover = covers[old];
        if left[old] < 0.0 {
            (node.value, node.left) = (value, leaves);
            leaves += 1;
            continue;
        }
        let (a, b) = (left[old] as usize, right[old] as usize);
        if features[old] as usize >= columns || a >= n || b >= n || a <= old || b <= old {
            return Err(bad("a tree refers to a node or a column that there is not"));
        }
        node.feature = features[old] as u32;
        node.left = at as u32;
        if types[old] == 0.0 {
            node.threshold = f64::from((value as f32).next_down());
        } else {
            let set = sets[old].take();
            out.sets
                .push(set.ok_or_else(|| bad("the categories of a split are missing"))?);
            (node.set, node.set_right) = (out.sets.len() as u32 - 1, true);
        }
        node.missing_left = defaults[old] != 0.0;
        node.value = weights[old];
        node.gain = gains[old];
        out.nodes.extend([leaf, leaf]);
        queue.extend([(a, at), (b, at + 1)]);
    }
    Ok(out)
}
