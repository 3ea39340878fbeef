//! `mltrainer backtest optimise`: a walk-forward optimisation, begun, gone on with or looked at.

use super::Failure;
use super::backtest::{ACTOR, Test};
use super::out::{Table, figure, json, say};
use super::run::{assignment, parameters};
use clap::Args;
use mltrainer_services::Services;
use mltrainer_types::optimisation::{
    Objective, OptimisationRequest, OptimisationView, SearchParameter, SearchRange,
};

const EXAMPLES: &str = "Examples:
  mltrainer backtest optimise --symbols AAPL --strategy sma_crossover --search fast=5..50 --search slow=20..200
  mltrainer backtest optimise --symbols AAPL --strategy rsi_reversion --search period=2..30 --search lower=10.0..45.0 --method bayesian_search --evaluations 60
  mltrainer backtest optimise --symbols AAPL --strategy template.json --search 'average=sma|ema' --search n=10..300:log
  mltrainer backtest optimise --resume ID
  mltrainer backtest optimise --list";

/// What is searched, and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Optimise {
    #[command(flatten)]
    test: Test,
    /// A parameter and its values: whole numbers 5..50, numbers 0.5..2.0, either with :log, or choices a|b|c; in a strategy as JSON it stands as {name}
    #[arg(long, value_name = "NAME=RANGE", value_parser = searched)]
    search: Vec<SearchParameter>,
    /// grid, random, genetic_algorithm, particle_swarm, differential_evolution or bayesian_search [default: differential_evolution]
    #[arg(long)]
    method: Option<String>,
    /// A setting of the method, for example levels=5
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    setting: Vec<(String, String)>,
    /// Back tests of a training window [default: 100]
    #[arg(long, value_name = "N")]
    evaluations: Option<u32>,
    /// Figure that is made as large as possible: sharpe_ratio, sortino_ratio, calmar_ratio, omega_ratio, annual_return or profit_factor
    #[arg(long, value_name = "FIGURE", default_value = "sharpe_ratio", value_parser = objective)]
    objective: Objective,
    /// Closed trades that training must show [default: 1]
    #[arg(long, value_name = "N")]
    min_trades: Option<u32>,
    /// Windows [default: 5]
    #[arg(long, value_name = "N")]
    folds: Option<u32>,
    /// Bars left out between training and test [default: 0]
    #[arg(long, value_name = "BARS")]
    embargo: Option<u32>,
    /// Bars of a rolling training window [default: all bars before]
    #[arg(long, value_name = "BARS")]
    window: Option<u32>,
    /// Go on with an optimisation whose process died
    #[arg(long, value_name = "ID", conflicts_with_all = ["search", "strategy", "symbols"])]
    resume: Option<String>,
    /// Show an optimisation
    #[arg(long, value_name = "ID", conflicts_with_all = ["search", "strategy", "symbols", "resume"])]
    show: Option<String>,
    /// List the newest optimisations
    #[arg(long, conflicts_with_all = ["search", "strategy", "symbols", "resume", "show"])]
    list: bool,
}

/// What the command line asks for.
pub(super) enum Asked {
    New(Box<OptimisationRequest>),
    Resume(String),
    Show(String),
    List,
}

/// `fast=5..50`, `x=0.5..2.0:log`, `kind=sma|ema`.
fn searched(text: &str) -> Result<SearchParameter, String> {
    let (name, range) = assignment(text)?;
    let range = SearchRange::parse(&range)?;
    Ok(SearchParameter { name, range })
}

fn objective(text: &str) -> Result<Objective, String> {
    let found = Objective::ALL.into_iter().find(|o| o.as_str() == text);
    found.ok_or_else(|| {
        let all: Vec<&str> = Objective::ALL.iter().map(|o| o.as_str()).collect();
        format!("{text} is not one of {}", all.join(", "))
    })
}

impl Optimise {
    /// What is asked for, read before a database is opened.
    pub(super) fn asked(self) -> Result<Asked, Failure> {
        if self.list {
            return Ok(Asked::List);
        }
        if let Some(id) = self.show {
            return Ok(Asked::Show(id));
        }
        if let Some(id) = self.resume {
            return Ok(Asked::Resume(id));
        }
        let settings = parameters(self.setting).map_err(|e| Failure::new(2, e))?;
        Ok(Asked::New(Box::new(OptimisationRequest {
            test: self.test.request()?,
            search: self.search,
            method: self.method,
            settings,
            evaluations: self.evaluations,
            objective: self.objective,
            min_trades: self.min_trades,
            folds: self.folds,
            embargo: self.embargo,
            window: self.window,
        })))
    }
}

/// Does it and prints what came out.
pub(super) async fn done(services: &Services, asked: Asked, as_json: bool) -> Result<(), Failure> {
    let mut windows = 0;
    // A line for each window that is done, and first the id to go on with.
    let mut heard = |v: &OptimisationView| {
        if as_json || v.result.is_some() {
            return;
        }
        let line = match v.windows.last() {
            None if v.told == 0 => format!(
                "Optimisation {}: if it is interrupted, --resume {} goes on with it",
                v.id, v.id
            ),
            Some(_) if v.windows.len() > windows => progress(v),
            _ => return,
        };
        windows = v.windows.len();
        // Who does not read any more misses lines, not the result.
        let _unread = say(&line);
    };
    let view = match asked {
        Asked::New(request) => {
            services
                .optimise_backtest(ACTOR, *request, &mut heard)
                .await?
        }
        Asked::Resume(id) => services.finish_optimisation(ACTOR, &id, &mut heard).await?,
        Asked::Show(id) => services.optimisation(&id).await?,
        Asked::List => return list(services, as_json).await,
    };
    print(&view, as_json)
}

fn progress(v: &OptimisationView) -> String {
    let last = v.windows.last();
    let params = last.and_then(|w| w.params.as_ref());
    let params = params.map_or_else(
        || "no parameters with a value".to_owned(),
        |p| {
            let each: Vec<String> = p.iter().map(|(name, x)| format!("{name}={x}")).collect();
            each.join(" ")
        },
    );
    let scores = last.map_or((None, None), |w| (w.in_sample, w.out_of_sample));
    format!(
        "window {} of {}: {params}, in sample {}, out of sample {}",
        v.windows.len(),
        v.folds,
        figure(scores.0),
        figure(scores.1)
    )
}

async fn list(services: &Services, as_json: bool) -> Result<(), Failure> {
    let all = services.optimisations(None).await?.items;
    if as_json {
        return json(&all);
    }
    let mut table = Table::new(&[
        "id",
        "state",
        "strategy",
        "symbols",
        "windows",
        "return a year",
        "overfitting",
        "edge",
    ]);
    for o in &all {
        let edge = o.found_edge.map_or("", |e| if e { "yes" } else { "no" });
        table.row([
            o.id.to_string(),
            o.state.as_str().to_owned(),
            o.strategy.clone(),
            o.symbols.join(","),
            format!("{} of {}", o.windows, o.folds),
            figure(o.annual_return),
            figure(o.probability_of_overfitting),
            edge.to_owned(),
        ]);
    }
    say(&table.text())
}

fn print(v: &OptimisationView, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return json(v);
    }
    let names: Vec<&str> = v.spec.symbols.iter().map(|s| s.symbol.as_str()).collect();
    let objective = v.spec.request.objective.as_str();
    let mut text = format!(
        "\nOptimisation {} on {}: {}\n",
        v.id,
        names.join(", "),
        v.state.as_str()
    );
    if let Some(reason) = &v.reason {
        text.push_str(&format!("{reason}\n"));
    }
    let mut table = Table::new(&[
        "training",
        "test",
        "parameters",
        &format!("{objective} in"),
        "out",
        "return a year in",
        "out",
        "trades",
        "tried",
    ]);
    for w in &v.windows {
        let params = w.params.iter().flatten();
        let params: Vec<String> = params.map(|(name, x)| format!("{name}={x}")).collect();
        table.row([
            format!("{} to {}", w.train_first, w.train_last),
            format!("{} to {}", w.test_first, w.test_last),
            params.join(" "),
            figure(w.in_sample),
            figure(w.out_of_sample),
            figure(w.in_sample_return),
            figure(w.out_of_sample_return),
            w.trades.to_string(),
            w.tried.to_string(),
        ]);
    }
    text.push_str(&format!("\n{}\n", table.text()));
    let Some(r) = &v.result else {
        return say(&text);
    };
    text.push_str(&format!("\n{}\n\n", r.text));
    let mut table = Table::new(&["out of sample", "strategy", "held"]);
    for name in [
        "total_return",
        "annual_return",
        "annual_volatility",
        "sharpe_ratio",
        "max_drawdown",
    ] {
        let of = |m: &mltrainer_types::trial::Metrics| figure(m.get(name).copied().flatten());
        table.row([name.to_owned(), of(&r.metrics), of(&r.benchmark_metrics)]);
    }
    text.push_str(&format!("{}\n\n", table.text()));
    let mut table = Table::new(&["", "value"]);
    table.row(["efficiency".to_owned(), figure(r.efficiency)]);
    for s in &r.stability {
        table.row([format!("stability of {}", s.name), figure(s.stability)]);
    }
    table.row([
        "deflated Sharpe ratio".to_owned(),
        figure(r.deflated_sharpe_ratio),
    ]);
    table.row([
        "probability of overfitting".to_owned(),
        figure(r.probability_of_overfitting),
    ]);
    table.row([
        "tried here, in all".to_owned(),
        format!("{}, {}", r.tried_here, r.tried),
    ]);
    text.push_str(&format!(
        "{}\n\nResult SHA-256 {}",
        table.text(),
        r.result_sha256
    ));
    say(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_read_with_its_range() {
        let range = SearchRange::Integer {
            low: -3,
            high: 300,
            log: true,
        };
        let name = "n".to_owned();
        assert_eq!(
            searched("n = -3..300:log"),
            Ok(SearchParameter { name, range })
        );
        for wrong in ["fast", "fast=", "fast=a..b", "fast=a:log"] {
            assert!(searched(wrong).is_err(), "{wrong}");
        }
    }
}
