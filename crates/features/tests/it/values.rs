//! Every feature on the bundled bars: values, warm-up, and that no later bar changes an earlier value.

use chrono::NaiveDate;
use mltrainer_compliance::Content;
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled;
use mltrainer_data::series::Series;
use mltrainer_features::{
    FeatureError, FeatureTable, compute, compute_from, compute_many, registry,
};

fn bars(symbol: &str) -> Bars {
    bundled::bars(symbol).unwrap().content
}

fn vix() -> Series {
    bundled::series("VIXCLS").unwrap().content
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn head(bars: &Bars, rows: usize) -> Bars {
    bars.slice(None, Some(bars.dates[rows - 1]))
}

fn value(table: &FeatureTable, feature: &str, date: &str) -> f64 {
    let column = table.names.iter().position(|n| n == feature).unwrap();
    let row = table.dates.binary_search(&day(date)).unwrap();
    table.columns[column][row]
}

/// Features of IBM computed independently with pandas 2 and numpy 2 from the formulas: `shift`,
/// `rolling(n).mean/max/min/std(ddof=0)`, `ewm(alpha, adjust=True, min_periods=n)`.
const BY_PANDAS: &[(&str, &str, &[(&str, f64)])] = &[
    (
        "IBM",
        "2000-05-25",
        &[
            ("log_return_1", -0.028_874_854_468_490_55),
            ("log_return_5", 0.004_140_013_440_495_765),
            ("log_return_20", -0.037_955_919_417_052_22),
            ("log_return_60", 0.060_477_918_962_801_24),
            ("log_return_lag_1", 0.020_739_026_171_926_69),
            ("log_return_lag_2", -0.017_358_020_529_655_07),
            ("log_return_lag_3", 0.026_057_387_866_210_92),
            ("gap", 0.007_995_681_339_837_173),
            ("high_distance_20", -0.062_665_023_763_421_98),
            ("low_distance_20", 0.044_117_647_058_823_59),
            ("sma_gap_20", -0.011_788_940_387_211_68),
            ("sma_gap_50", -0.052_099_799_205_365_89),
            ("log_volatility_5", -3.851_590_767_105_975),
            ("log_volatility_20", -3.828_358_761_767_547),
            ("log_volatility_60", -3.567_917_191_594_768),
            ("parkinson_20", -3.893_489_681_528_806),
            ("garman_klass_20", -3.855_191_066_465_193),
            ("rogers_satchell_20", -3.823_126_702_415_687),
            ("range_1", 0.053_804_944_358_790_14),
            ("volume_ratio_20", 1.019_711_239_020_239),
            ("money_flow_14", 0.562_424_284_347_540_1),
            ("on_balance_20", -0.006_341_156_257_128_675),
            ("rsi_14", 0.462_267_445_793_776_2),
            ("macd_histogram", 0.003_609_041_813_581_662),
            ("bollinger_b_20", 0.371_240_517_854_971_1),
            ("atr_share_14", 0.040_744_134_162_662_63),
        ],
    ),
    (
        "IBM",
        "2001-05-09",
        &[
            ("log_return_1", -0.006_136_034_251_351_26),
            ("log_return_5", 0.013_598_625_940_880_51),
            ("log_return_20", 0.166_378_206_870_319_8),
            ("log_return_60", 0.017_940_795_160_169_63),
            ("log_return_lag_1", 0.015_411_263_920_525_72),
            ("log_return_lag_2", 0.000_345_184_677_227_550_2),
            ("log_return_lag_3", 0.018_819_164_911_987_76),
            ("momentum_120", 0.175_678_391_959_799_1),
            ("momentum_252_skip_21", -0.119_266_055_045_871_5),
            ("gap", -0.012_826_169_848_420_19),
            ("high_distance_20", -0.016_561_580_496_006_76),
            ("low_distance_20", 0.229_427_220_178_665_1),
            ("high_distance_252", -0.133_096_190_899_659_1),
            ("low_distance_252", 0.461_154_134_399_200_5),
            ("sma_gap_20", 0.051_727_780_699_743_38),
            ("sma_gap_50", 0.139_516_217_016_567_8),
            ("log_volatility_5", -4.340_037_276_951_092),
            ("log_volatility_20", -3.598_049_009_596_704),
            ("log_volatility_60", -3.465_303_549_163_969),
            ("parkinson_20", -3.835_192_786_543_189),
            ("garman_klass_20", -3.803_133_653_362_575),
            ("rogers_satchell_20", -3.787_555_311_210_845),
            ("range_1", 0.024_671_458_642_515_37),
            ("volume_ratio_20", 0.772_683_142_766_596_4),
            ("money_flow_14", 0.713_455_937_093_224_7),
            ("on_balance_20", 0.314_928_594_065_183_4),
            ("rsi_14", 0.628_504_829_775_535_8),
            ("macd_histogram", 0.001_124_574_576_786_909),
            ("bollinger_b_20", 0.697_436_368_505_955_8),
            ("atr_share_14", 0.033_351_289_660_703_32),
        ],
    ),
    (
        "IBM",
        "2013-03-01",
        &[
            ("log_return_1", 0.010_303_751_930_946_16),
            ("log_return_5", 0.009_009_961_941_556_779),
            ("log_return_20", -0.000_788_216_209_092_987_5),
            ("log_return_60", 0.068_479_052_923_981_96),
            ("log_return_lag_1", -0.007_441_248_742_516_393),
            ("log_return_lag_2", 0.015_891_932_831_165_08),
            ("log_return_lag_3", 0.008_218_878_989_172_396),
            ("momentum_120", 0.040_350_697_292_863_11),
            ("momentum_252_skip_21", 0.027_982_624_507_526_09),
            ("gap", -0.000_896_682_335_661_015_7),
            ("high_distance_20", -0.011_882_152_422_692_97),
            ("low_distance_20", 0.027_340_387_828_464_37),
            ("high_distance_252", -0.041_928_325_227_819_97),
            ("low_distance_252", 0.115_809_733_296_673),
            ("sma_gap_20", 0.010_284_075_491_238_11),
            ("sma_gap_50", 0.025_108_618_773_365_57),
            ("log_volatility_5", -4.367_472_501_491_208),
            ("log_volatility_20", -4.732_321_026_479_042),
            ("log_volatility_60", -4.657_429_464_969_658),
            ("parkinson_20", -4.926_332_612_794_919),
            ("garman_klass_20", -4.965_330_085_310_846),
            ("rogers_satchell_20", -4.992_813_631_503_38),
            ("range_1", 0.017_798_133_251_848_53),
            ("volume_ratio_20", 0.980_928_773_475_814_1),
            ("money_flow_14", 0.507_271_353_354_648_2),
            ("on_balance_20", -0.227_470_038_130_592_8),
            ("rsi_14", 0.571_872_361_712_283_4),
            ("macd_histogram", -0.000_205_179_272_545_963_3),
            ("bollinger_b_20", 0.784_585_792_638_656_2),
            ("atr_share_14", 0.012_632_803_912_570_02),
        ],
    ),
];

#[test]
fn values_agree_with_an_independent_computation() {
    let mut checked = std::collections::BTreeSet::new();
    for (symbol, date, expected) in BY_PANDAS {
        let table = compute(&bars(symbol), None, &[]).unwrap();
        for (feature, expected) in *expected {
            let found = value(&table, feature, date);
            assert!(
                (found - expected).abs() <= 1e-11 * expected.abs().max(1e-3),
                "{feature} of {symbol} on {date}: {found} is not {expected}"
            );
            checked.insert(*feature);
        }
    }
    for f in registry().iter().filter(|f| f.group != "economic") {
        assert!(checked.contains(f.id), "no expected value for {}", f.id);
    }
}

#[test]
fn values_by_hand() {
    let ibm = compute(&bars("IBM"), None, &[]).unwrap();
    let close = |found: f64, expected: f64| {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    };
    // IBM closed at 117.70 on 2001-05-08; on the 9th it opened at 116.20 and closed at 116.98
    // between 115.30 and 118.18.
    close(
        value(&ibm, "log_return_1", "2001-05-09"),
        (116.98f64 / 117.70).ln(),
    );
    close(value(&ibm, "gap", "2001-05-09"), (116.20f64 / 117.70).ln());
    close(
        value(&ibm, "range_1", "2001-05-09"),
        (118.18f64 / 115.30).ln(),
    );
    close(
        value(&ibm, "log_return_lag_1", "2001-05-09"),
        (117.70f64 / 115.90).ln(),
    );
    // The VIX closed at 25.42 on 2018-12-31, 28.34 a bar and 30.11 five bars before (Christmas lies
    // between).
    let spx = bars("SPX");
    let spx = compute(&spx.slice(Some(day("2018-01-02")), None), Some(&vix()), &[]).unwrap();
    close(value(&spx, "vix_log", "2018-12-31"), 0.2542f64.ln());
    close(
        value(&spx, "vix_change_1", "2018-12-31"),
        (25.42f64 / 28.34).ln(),
    );
    close(
        value(&spx, "vix_change_5", "2018-12-31"),
        (25.42f64 / 30.11).ln(),
    );
}

/// Bars of the stocks and indices, and the VIX where it reaches.
fn cases() -> Vec<(Bars, Option<Series>)> {
    let spx = bars("SPX");
    vec![
        (bars("AAPL"), None),
        (bars("IBM"), None),
        (bars("JNJ_ADJ"), None),
        (spx.clone(), None),
        (spx.slice(Some(day("2015-06-01")), None), Some(vix())),
    ]
}

#[test]
fn no_later_bar_changes_an_earlier_value() {
    for (bars, vix) in cases() {
        let full = compute(&bars, vix.as_ref(), &[]).unwrap();
        // Small prefixes, where windows fill up, and many longer ones.
        let cuts = (1..40)
            .step_by(3)
            .chain((40..bars.len()).step_by(97))
            .chain([252, 253, bars.len()]);
        for rows in cuts {
            let cut = compute(&head(&bars, rows), vix.as_ref(), &[]).unwrap();
            assert_eq!(cut.names, full.names);
            for (name, (c, f)) in cut.names.iter().zip(cut.columns.iter().zip(&full.columns)) {
                assert_eq!(c.len(), rows);
                for row in 0..rows {
                    assert_eq!(
                        c[row].to_bits(),
                        f[row].to_bits(),
                        "{name} of {} in row {row} differs when cut after {rows} rows: {} and {}",
                        bars.symbol,
                        c[row],
                        f[row]
                    );
                }
            }
        }
    }
}

#[test]
fn the_series_beyond_the_bars_changes_nothing() {
    let bars = bars("SPX").slice(Some(day("2015-06-01")), Some(day("2016-06-01")));
    let all = vix();
    let keep = all.known_at.partition_point(|d| *d <= day("2016-06-01"));
    let cut = Series {
        id: all.id.clone(),
        dates: all.dates[..keep].to_vec(),
        known_at: all.known_at[..keep].to_vec(),
        values: all.values[..keep].to_vec(),
    };
    let with_all = compute(&bars, Some(&all), &[]).unwrap();
    assert_eq!(
        with_all.sha256(),
        compute(&bars, Some(&cut), &[]).unwrap().sha256()
    );
}

#[test]
fn warm_up_is_exactly_as_declared() {
    for (bars, vix) in cases() {
        let table = compute(&bars, vix.as_ref(), &[]).unwrap();
        for (name, column) in table.names.iter().zip(&table.columns) {
            let feature = registry().iter().find(|f| f.id == name).unwrap();
            let first = column.iter().position(|v| v.is_finite()).unwrap();
            assert_eq!(first, feature.warm_up, "{name} of {}", bars.symbol);
            let holes = column[first..].iter().filter(|v| !v.is_finite()).count();
            // Five closes in a row that do not move at all happen; nothing else may be missing.
            let allowed = if name == "log_volatility_5" { 20 } else { 0 };
            assert!(
                holes <= allowed,
                "{name} of {} has {holes} holes",
                bars.symbol
            );
        }
    }
}

#[test]
fn what_the_data_does_not_allow_is_left_out_and_said() {
    let table = compute(&bars("KO_ADJ"), Some(&vix()), &[]).unwrap();
    let reason = |id: &str| {
        table
            .left_out
            .iter()
            .find(|l| l.id == id)
            .map(|l| l.reason.clone())
            .unwrap()
    };
    assert_eq!(reason("gap"), "KO_ADJ has no open");
    assert_eq!(
        reason("money_flow_14"),
        "KO_ADJ has no high and no low and no volume"
    );
    assert!(reason("vix_log").starts_with(
        "the VIX reaches from 2014-01-03 to 2019-01-03, and is not known on 1990-01-02"
    ));
    assert!(table.names.iter().all(|n| !n.starts_with("vix")));
    assert_eq!(table.names.len() + table.left_out.len(), registry().len());
    let without = compute(&bars("SPX"), None, &["economic".into()]).unwrap_err();
    assert!(
        without
            .to_string()
            .contains("the VIX (VIXCLS) is not at hand"),
        "{without}"
    );
}

#[test]
fn bars_before_the_span_need_no_vix() {
    let spx = bars("SPX").slice(Some(day("2013-01-02")), None);
    assert!(compute(&spx, Some(&vix()), &[]).unwrap().left_out.len() == 3);
    let table = compute_from(&spx, Some(&vix()), &[], Some(day("2014-01-03"))).unwrap();
    assert!(table.left_out.is_empty());
    assert!(value(&table, "vix_log", "2013-12-31").is_nan());
    assert!(value(&table, "vix_log", "2014-01-03").is_finite());
    assert!(value(&table, "vix_change_1", "2014-01-03").is_nan());
}

#[test]
fn groups_choose_and_unknown_ones_are_named() {
    let aapl = bars("AAPL");
    let table = compute(&aapl, None, &["volatility".into()]).unwrap();
    assert!(
        table.names.contains(&"parkinson_20".to_owned())
            && !table.names.contains(&"gap".to_owned())
    );
    let e = compute(&aapl, None, &["astrology".into()]).unwrap_err();
    assert!(matches!(e, FeatureError::UnknownGroup { .. }));
    assert_eq!(
        e.to_string(),
        "there is no feature group \"astrology\"; there are price, volatility, volume, technical, economic"
    );
}

#[test]
fn the_csv_has_a_row_a_bar_and_reads_back_bit_by_bit() {
    let ibm = head(&bars("IBM"), 300);
    let table = compute(&ibm, None, &[]).unwrap();
    let csv = table.to_csv();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 301);
    assert!(lines[0].starts_with("date,log_return_1,"));
    // In the first row only the range of the day is known.
    assert_eq!(lines[1].matches(',').count(), table.names.len());
    let filled: Vec<&str> = lines[1]
        .split(',')
        .skip(1)
        .filter(|c| !c.is_empty())
        .collect();
    assert_eq!(filled.len(), 1);
    let last: Vec<f64> = lines[300]
        .split(',')
        .skip(1)
        .map(|c| c.parse().unwrap())
        .collect();
    for (cell, column) in last.iter().zip(&table.columns) {
        assert_eq!(cell.to_bits(), column[299].to_bits());
    }
}

#[test]
fn a_handful_of_bars_gives_empty_cells_not_an_error() {
    let table = compute(&head(&bars("IBM"), 1), None, &[]).unwrap();
    assert!(table.columns.iter().all(|c| c.len() == 1));
    let none = compute(
        &Bars {
            symbol: "X".into(),
            close: vec![],
            ..Bars::default()
        },
        None,
        &[],
    )
    .unwrap();
    assert!(none.columns.iter().all(Vec::is_empty));
}

#[test]
fn a_flat_price_has_no_logarithm_of_volatility() {
    let n = 40;
    let flat = Bars {
        symbol: "FLAT".into(),
        dates: bars("IBM").dates[..n].to_vec(),
        close: (0..n)
            .map(|i| {
                if i < 10 {
                    10.0 + (i % 3) as f64 * 0.1
                } else {
                    10.3
                }
            })
            .collect(),
        ..Bars::default()
    };
    let table = compute(&flat, None, &[]).unwrap();
    let column = |id: &str| &table.columns[table.names.iter().position(|n| n == id).unwrap()];
    // From bar 15 on the last five returns are zero; nothing is left over from the moves before.
    assert!(column("log_volatility_5")[14].is_finite());
    assert!(column("log_volatility_5")[15..].iter().all(|v| v.is_nan()));
    assert!(column("bollinger_b_20")[29..].iter().all(|v| v.is_nan()));
}

#[test]
fn many_symbols_are_computed_as_one() {
    let all: Vec<Bars> = ["AAPL", "IBM", "MSFT"].map(bars).into();
    let refs: Vec<&Bars> = all.iter().collect();
    let tables = compute_many(&refs, None, &[]).unwrap();
    for (b, t) in all.iter().zip(&tables) {
        assert_eq!(t.sha256(), compute(b, None, &[]).unwrap().sha256());
    }
}

#[test]
fn every_feature_says_what_it_is() {
    let mut seen = std::collections::BTreeSet::new();
    for spec in mltrainer_features::specs() {
        assert!(seen.insert(spec.id.clone()), "{} twice", spec.id);
        assert!(!spec.formula.is_empty() && !spec.needs.is_empty());
        assert!(
            spec.source.contains(|c: char| c.is_ascii_digit()),
            "{} names no year",
            spec.id
        );
        assert_eq!(spec.known_at, "close of bar t");
    }
    assert!(seen.len() >= 25);
    let text = mltrainer_features::markdown();
    assert!(seen.iter().all(|id| text.contains(&format!("| `{id}` |"))));
}
