//! What each action is asked for with: patterns of concepts and recognised things, as data.
//!
//! What: a pattern is a line of elements, all of which must be in the sentence, in any order. A word is
//! a concept of the vocabulary, `@x` something recognised, `#x` a concept in the plural, `a|b` either,
//! `?x` welcome but not needed, `!x` must not be there, `+n` makes the pattern heavier by n.
//! Formula: the weight of a pattern is 2 for each concept, 1.5 for each thing recognised (2.5 where two
//! are needed, as for a comparison), half of it for a welcome one, and 0.5 where the sentence begins
//! with its verb. The heaviest pattern, so the most specific reading, wins; of equals the first action.
//! Fails when: a weight below [`LEAST`] is no understanding.
//! Not claimed: grammar. Order matters only to the values, which bind to their neighbours.

/// The least weight that counts as understood.
pub(super) const LEAST: f64 = 3.0;

/// Patterns by action, in the order of the list of actions.
pub(super) const PATTERNS: &[(&str, &[&str])] = &[
    ("analyse_symbol", &[
        "analyse @symbol !portfolio !paper !@pdf !trial !@trial !@models2",
        "analyse @topic !@trial !portfolio !memory",
        "analyse universe !portfolio",
        "analyse @topic @symbol !portfolio !@trial",
        "outlook @symbol !portfolio !@models2 !memory", "about @symbol !@entry !@strategy !goal !option !data !portfolio !prices !memory !@trial !@date",
    ]),
    ("run_trial", &[
        "train +1 !ensemble", "train model|@model|@symbol !ensemble", "train @model @symbol", "train model @symbol !ensemble",
        "new_trial +1.5", "new_trial @symbol", "new_trial @symbol @model", "show @model @symbol !explain !plot", "run trial !@trial !#trial", "run trial @symbol !@trial", "run trial @symbol @model !@trial",
        "run @model @symbol", "run model @symbol",
        "forecast +1", "forecast @symbol|@target|@model", "forecast @symbol @model", "forecast @target @symbol",
        "forecast @target @symbol @model",
    ]),
    ("train_ensemble", &[
        "train|build|want|combine|run|forecast ensemble", "train|build|want|combine|run|forecast|show ensemble @symbol",
        "ensemble train @symbol", "combine @models2 !teach", "combine @models2 @symbol !teach",
        "combine|train|build @models2 ensemble @symbol",
    ]),
    ("compare_models", &[
        "compare @models2", "versus @models2", "better @models2",
        "compare @models2 @symbol", "versus @models2 @symbol", "better @models2 @symbol",
        "better @models2 forecast @symbol", "compare @models2 model @symbol",
        "compare model !#trial !portfolio", "compare model @symbol !portfolio",
    ]),
    ("compare_symbols", &[
        "compare @symbols2 !portfolio !@model !model", "versus @symbols2 !portfolio !@model !model !strategy !backtest",
        "better @symbols2 !portfolio !@model !model !optimise",
        "correlate @symbols2 !portfolio !alert", "correlate @symbol !portfolio !alert",
        "compare @symbol !portfolio !@model !model !trial",
    ]),
    ("compare_trials", &[
        "compare @trials2", "better @trials2", "compare|versus @trial trial", "compare trial !@model !portfolio", "compare|better|list @trials2 trial",
    ]),
    ("list_trials", &[
        "all_trials +1.5", "all_trials @symbol +1", "list #trial", "show #trial", "@state #trial", "list #trial @state", "show #trial @state", "list #trial so_far", "list trial so_far",
        "list #trial @symbol", "show #trial @symbol", "@state #trial @symbol",
    ]),
    ("show_trial", &[
        "show|status @trial", "status|show @trial the_result|trial", "status @ref_trial !backtest_thing !portfolio !goal",
        "show|status trial !#trial !backtest_thing", "status @ref_trial trial !#trial", "show|status the_result !backtest_thing !@backtest !portfolio",
        "show|status the_result trial !#trial", "the_result +1 !backtest_thing !@backtest !portfolio !@symbol !audit !paper !goal",
    ]),
    ("explain_trial", &[
        "explain @trial", "explain @ref_trial", "explain trial", "explain the_result", "explain the_result trial", "explain the_result @trial",
        "explain feature trial|@trial|@ref_trial", "why @model", "why trial|the_result|@trial", "why trial @state", "why the_result @trial|trial",
        "explain feature @ref_trial +1", "why @model trial|@trial", "explain @model trial|@trial|the_result", "explain @model better trial|@trial|the_result", "explain trial feature",
    ]),
    ("pause_trial", &["pause +1 !own !portfolio", "pause @trial", "pause @ref_trial", "pause trial !#trial", "pause @ref_trial trial", "pause @trial trial"]),
    ("resume_trial", &["resume +1", "resume @trial", "resume @ref_trial", "resume trial", "resume @ref_trial trial", "resume @trial trial", "resume pause trial", "resume pause @trial trial", "again|run pause trial", "again|run pause @trial"]),
    ("cancel_trial", &["cancel @trial", "cancel @ref_trial !alert_thing", "cancel trial !#trial", "cancel @ref_trial trial", "cancel @trial trial"]),
    ("what_if_trial", &[
        "what_if @model ?instead !portfolio", "what_if @horizon !portfolio !fall", "what_if @date !portfolio !would_have !trade_change",
        "what_if @target ?instead !portfolio !fall !@pairs", "what_if trial|@trial", "what_if @trial @model|@horizon|cost", "what_if cost !portfolio",
        "again trial|@trial|@ref_trial", "again trial|@ref_trial @symbol|@model", "again trial @ref_trial @symbol|@model", "what_if @model @horizon ?instead !portfolio",
        "what_if @date data|run !portfolio !would_have", "again @model|@symbol",
    ]),
    ("screen_universe", &[
        "screen universe !portfolio", "screen @style !portfolio !memory", "screen @rule", "screen universe @style !portfolio", "screen universe @rule",
        "list|show universe @style !portfolio !optimise", "list|show universe @rule", "screen|list @style universe @rule", "screen @symbols2 @style", "universe @rule", "universe @style !portfolio !optimise", "screen @style +0.5",
    ]),
    ("optimise_portfolio", &[
        "optimise portfolio !goal|goal_is !backtest", "optimise @allocation !goal|goal_is !@strategy !backtest", "build|want|show|screen|list @allocation portfolio !status", "@allocation portfolio !my !risk !backtest", "@allocation portfolio @symbols2 !backtest !risk", "list weights @allocation @symbols2", "list weights @symbols2", "build portfolio !alert !what_if",
        "optimise portfolio @allocation !goal|goal_is !backtest", "optimise @symbols2 !strategy !walk_forward !tune", "optimise @allocation @symbols2 !goal|goal_is !backtest",
        "rebalance portfolio !backtest !what_if", "rebalance portfolio @allocation !backtest", "frontier +1", "show frontier @symbol", "frontier @symbols2",
        "optimise portfolio @allocation @symbols2 !backtest", "better @allocation portfolio", "optimise weights @symbols2",
    ]),
    ("backtest_portfolio", &[
        "backtest portfolio", "would_have portfolio", "backtest @pairs", "backtest portfolio @pairs", "would_have portfolio @symbols2", "backtest portfolio @symbols2",
        "backtest portfolio rebalance", "would_have @pairs",
    ]),
    ("show_portfolio", &[
        "show|list|status portfolio !@allocation !risk", "own +1", "list own", "status portfolio my !risk", "show|list portfolio my !risk", "portfolio my !order !fall", "worth portfolio my",
        "compare|versus portfolio @symbol !risk", "performance portfolio", "performance portfolio @symbol", "list own portfolio", "versus performance portfolio @symbol",
    ]),
    ("portfolio_risk", &[
        "risk portfolio !optimise", "risk portfolio my !optimise", "risk my !optimise", "risk @pairs !optimise", "list|show|about risk portfolio", "show|about|list risk my", "show|about|list risk portfolio my",
        "risk portfolio @symbol !optimise", "risk what_if portfolio", "risk +1 !optimise !@allocation !goal|goal_is !alert !@symbol !@target !forecast !advise !teach",
    ]),
    ("what_if_portfolio", &[
        "what_if trade_change @symbol !backtest !strike", "what_if trade_change portfolio !backtest", "what_if trade_change @symbol portfolio !backtest", "what_if fall !@symbol", "what_if fall market|portfolio",
        "what_if portfolio @pairs !backtest", "what_if trade_change @pairs !backtest", "react portfolio fall|@percent", "what_if fall @percent", "what_if trade_change @percent @symbol !backtest !strike", "react portfolio fall market",
        "react portfolio fall market @percent",
    ]),
    ("run_backtest", &[
        "backtest +1 !portfolio !trial", "backtest @strategy", "backtest @symbol !portfolio !@tool", "backtest @strategy @symbol", "backtest strategy !portfolio",
        "backtest strategy @symbol", "would_have @strategy", "would_have @strategy @symbol", "run @strategy @symbol !tune", "run @strategy strategy !tune !develop",
        "backtest @strategy strategy @symbol", "run @strategy strategy @symbol !tune !walk_forward", "how_would @strategy @symbol", "run backtest @symbol", "run backtest @strategy @symbol", "show|status @strategy @symbol !portfolio !universe !tune !@backtest",
    ]),
    ("show_backtest", &[
        "show|status @backtest", "show|status backtest_thing !#backtest_thing", "show trades @backtest|backtest_thing", "trades @backtest", "trades backtest_thing", "status|show backtest_thing @backtest",
    ]),
    ("list_backtests", &[
        "list #backtest_thing", "show #backtest_thing", "list backtest_thing so_far", "show #backtest_thing @symbol", "list #backtest_thing @symbol", "list #backtest_thing so_far",
    ]),
    ("optimise_strategy", &[
        "tune @strategy !portfolio", "tune strategy !portfolio", "tune @strategy @symbol !portfolio", "tune params !portfolio !trial", "walk_forward @symbol +1", "walk_forward tune",
        "tune params @strategy", "tune params @strategy @symbol", "tune strategy @strategy @symbol !portfolio", "walk_forward tune @strategy @symbol", "tune @strategy strategy @symbol @metric",
        "walk_forward tune @strategy @symbol run", "tune params @strategy strategy @symbol",
    ]),
    ("develop_strategy", &["develop strategy +1 !portfolio !@pdf", "develop strategy @topic +1 !@pdf", "develop strategy @symbol +1 !@pdf", "develop strategy @strategy +1 !@pdf", "develop want strategy @topic +1 !@pdf"]),
    ("create_alert", &[
        "alert @symbol", "alert portfolio", "alert @topic", "alert @symbol @topic", "alert portfolio @topic", "build|set|want alert_thing", "build|set|want alert_thing @topic|@symbol|portfolio",
        "alert @symbol fall", "alert portfolio fall", "alert portfolio @topic fall",
    ]),
    ("list_alerts", &["list|show alert_thing", "list|show alert_thing @symbol", "am_i alert_thing", "list am_i alert_thing", "list #alert_thing", "list|show #alert_thing set"]),
    ("remove_alert", &["remove|cancel alert_thing", "remove|cancel alert_thing @symbol|portfolio", "remove|cancel @alert", "remove|cancel alert_thing @alert"]),
    ("price_option", &[
        "worth option", "worth @right", "worth option @right", "worth option @right @symbol", "worth option @symbol", "option @right @symbol", "worth option @right apply", "option @right cost", "option @right @symbol strike", "what_if|show option @right @symbol", "what_if|show option @right @symbol cost",
    ]),
    ("list_datasets", &[
        "list dataset|data !quality !where_from", "list data @symbol !quality !where_from !plot", "list @datakind", "list data @datakind", "list dataset run !feature !model",
    ]),
    ("show_data", &[
        "show|plot @symbol !@tool !portfolio !analyse", "prices @symbol !alert !fetch", "show|plot prices", "show|plot prices @symbol !alert", "show|plot @dataset", "plot @symbol !@tool",
        "status @symbol @date !portfolio !@strategy !trial !@trial", "show|list prices @symbol @date", "prices @symbol @date !alert !fetch", "plot +1", "@dataset +1 !import",
    ]),
    ("data_quality", &[
        "check data", "quality data", "check|list|show quality", "check data @symbol", "quality data @symbol", "quality @dataset|@symbol", "check|list|show quality data",
        "check|list|show quality data @symbol|@dataset",
    ]),
    ("list_features", &["list|show feature !trial !@model", "list|show feature @group !@model", "feature @group !forecast !train !run", "list|show #feature", "list input_of model", "list input_of model run"]),
    ("list_models", &[
        "list|show #catalogue !feature !input_of !@symbol", "list|show catalogue_word", "list @task !@symbol", "list run @task|catalogue !feature !input_of !@symbol", "list|show #catalogue @family !@symbol !feature",
        "list|show #catalogue @task !@symbol !feature", "list|show catalogue_word model", "list @family !@symbol !feature !portfolio !trial !#trial !audit !alert_thing !data !quality",
    ]),
    ("show_model", &[
        "about @entry !@symbol !@trial !better", "about model !#model !@trial !trial !override", "show @entry !@symbol !@trial !better !trial !train !run", "list about @entry !@symbol !trial !better",
        "about @entry model !@symbol !trial", "show model !#model !trial !@trial !catalogue_word", "explain about @entry !@symbol !trial !@trial",
    ]),
    ("run_model", &[
        "compute|show @tool @symbol|@dataset !train !backtest", "run @tool @symbol|@dataset", "@tool @symbol !train !portfolio !alert", "compute @tool !portfolio !trial", "apply @entry @symbol|@dataset +1",
        "compute @tool @symbol|@dataset !portfolio", "run compute @tool @symbol", "run compute @tool",
    ]),
    ("show_lineage", &[
        "where_from @trial|@backtest|@dataset|@symbol !strategy !portfolio", "where_from data @ref_trial", "where_from data @trial|@backtest|@symbol", "show lineage", "show lineage @trial|@backtest|@dataset|@ref_trial|trial",
        "where_from lineage @trial|@backtest|@dataset|@symbol|@ref_trial", "come_from prices @symbol", "where_from the_result @trial|@backtest lineage", "where_from|lineage backtest_thing !develop !strategy", "where_from data|lineage backtest_thing|trial !develop !strategy", "where_from data lineage backtest_thing|trial", "where_from lineage @trial feature", "where_from @trial feature",
    ]),
    ("list_audit", &[
        "show|list audit", "who @trial|@audited", "who @audited @trial", "list refused", "who list", "who @date", "audit @trial|@date|@audited", "show|list audit @trial|@date|@audited",
        "list refused audit", "list refused @date", "list audit refused @date", "list who @date", "audit refused",
    ]),
    ("verify_audit", &["verify audit"]),
    ("import_data", &["import @csv", "import file", "import file @csv"]),
    ("fetch_data", &["fetch @source", "fetch @symbol !where_from", "fetch @source @symbol", "fetch data !where_from", "fetch data @source", "fetch prices @symbol", "fetch prices @source @symbol"]),
    ("set_goal", &["goal_is +1 !list !about !how_close", "goal_is @metric !list", "set goal", "set goal @metric", "set goal_is @metric", "want @metric !portfolio !alert !backtest !train !forecast", "set|build goal @metric optimise"]),
    ("show_goal", &["show|list|about goal", "list goal_is +1", "status goal", "how_close goal", "show|list|about goal my", "how_close goal my", "goal my status", "list goal goal_is"]),
    ("advise", &["advise +1.5 !portfolio", "advise trial|@trial|engine", "advise trial @ref_trial", "advise build|show"]),
    ("adjust_trial", &[
        "adjust @param", "adjust @param trial|@trial|@ref_trial", "adjust trial|@trial", "cancel early", "cancel early trial|@trial|@ref_trial", "adjust @mpairs", "adjust @mpairs trial|@trial|@ref_trial", "adjust @param trial @ref_trial",
    ]),
    ("override_models", &["override model|@model", "override trial|@trial", "override @model trial|@trial", "override model trial|@trial", "override model @model", "override model @model trial|@trial", "override run @model trial|@trial"]),
    ("teach_methodology", &["teach +1.5", "teach methodology", "teach engine", "teach methodology engine"]),
    ("undo", &["undo +1.5", "undo intervention +1", "undo @change"]),
    ("search_memory", &["remember +1.5 !goal|goal_is", "search|screen memory", "search|screen memory remember", "remember list +1", "remember memory"]),
    ("upload_paper", &["read|import paper", "read|import @pdf", "@pdf +1.5", "read|import paper @pdf", "develop @pdf strategy"]),
    ("help", &["help +1.5", "hello +1.5"]),
];
