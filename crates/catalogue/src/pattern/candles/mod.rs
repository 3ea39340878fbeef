//! The candlestick patterns of TA-Lib with its default settings: a table of shapes and one state that
//! runs any of them bar by bar.

mod engine;
mod longer;
mod one;
mod three;
mod two;
mod watched;

pub(crate) use engine::CandleState;
use engine::{Pattern, Run, Table};

/// How many patterns there are.
pub(crate) const COUNT: usize = 61;

macro_rules! patterns {
    ($($pattern:path),+ $(,)?) => {
        /// Every pattern, in the order of its name.
        pub(crate) static PATTERNS: [&Pattern; COUNT] = [$(&$pattern),+];

        /// What runs them, in the same order.
        static RUNS: [Run; COUNT] = [$({
            struct Entry;
            impl Table for Entry {
                const PATTERN: Pattern = $pattern;
            }
            Run::of::<Entry>()
        }),+];
    };
}

patterns![
    three::TWO_CROWS,
    longer::THREE_BLACK_CROWS,
    three::THREE_INSIDE,
    longer::THREE_LINE_STRIKE,
    three::THREE_OUTSIDE,
    three::THREE_STARS_IN_SOUTH,
    three::THREE_WHITE_SOLDIERS,
    three::ABANDONED_BABY,
    three::ADVANCE_BLOCK,
    one::BELT_HOLD,
    longer::BREAKAWAY,
    one::CLOSING_MARUBOZU,
    longer::CONCEALING_BABY_SWALLOW,
    two::COUNTERATTACK,
    two::DARK_CLOUD_COVER,
    one::DOJI,
    two::DOJI_STAR,
    one::DRAGONFLY_DOJI,
    two::ENGULFING,
    three::EVENING_DOJI_STAR,
    three::EVENING_STAR,
    three::GAP_SIDE_SIDE_WHITE,
    one::GRAVESTONE_DOJI,
    two::HAMMER,
    two::HANGING_MAN,
    two::HARAMI,
    two::HARAMI_CROSS,
    one::HIGH_WAVE,
    watched::HIKKAKE,
    watched::HIKKAKE_MODIFIED,
    two::HOMING_PIGEON,
    three::IDENTICAL_THREE_CROWS,
    two::IN_NECK,
    two::INVERTED_HAMMER,
    two::KICKING,
    two::KICKING_BY_LENGTH,
    longer::LADDER_BOTTOM,
    one::LONG_LEGGED_DOJI,
    one::LONG_LINE,
    one::MARUBOZU,
    two::MATCHING_LOW,
    longer::MAT_HOLD,
    three::MORNING_DOJI_STAR,
    three::MORNING_STAR,
    two::ON_NECK,
    two::PIERCING,
    one::RICKSHAW_MAN,
    longer::RISE_FALL_THREE_METHODS,
    two::SEPARATING_LINES,
    two::SHOOTING_STAR,
    one::SHORT_LINE,
    one::SPINNING_TOP,
    three::STALLED_PATTERN,
    three::STICK_SANDWICH,
    one::TAKURI,
    three::TASUKI_GAP,
    two::THRUSTING,
    three::TRISTAR,
    three::UNIQUE_THREE_RIVER,
    three::UPSIDE_GAP_TWO_CROWS,
    three::SIDE_GAP_THREE_METHODS,
];

/// The names, in the same order.
pub(crate) static NAMES: [&str; COUNT] = {
    let mut names = [""; COUNT];
    let mut i = 0;
    while i < COUNT {
        names[i] = PATTERNS[i].name;
        i += 1;
    }
    names
};

impl CandleState {
    /// The pattern of that place before the first bar, with its default penetration when none is given.
    pub(crate) fn new(place: usize, penetration: Option<f64>) -> Self {
        Self::start(PATTERNS[place], RUNS[place], penetration)
    }
}
