//! Numbers of statsmodels, prophet and pmdarima on the real series in `data/series`: the calls are in
//! `expected.py` beside them.

#[cfg(test)]
mod tests {
    use mltrainer_catalogue::registry;
    use mltrainer_catalogue_core::run::run_analysis;
    use mltrainer_catalogue_core::{Ask, Design, FitError, ParamMap, SeriesTable};
    use mltrainer_compliance::{Admissible, Arrival, Content, Digest, Gate, Inspection};
    use mltrainer_types::data::QualityReport;
    use ndarray::Array2;
    use serde_json::Value;
    use std::collections::BTreeMap;

    const FILES: [(&str, &str); 5] = [
        ("nile", include_str!("data/series/nile.csv")),
        ("macro", include_str!("data/series/macro.csv")),
        ("macro_growth", include_str!("data/series/macro_growth.csv")),
        ("co2", include_str!("data/series/co2.csv")),
        ("closes", include_str!("data/closes.csv")),
    ];

    struct File(SeriesTable);

    impl Content for File {
        fn digest(&self, d: &mut Digest) {
            self.0.digest(d);
        }
    }

    impl Admissible for File {
        fn inspect(self) -> Inspection<Self> {
            let rows = self.0.rows() as u64;
            Inspection {
                usable: self,
                report: QualityReport {
                    score: 100.0,
                    rows,
                    usable: rows,
                    quarantined: 0,
                    counts: BTreeMap::new(),
                    findings: Vec::new(),
                },
            }
        }
    }

    /// Days from 1970-01-01 of a date YYYY-MM-DD: whole years, leap days, then the days before the month.
    fn day(date: &str) -> f64 {
        let part: Vec<i64> = date.split('-').map(|p| p.parse().unwrap()).collect();
        let (year, month, day) = (part[0], part[1] as usize, part[2]);
        let leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
        let leaps = |y: i64| y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400);
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month - 1];
        let extra = i64::from(leap(year) && month > 2);
        ((year - 1970) * 365 + leaps(year - 1) - leaps(1969) + before + extra + day - 1) as f64
    }

    fn table(file: &str, columns: &str) -> SeriesTable {
        let text = FILES.iter().find(|(name, _)| *name == file).unwrap().1;
        let mut lines = text.lines();
        let head: Vec<&str> = lines.next().unwrap().split(',').collect();
        let rows: Vec<Vec<&str>> = lines.map(|l| l.split(',').collect()).collect();
        let at: Vec<usize> = columns
            .split(',')
            .map(|c| head.iter().position(|h| *h == c).unwrap())
            .collect();
        let x = Array2::from_shape_fn((rows.len(), at.len()), |(r, c)| {
            rows[r][at[c]].parse::<f64>().unwrap()
        });
        let names = at.iter().map(|c| head[*c].to_owned()).collect();
        let days = rows.iter().map(|r| day(r[0])).collect();
        SeriesTable::new(Design::new(x, names).unwrap(), Some(days)).unwrap()
    }

    fn numbers(value: &Value) -> Vec<f64> {
        match value {
            Value::Array(all) => all.iter().flat_map(numbers).collect(),
            Value::Object(all) => all.values().flat_map(numbers).collect(),
            other => vec![other.as_f64().unwrap_or(f64::NAN)],
        }
    }

    /// What an expectation finds wrong with an output.
    fn wrong(got: &Value, want: &Value) -> Option<String> {
        if let Some(word) = want.get("is") {
            return (got != word).then(|| format!("{got} is not {word}"));
        }
        if let Some(near) = want.get("near") {
            let (got, near) = (numbers(got), numbers(near));
            if got.len() != near.len() {
                return Some(format!("{} numbers, want {}", got.len(), near.len()));
            }
            let gaps: Vec<f64> = got.iter().zip(&near).map(|(g, w)| (g - w).abs()).collect();
            let (gap, limit) = if let Some(rms) = want.get("rms") {
                let squares: f64 = gaps.iter().map(|g| g * g).sum();
                ((squares / gaps.len() as f64).sqrt(), rms)
            } else {
                let worst = |m: f64, g: &f64| if g.is_nan() { f64::NAN } else { m.max(*g) };
                (gaps.iter().fold(0.0, worst), &want["within"])
            };
            let limit = limit.as_f64().unwrap();
            let bad = gap.is_nan() || gap > limit;
            return bad
                .then(|| format!("off by {gap}, allowed {limit}: got {got:?}, want {near:?}"));
        }
        let got = got.as_f64().unwrap_or(f64::NAN);
        let least = want.get("least").and_then(Value::as_f64);
        let most = want.get("most").and_then(Value::as_f64);
        assert!(
            least.is_some() || most.is_some(),
            "an expectation that cannot fail: {want}"
        );
        let fine = least.is_none_or(|l| got >= l) && most.is_none_or(|m| got <= m);
        (!fine).then(|| format!("{got} is not in {least:?} to {most:?}"))
    }

    #[test]
    fn the_reference_libraries_agree() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("data/series/expected.json")).unwrap();
        let mut found = Vec::new();
        for case in &cases {
            let text = |name: &str| case[name].as_str().unwrap();
            let resolved = registry().find(text("model")).unwrap();
            let arrival = Arrival {
                origin: "user_provided".into(),
                request: text("file").into(),
                promised_sha256: None,
                content: File(table(text("file"), text("column"))),
            };
            let admitted = Gate::admit(arrival).ok().unwrap().verified;
            let series = admitted
                .derive("series", "all", |f| Ok::<_, FitError>(f.0.clone()))
                .unwrap();
            let params: ParamMap = case["params"].as_object().unwrap().clone();
            let horizon = case["horizon"].as_u64().unwrap() as usize;
            let what = format!("{} {} {}", text("source"), text("file"), text("column"));
            let answer = match run_analysis(
                &resolved,
                &params,
                &series,
                Ask { horizon, seed: 0 },
                &|| 0.0,
            ) {
                Ok(answer) => Value::Object(answer.outputs),
                Err(e) => {
                    found.push(format!("{what}: {e}"));
                    continue;
                }
            };
            for (path, want) in case["expect"].as_object().unwrap() {
                let pointer = format!("/{}", path.replace('.', "/"));
                let got = answer.pointer(&pointer).unwrap_or(&Value::Null);
                if let Some(why) = wrong(got, want) {
                    found.push(format!("{what}, {path}: {why}"));
                }
            }
        }
        assert!(cases.len() >= 35, "{} cases", cases.len());
        assert!(found.is_empty(), "{} wrong: {found:#?}", found.len());
    }

    /// Runs an entry on a table with its defaults and some parameters.
    fn run(id: &str, given: &[(&str, &str)], table: &SeriesTable) -> Result<Value, FitError> {
        let resolved = registry().find(id).unwrap();
        let arrival = Arrival {
            origin: "user_provided".into(),
            request: "hostile series".into(),
            promised_sha256: None,
            content: File(table.clone()),
        };
        let admitted = Gate::admit(arrival).ok().unwrap().verified;
        let series = admitted
            .derive("series", "all", |f| Ok::<_, FitError>(f.0.clone()))
            .unwrap();
        let pairs = given.iter().map(|(k, v)| ((*k).into(), Value::from(*v)));
        let params: ParamMap = pairs.collect();
        let ask = Ask {
            horizon: 4,
            seed: 1,
        };
        let answer = run_analysis(&resolved, &params, &series, ask, &|| 0.0);
        answer.map(|a| Value::Object(a.outputs))
    }

    /// Every method on series of the family, with parameters where the defaults do not suit a yearly series.
    const ENTRIES: [(&str, &[(&str, &str)]); 18] = [
        ("arima", &[("order", "1,0,1")]),
        ("auto_arima", &[]),
        ("egarch", &[]),
        ("ets", &[]),
        ("exponential_smoothing", &[]),
        ("garch", &[]),
        ("gjr_garch", &[]),
        ("hmm", &[]),
        ("holt", &[]),
        ("holt_winters", &[("period", "4")]),
        ("kalman_filter", &[]),
        ("particle_filter", &[]),
        ("prophet", &[]),
        (
            "sarima",
            &[("order", "1,0,0"), ("seasonal_order", "1,0,0,4")],
        ),
        ("theta", &[]),
        ("unobserved_components", &[]),
        ("unscented_kalman_filter", &[]),
        ("var", &[]),
    ];

    /// A table of the family's width: one series, and itself some rows later beside it where two are needed.
    fn of(id: &str, days: &[f64], values: &[f64]) -> SeriesTable {
        let width = if id == "var" { 2 } else { 1 };
        let x = Array2::from_shape_fn((values.len(), width), |(r, c)| match c {
            0 => values[r],
            _ => values[(r + 37) % values.len()],
        });
        let names = ["series", "later"][..width]
            .iter()
            .map(|n| (*n).to_owned())
            .collect();
        SeriesTable::new(Design::new(x, names).unwrap(), Some(days.to_vec())).unwrap()
    }

    fn nile() -> (Vec<f64>, Vec<f64>) {
        let table = table("nile", "volume");
        (table.days().unwrap().to_vec(), table.series(0))
    }

    /// An error is one sentence that says what to do or why not; it is not a dump.
    fn sentence(what: &str, e: &FitError) {
        let text = e.to_string();
        let fine =
            text.len() > 20 && text.len() < 400 && !text.contains('\n') && !text.contains("NaN");
        assert!(fine, "{what}: {text}");
    }

    #[test]
    fn every_method_of_the_family_is_listed() {
        let of_family = registry()
            .all()
            .filter(|r| r.preset.is_none() && r.entry.card.family == "time_series");
        let mut ids: Vec<&str> = of_family.map(|r| r.id()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ENTRIES.map(|(id, _)| id));
    }

    #[test]
    fn gaps_in_dates_are_said() {
        let (mut days, mut values) = nile();
        days.drain(40..50);
        values.drain(40..50);
        let mut silent = Vec::new();
        for (id, given) in ENTRIES {
            let out = run(id, given, &of(id, &days, &values));
            let out = out.unwrap_or_else(|e| panic!("{id}: {e}"));
            // From the end of 1910 to the end of 1921.
            let gap = out["gaps"][0]["days"].as_f64();
            if gap != Some(4018.0) || out["gaps"].as_array().unwrap().len() != 1 {
                silent.push(format!("{id}: {}", out["gaps"]));
            }
        }
        assert!(silent.is_empty(), "{silent:#?}");
    }

    #[test]
    fn short_and_constant_series_are_refused_or_answered_in_full() {
        let (days, values) = nile();
        // A constant is forecast as itself by these; the others have nothing to estimate.
        let follow = [
            "ets",
            "exponential_smoothing",
            "holt",
            "holt_winters",
            "kalman_filter",
            "particle_filter",
            "prophet",
            "theta",
            "unscented_kalman_filter",
        ];
        let mut wrong = Vec::new();
        for (id, given) in ENTRIES {
            for rows in [1, 2, 3, 5] {
                match run(id, given, &of(id, &days[..rows], &values[..rows])) {
                    Err(e) => sentence(&format!("{id}, {rows} rows"), &e),
                    Ok(out) => {
                        let forecast = numbers(&out["forecast"]);
                        if !forecast.len().is_multiple_of(4)
                            || forecast.is_empty()
                            || forecast.iter().any(|v| !v.is_finite())
                        {
                            wrong.push(format!("{id}, {rows} rows: {}", out["forecast"]));
                        }
                    }
                }
            }
            let flat = vec![1000.0; values.len()];
            match run(id, given, &of(id, &days, &flat)) {
                Err(e) => sentence(&format!("{id}, constant"), &e),
                Ok(out) => {
                    let near = numbers(&out["forecast"])
                        .iter()
                        .all(|v| (v - 1000.0).abs() < 50.0);
                    // A filter whose start lies far from the series says that few particles are left.
                    let said = out["warnings"].as_array().is_some_and(|w| !w.is_empty());
                    if !(follow.contains(&id) && (near || said)) {
                        wrong.push(format!("{id}, constant: {out}"));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn what_does_not_come_back_is_said() {
        // The logarithm of American product, which only rises: an autoregression of levels has a root at the unit
        // circle.
        let levels = table("macro", "log_gdp");
        let days = levels.days().unwrap().to_vec();
        let table = &of("arima", &days, &levels.series(0));
        for (id, given) in [
            ("arima", &[("order", "1,0,0")] as &[(&str, &str)]),
            (
                "sarima",
                &[("order", "1,0,0"), ("seasonal_order", "0,0,0,0")],
            ),
        ] {
            match run(id, given, table) {
                Err(e) => sentence(id, &e),
                Ok(out) => {
                    let said = out["warnings"].as_array().is_some_and(|w| !w.is_empty());
                    assert!(
                        said && out["stationary"] == false,
                        "{id}: {} {}",
                        out["stationary"],
                        out["warnings"]
                    );
                }
            }
        }
    }
}
