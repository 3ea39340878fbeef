//! Known cases: textbook shapes in real history that an entry finds on the bundled bars, with dates.
//!
//! They were chosen by looking at charts, among all that the entries find, because they look like the
//! figures of the books. They show what a shape is and that the code finds it when it was known; they say nothing
//! about how often it pays. A test computes each of them on the bundled bars.

/// What an entry says on a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// The day, YYYY-MM-DD.
    pub date: &'static str,
    /// Output of the entry.
    pub output: &'static str,
    /// Its value on that day.
    pub value: f64,
}

/// A textbook shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Case {
    /// Id of the entry that finds it.
    pub entry: &'static str,
    /// Parameters that differ from the defaults, as on the command line.
    pub set: &'static [(&'static str, &'static str)],
    /// Symbol of the bundled bars.
    pub symbol: &'static str,
    /// First day to look at.
    pub from: &'static str,
    /// Last day to look at.
    pub to: &'static str,
    /// Why it is the shape of the books.
    pub why: &'static str,
    /// What the entry says, in the order of the days.
    pub says: &'static [Said],
}

const fn said(date: &'static str, output: &'static str, value: f64) -> Said {
    Said {
        date,
        output,
        value,
    }
}

/// The cases, by entry.
pub const CASES: &[Case] = &[
    Case {
        entry: "rsi_divergence",
        set: &[],
        symbol: "IXIC",
        from: "1999-11-01",
        to: "2000-06-01",
        why: "The last high of the dot-com boom: the index more than a fifth above its high of 3 January, the RSI at 74 where it had been at 87. A fall of a third followed.",
        says: &[
            said("2000-03-17", "divergence", -1.0),
            said("2000-03-17", "from_price", 4192.189941),
            said("2000-03-17", "to_price", 5132.52002),
        ],
    },
    Case {
        entry: "rsi_divergence",
        set: &[],
        symbol: "SPX",
        from: "2008-08-15",
        to: "2009-02-01",
        why: "The low of 21 November 2008 a tenth under that of 10 October, the RSI at 38 where it had been at 23: the panic was over, the bear market was not.",
        says: &[
            said("2008-12-01", "divergence", 1.0),
            said("2008-12-01", "from_price", 839.799988),
            said("2008-12-01", "to_price", 741.02002),
        ],
    },
    Case {
        entry: "rsi_divergence",
        set: &[],
        symbol: "SPX",
        from: "2015-12-01",
        to: "2016-04-15",
        why: "A double bottom: 1810.10 on 11 February 2016 against 1812.29 on 20 January, with the RSI at 34 instead of 29. The index rose by 9 percent in 40 days.",
        says: &[
            said("2016-02-19", "divergence", 1.0),
            said("2016-02-19", "from_price", 1812.290039),
            said("2016-02-19", "to_price", 1810.099976),
        ],
    },
    Case {
        entry: "rsi_divergence",
        set: &[],
        symbol: "AAPL",
        from: "2012-07-01",
        to: "2012-12-15",
        why: "The high of 705.07 on 21 September 2012, above that of 27 August, the RSI at 69 instead of 74. It stood for years.",
        says: &[
            said("2012-09-28", "divergence", -1.0),
            said("2012-09-28", "to_price", 705.07),
        ],
    },
    Case {
        entry: "obv_divergence",
        set: &[],
        symbol: "GOOG",
        from: "2011-07-15",
        to: "2011-11-30",
        why: "A lower low on 4 October 2011 than on 19 August, on-balance volume far above its earlier low: four days of mean volume. The close rose from 543 on the day it was known to 668 within 60 days.",
        says: &[
            said("2011-10-11", "divergence", 1.0),
            said("2011-10-11", "from_price", 490.86),
            said("2011-10-11", "to_price", 480.596),
        ],
    },
    Case {
        entry: "obv_divergence",
        set: &[],
        symbol: "AAPL",
        from: "2006-03-01",
        to: "2006-07-01",
        why: "A higher high on 8 May 2006 than on 6 April, on-balance volume lower by four days of mean volume. The shares fell by a fifth in 40 days.",
        says: &[
            said("2006-05-15", "divergence", -1.0),
            said("2006-05-15", "from_price", 72.05),
            said("2006-05-15", "to_price", 73.8),
        ],
    },
    Case {
        entry: "obv_divergence",
        set: &[],
        symbol: "IBM",
        from: "2012-08-15",
        to: "2012-12-01",
        why: "A higher high on 5 October 2012 than on 17 September on falling on-balance volume; the gap down of 17 October followed.",
        says: &[
            said("2012-10-12", "divergence", -1.0),
            said("2012-10-12", "from_price", 207.99),
            said("2012-10-12", "to_price", 211.79),
        ],
    },
    Case {
        entry: "volume_price_analysis",
        set: &[],
        symbol: "FB",
        from: "2012-06-20",
        to: "2013-02-15",
        why: "Accumulation after the fall from the offering price: climax on 31 July 2012 at 2.4 times the usual volume, automatic rally known on 12 September (it ended at 23.37 on the 19th), secondary test on 18 October, sign of strength on 16 November, markup.",
        says: &[
            said("2012-07-31", "accumulation_event", 1.0),
            said("2012-09-12", "accumulation_event", 2.0),
            said("2012-10-18", "accumulation_event", 3.0),
            said("2012-11-16", "accumulation_event", 5.0),
            said("2012-11-16", "signal", 1.0),
            said("2012-11-16", "accumulation_support", 17.55),
            said("2012-11-16", "accumulation_resistance", 23.37),
            said("2012-11-28", "accumulation_event", 6.0),
        ],
    },
    Case {
        entry: "volume_price_analysis",
        set: &[],
        symbol: "IBM",
        from: "2007-10-01",
        to: "2008-05-15",
        why: "Accumulation with a spring: climax on 9 November 2007, rally, test on 4 January 2008, on 7 January under the support of 99.27 and closed above it, sign of strength on 26 February at 2.4 times the usual volume.",
        says: &[
            said("2007-11-09", "accumulation_event", 1.0),
            said("2007-11-28", "accumulation_event", 2.0),
            said("2008-01-04", "accumulation_event", 3.0),
            said("2008-01-07", "accumulation_event", 4.0),
            said("2008-01-07", "signal", 0.75),
            said("2008-02-26", "accumulation_event", 5.0),
            said("2008-02-26", "accumulation_support", 99.27),
            said("2008-03-24", "accumulation_event", 6.0),
        ],
    },
    Case {
        entry: "volume_price_analysis",
        set: &[],
        symbol: "MSFT",
        from: "2007-03-15",
        to: "2007-09-15",
        why: "Distribution with an upthrust: buying climax on 27 April 2007 at 3 times the usual volume, reaction on 7 June, above the resistance of 31.16 and back on 24 July, sign of weakness on 1 August.",
        says: &[
            said("2007-04-27", "distribution_event", 1.0),
            said("2007-06-07", "distribution_event", 2.0),
            said("2007-06-14", "distribution_event", 3.0),
            said("2007-07-24", "distribution_event", 4.0),
            said("2007-07-24", "signal", -0.75),
            said("2007-08-01", "distribution_event", 5.0),
            said("2007-08-01", "signal", -1.0),
            said("2007-08-01", "distribution_resistance", 31.16),
            said("2007-08-14", "distribution_event", 6.0),
        ],
    },
    Case {
        entry: "volume_price_analysis",
        set: &[],
        symbol: "GOOG",
        from: "2008-03-20",
        to: "2008-10-10",
        why: "Distribution at a lower high: buying climax on the gap of 18 April 2008, reaction on 21 May, secondary test, sign of weakness on 15 July.",
        says: &[
            said("2008-04-18", "distribution_event", 1.0),
            said("2008-05-21", "distribution_event", 2.0),
            said("2008-05-29", "distribution_event", 3.0),
            said("2008-07-15", "distribution_event", 5.0),
            said("2008-07-15", "signal", -1.0),
        ],
    },
    Case {
        entry: "chart_patterns",
        set: &[],
        symbol: "IXIC",
        from: "2003-10-01",
        to: "2004-02-15",
        why: "Ascending triangle: highs of 1992, 2001 and 1980 in November and December 2003 over rising lows, left upwards on 29 December; the target of 2111 was reached in January.",
        says: &[
            said("2003-12-26", "forming", 1.0),
            said("2003-12-29", "pattern", 1.0),
            said("2003-12-29", "breakout", 1.0),
            said("2003-12-29", "signal", 1.0),
        ],
    },
    Case {
        entry: "chart_patterns",
        set: &[],
        symbol: "GOOG",
        from: "2006-07-01",
        to: "2006-11-01",
        why: "Symmetrical triangle after a fall: lower highs and higher lows from August 2006 to within 4 dollars of each other, left upwards on 12 September.",
        says: &[
            said("2006-09-11", "forming", 1.0),
            said("2006-09-12", "pattern", 3.0),
            said("2006-09-12", "breakout", 1.0),
            said("2006-09-12", "signal", 1.0),
        ],
    },
    Case {
        entry: "chart_patterns",
        set: &[],
        symbol: "SPX",
        from: "2011-05-15",
        to: "2011-09-01",
        why: "Symmetrical triangle of June and July 2011, left downwards on 28 July; the target of 1197 was reached in six days.",
        says: &[
            said("2011-07-27", "forming", 1.0),
            said("2011-07-28", "pattern", 3.0),
            said("2011-07-28", "breakout", -1.0),
            said("2011-07-28", "signal", -1.0),
        ],
    },
    Case {
        entry: "chart_patterns",
        set: &[],
        symbol: "MSFT",
        from: "2001-06-01",
        to: "2001-10-01",
        why: "Descending triangle: falling highs over lows near 65 in July 2001, left downwards on 8 August.",
        says: &[
            said("2001-08-07", "forming", 1.0),
            said("2001-08-08", "pattern", 2.0),
            said("2001-08-08", "breakout", -1.0),
            said("2001-08-08", "signal", -1.0),
        ],
    },
    Case {
        entry: "chart_patterns",
        set: &[],
        symbol: "AAPL",
        from: "2004-09-15",
        to: "2004-12-15",
        why: "Flag: a gap and a rise from 38 to 48 within six days of October 2004, a quiet week at its top, left upwards on 27 October.",
        says: &[
            said("2004-10-26", "forming", 1.0),
            said("2004-10-27", "pattern", 4.0),
            said("2004-10-27", "breakout", 1.0),
            said("2004-10-27", "signal", 1.0),
        ],
    },
    Case {
        entry: "chart_patterns",
        set: &[],
        symbol: "GOOG",
        from: "2010-08-15",
        to: "2010-11-15",
        why: "Flag: a rise of 14 percent in September 2010, five days that drift down, left upwards on 5 October.",
        says: &[
            said("2010-10-04", "forming", 1.0),
            said("2010-10-05", "pattern", 4.0),
            said("2010-10-05", "breakout", 1.0),
            said("2010-10-05", "signal", 1.0),
        ],
    },
    Case {
        entry: "chart_patterns",
        set: &[],
        symbol: "FB",
        from: "2012-06-15",
        to: "2012-09-01",
        why: "Flag after a fall: from 32.9 to 27.2 within seven days of July 2012, seven days sideways under 29.5, left downwards on 26 July, the day before the first report.",
        says: &[
            said("2012-07-25", "forming", 1.0),
            said("2012-07-26", "pattern", 5.0),
            said("2012-07-26", "breakout", -1.0),
            said("2012-07-26", "signal", -1.0),
        ],
    },
    Case {
        entry: "high_tight_flag",
        set: &[],
        symbol: "GOOG",
        from: "2004-08-19",
        to: "2005-03-15",
        why: "The one of these symbols that meets the definition: 99 to 201.60 dollars, 103 percent in 42 bars, by 3 November 2004, then a correction of 18 to 20 percent. It took longer than 30 bars to get above the top, so that no breakout is said.",
        says: &[
            said("2004-11-03", "stage", 1.0),
            said("2004-11-10", "stage", 2.0),
            said("2004-11-10", "top", 201.6),
            said("2004-11-10", "signal", 0.25),
        ],
    },
    Case {
        entry: "high_tight_flag",
        set: &[("rise", "0.6")],
        symbol: "GOOG",
        from: "2005-03-15",
        to: "2005-08-15",
        why: "Not steep enough, 63 percent: the same shape with rise=0.6, a flag of 11 percent and a breakout on 27 June 2005.",
        says: &[
            said("2005-06-24", "stage", 2.0),
            said("2005-06-24", "top", 299.59),
            said("2005-06-27", "stage", 3.0),
            said("2005-06-27", "signal", 1.0),
        ],
    },
    Case {
        entry: "high_tight_flag",
        set: &[("rise", "0.6")],
        symbol: "FB",
        from: "2012-11-01",
        to: "2013-02-15",
        why: "Not steep enough, 71 percent: the same shape with rise=0.6, a flag of 9 percent and a breakout on 28 January 2013 that failed within a week.",
        says: &[
            said("2013-01-14", "stage", 1.0),
            said("2013-01-22", "stage", 2.0),
            said("2013-01-28", "stage", 3.0),
            said("2013-01-28", "top", 32.21),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_shows_every_case() {
        let text = include_str!("../../../docs/patterns.md");
        for case in CASES {
            assert!(text.contains(case.why), "{} {}", case.entry, case.symbol);
            assert!(text.contains(&format!("| {} | ", case.symbol)));
            for said in case.says {
                assert!(text.contains(said.date), "{}", said.date);
            }
        }
    }

    #[test]
    fn the_entries_exist_and_have_the_outputs() {
        for case in CASES {
            let found = crate::registry().find(case.entry).unwrap();
            let outputs = found.entry.card.outputs;
            assert!(
                case.says
                    .iter()
                    .all(|s| outputs.iter().any(|o| o.0 == s.output))
            );
            assert!(
                case.says
                    .iter()
                    .all(|s| case.from < s.date && s.date < case.to)
            );
        }
    }
}
