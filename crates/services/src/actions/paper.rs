//! A paper: what rules found in it, and its claims beside what was measured.

use super::{Reply, Stage, shown, shown_percent};
use crate::{Authority, ServiceError, Services};
use mltrainer_types::assistant::UploadPaper;
use mltrainer_types::chat::ActionOutcome;
use mltrainer_types::paper::{ClaimKind, Paper};

/// Claims that are listed.
const CLAIMS: usize = 20;

fn cell(kind: ClaimKind, x: Option<f64>) -> String {
    match x {
        Some(x) if kind.is_share() => shown_percent(x),
        other => shown(other),
    }
}

fn report(reply: &mut Reply, paper: &Paper) {
    let r = &paper.reading;
    let title = if r.title.is_empty() {
        &paper.file
    } else {
        &r.title
    };
    let title = reply.name("title", title);
    let pages = reply.count("pages", paper.pages);
    let by = match &r.by_model {
        Some(m) => format!("by rules and by {}", reply.name("language model", &m.model)),
        None => "by rules".to_owned(),
    };
    reply.say(&format!("{title} was read {by}: {pages} pages."));
    if let Some(method) = r.methods.first() {
        let name = reply.name("method", &method.name);
        reply.say(&format!("It speaks most of {name}."));
    }
    if let Some((first, last)) = r.years {
        let (first, last) = (
            reply.name("first year", first.to_string()),
            reply.name("last year", last.to_string()),
        );
        reply.say(&format!("Its sample runs from {first} to {last}."));
    }
    let claims = reply.count("claims", r.all_claims().count());
    reply.say(&format!(
        "Results that its sentences claim: {claims}. They are its words, not facts of this program."
    ));
    match (r.testable(), &paper.test) {
        (Some(strategy), Some(test)) => {
            let (name, symbols) = (
                reply.name("strategy", &strategy.strategy),
                reply.name("symbols", test.symbols.join(", ")),
            );
            let verdict = reply.name("verdict", &test.verdict);
            reply.paragraph(&format!(
                "Its method comes to the ready-made strategy {name}, which was tested on {symbols}: {verdict}"
            ));
            let rows = test
                .compared
                .iter()
                .map(|c| {
                    vec![
                        c.kind.title().to_owned(),
                        cell(c.kind, Some(c.claimed)),
                        cell(c.kind, c.measured),
                        cell(c.kind, c.benchmark),
                    ]
                })
                .collect();
            let columns = ["Figure", "Claimed", "Measured here", "Held in equal parts"];
            reply.table("Claimed and measured", &columns, rows);
            reply.note("Another market over other years: a difference refutes nothing, and an agreement proves nothing.");
        }
        (Some(strategy), None) => {
            let name = reply.name("strategy", &strategy.strategy);
            reply.paragraph(&format!(
                "Its method comes to the ready-made strategy {name}; it was not tested."
            ));
        }
        (None, _) => {
            reply.paragraph(
                "Its method is none of the ready-made strategies, so nothing was tested.",
            );
        }
    }
    let rows: Vec<Vec<String>> = r
        .all_claims()
        .take(CLAIMS)
        .map(|c| {
            vec![
                c.kind.title().to_owned(),
                cell(c.kind, Some(c.value)),
                c.passage.page.to_string(),
                c.passage.text.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        reply.table(
            "What it claims",
            &["Figure", "Value", "Page", "Its words"],
            rows,
        );
    }
    for note in &r.notes {
        reply.note(note);
    }
}

impl Services {
    pub(super) async fn act_upload_paper(
        &self,
        who: &Authority,
        p: &UploadPaper,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let found = match self.staged_file(&p.file) {
            Ok(file) => self.add_paper(who, file).await,
            Err(_) => self.paper(&p.file).await,
        };
        let paper = found.map_err(|e| match e {
            ServiceError::NotFound { id, .. } => ServiceError::invalid(
                "file",
                format!(
                    "{id} is not here: upload it on the page of papers (/papers), or run `mltrainer paper add FILE`"
                ),
            ),
            other => other,
        })?;
        let mut reply = Reply::new(Some(format!("/papers/{}", paper.id)));
        report(&mut reply, &paper);
        if let Some(test) = &paper.test {
            reply.next(format!("Show back test {}", test.backtest));
        }
        reply.done(&stage.said, &paper)
    }
}
