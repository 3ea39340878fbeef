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

    const FILES: [(&str, &str); 4] = [
        ("nile", include_str!("data/series/nile.csv")),
        ("macro", include_str!("data/series/macro.csv")),
        ("macro_growth", include_str!("data/series/macro_growth.csv")),
        ("co2", include_str!("data/series/co2.csv")),
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
}
