//! One optimisation on its way: window by window, each step on the disk before anybody hears of it, and
//! what was asked meanwhile done after the next step.

use super::OptimisationListener;
use super::bench::{Bench, of_service, of_strategy};
use crate::port::{
    KeptOptimisation, OptimisationWrite, PortError, StateChange, Told, Window, Wish,
};
use crate::{ServiceError, Services};
use mltrainer_backtest::walk_forward::{Step, Tried, run_window};
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::event::StateEvent;
use mltrainer_types::optimisation::{
    OptimisationEventBody, OptimisationResult, SearchStep, WindowEvent,
};
use mltrainer_types::trial::{Progress, TrialState};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest time between two writes of the points told so far.
const KEEP_EVERY: Duration = Duration::from_millis(500);

/// How a walk came to its end.
pub(super) enum Halt {
    /// All windows are done, and judged.
    Judged(Box<OptimisationResult>),
    /// Somebody asked for it.
    Wished(Wish),
    /// The process stops; it goes on later.
    Stopped,
}

/// An optimisation with all that it needs to go on.
pub(super) struct Walk<'a> {
    services: &'a Services,
    pub(super) kept: KeptOptimisation,
    bench: Arc<Bench>,
    heard: &'a mut OptimisationListener<'a>,
    /// Different points of the windows that are done.
    tried: BTreeSet<Vec<u64>>,
    /// When it began here, and how many points were told before.
    started: (Duration, u32),
}

fn bits(told: &Told) -> Vec<u64> {
    // Adding 0 makes -0 and 0 the same.
    told.point.iter().map(|x| (x + 0.0).to_bits()).collect()
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        services: &'a Services,
        kept: KeptOptimisation,
        bench: Arc<Bench>,
        heard: &'a mut OptimisationListener<'a>,
    ) -> Self {
        let tried = kept.windows.iter().flat_map(|w| &w.told).map(bits);
        Self {
            tried: tried.collect(),
            started: (services.monotonic(), kept.view.progress.done),
            services,
            kept,
            bench,
            heard,
        }
    }

    /// Goes on from where it stands.
    pub(super) async fn run(&mut self) -> Result<Halt, ServiceError> {
        (self.heard)(&self.kept.view);
        if let Some(wish) = self.moved(TrialState::Training).await? {
            return Ok(Halt::Wished(wish));
        }
        while self.kept.windows.len() < self.bench.folds.len() {
            let window = match self.searched().await? {
                Ok(window) => window,
                Err(halt) => return Ok(halt),
            };
            if let Some(wish) = self.keep_window(*window).await? {
                return Ok(Halt::Wished(wish));
            }
        }
        if let Some(wish) = self.moved(TrialState::Evaluating).await? {
            return Ok(Halt::Wished(wish));
        }
        self.judged().await.map(|r| Halt::Judged(Box::new(r)))
    }

    /// Points told, with so many in the window that is searched.
    fn progress(&self, told: usize) -> Progress {
        let each = self.bench.each;
        let windows = number(self.kept.windows.len());
        let total = each.saturating_mul(number(self.bench.folds.len()));
        let done = windows
            .saturating_mul(each)
            .saturating_add(number(told).min(each))
            .min(total);
        let (began, before) = self.started;
        let took = self.services.monotonic().saturating_sub(began);
        let here = done.saturating_sub(before);
        let left = total - done;
        Progress {
            done,
            total,
            eta_seconds: (here > 0 && left > 0)
                .then(|| took.as_secs_f64() / f64::from(here) * f64::from(left)),
        }
    }

    fn write_of(&self) -> OptimisationWrite {
        OptimisationWrite::new(self.services.now(), number(self.kept.windows.len()))
    }

    /// Writes a step, tells listeners, and gives what somebody asked meanwhile.
    async fn write(&mut self, write: OptimisationWrite) -> Result<Option<Wish>, PortError> {
        let (progress, state) = (write.progress, write.state.clone());
        let at = write.at;
        let id = self.kept.view.id.clone();
        let inner = &self.services.inner;
        let written = inner.optimisations.write_optimisation(&id, write).await?;
        let view = &mut self.kept.view;
        if let Some(last) = written.events.last() {
            view.last_event = last.seq;
        }
        if let Some(progress) = progress {
            view.progress = progress;
        }
        if let Some(change) = state {
            view.state = change.state;
            view.reason = change.reason;
            view.updated_at = at;
        }
        inner.searches.hub.send(id.as_str(), &written.events);
        // One that runs just runs on.
        Ok(written.wish.filter(|w| *w != Wish::Resume))
    }

    /// Moves to a state, unless it is there.
    async fn moved(&mut self, state: TrialState) -> Result<Option<Wish>, ServiceError> {
        if self.kept.view.state == state {
            return Ok(None);
        }
        let id = &self.kept.view.id;
        // The change of state would grant a wish unheard.
        let store = &self.services.inner.optimisations;
        if let Some(wish) = store.wished_of_optimisation(id).await?
            && wish != Wish::Resume
        {
            return Ok(Some(wish));
        }
        let progress = self.progress(self.kept.told.len());
        let write = self.state(state, None, progress);
        Ok(self.write(write).await?)
    }

    fn state(
        &self,
        state: TrialState,
        reason: Option<String>,
        progress: Progress,
    ) -> OptimisationWrite {
        OptimisationWrite {
            state: Some(StateChange {
                state,
                reason: reason.clone(),
            }),
            progress: Some(progress),
            events: vec![OptimisationEventBody::State(StateEvent {
                state,
                reason,
                progress,
            })],
            ..self.write_of()
        }
    }

    /// Ends it, or lets it wait.
    pub(super) async fn close(
        &mut self,
        state: TrialState,
        reason: Option<String>,
        result: Option<Box<OptimisationResult>>,
        audit: Vec<AuditEntry>,
    ) -> Result<(), ServiceError> {
        let progress = Progress {
            eta_seconds: None,
            ..self.progress(self.kept.told.len())
        };
        let write = OptimisationWrite {
            result: result.clone(),
            audit,
            ..self.state(state, reason, progress)
        };
        self.write(write).await?;
        self.kept.view.result = result.map(|r| *r);
        (self.heard)(&self.kept.view);
        Ok(())
    }

    /// The window that comes next, searched and tested; or why it was not.
    async fn searched(&mut self) -> Result<Result<Box<Window>, Halt>, ServiceError> {
        let place = self.kept.windows.len();
        let Some(fold) = self.bench.folds.get(place).cloned() else {
            return Ok(Err(Halt::Stopped));
        };
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Vec<Told>>();
        let stop = Arc::new(AtomicBool::new(false));
        let (work, clock, told) = (
            self.bench.clone(),
            self.services.inner.clock.clone(),
            self.kept.told.clone(),
        );
        let (mine, all) = (stop.clone(), self.services.inner.searches.clone());
        let searching = aside(move || {
            let mut last = clock.monotonic();
            let mut seen = |told: &[Told]| {
                if mine.load(Ordering::Relaxed) || all.is_closing() {
                    return false;
                }
                let now = clock.monotonic();
                if now.saturating_sub(last) < KEEP_EVERY {
                    return true;
                }
                last = now;
                sender.send(told.to_vec()).is_ok()
            };
            let test = |point: &[f64], span: Range<usize>| {
                work.test(point, span).map_err(|e| of_service(&e))
            };
            run_window(&work.how, place, &fold, &told, &test, &mut seen)
                .map_err(|e| of_strategy(&e))
        })?;
        while let Some(told) = receiver.recv().await {
            let kept = self.keep_told(told).await;
            if !matches!(kept, Ok(None)) {
                // The search stops at its next point; nobody waits for what it would still say.
                stop.store(true, Ordering::Relaxed);
            }
            if let Some(wish) = kept? {
                return Ok(Err(Halt::Wished(wish)));
            }
        }
        match searching.await {
            Ok(Ok(Step::Done(window))) => Ok(Ok(window)),
            Ok(Ok(Step::Stopped)) => Ok(Err(Halt::Stopped)),
            Ok(Err(e)) => Err(e),
            Err(_) => Err(ServiceError::Internal(
                "the thread of a search ended without a result".to_owned(),
            )),
        }
    }

    /// Different points of the windows that are done and of these.
    fn tried_with(&self, told: &[Told]) -> u32 {
        let new: BTreeSet<Vec<u64>> = told.iter().map(bits).collect();
        number(self.tried.len() + new.difference(&self.tried).count())
    }

    async fn keep_told(&mut self, told: Vec<Told>) -> Result<Option<Wish>, ServiceError> {
        let progress = self.progress(told.len());
        let best = told
            .iter()
            .filter_map(|t| Some((t.value?, t)))
            .filter(|(value, _)| value.is_finite())
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let step = SearchStep {
            window: number(self.kept.windows.len() + 1),
            windows: number(self.bench.folds.len()),
            told: number(told.len()),
            evaluations: self.bench.each,
            best: best.map(|(value, _)| -value),
            params: best.map(|(_, t)| self.bench.params(&t.point)),
            progress,
        };
        let write = OptimisationWrite {
            tried: Some(self.tried_with(&told)),
            told: Some(told.clone()),
            progress: Some(progress),
            events: vec![OptimisationEventBody::Step(step)],
            ..self.write_of()
        };
        let wish = self.write(write).await?;
        self.kept.view.told = number(told.len());
        self.kept.told = told;
        (self.heard)(&self.kept.view);
        Ok(wish)
    }

    async fn keep_window(&mut self, window: Window) -> Result<Option<Wish>, ServiceError> {
        let done = self.bench.done(window);
        let write = self.write_of();
        self.tried.extend(done.window.told.iter().map(bits));
        self.kept.windows.push(done.window.clone());
        self.kept.view.windows.push(done.shown.clone());
        self.kept.told = Vec::new();
        self.kept.view.told = 0;
        let progress = self.progress(0);
        let event = WindowEvent {
            number: number(self.kept.windows.len()),
            windows: number(self.bench.folds.len()),
            window: done.shown.clone(),
            progress,
        };
        let write = OptimisationWrite {
            window: Some(Box::new(done)),
            tried: Some(number(self.tried.len())),
            progress: Some(progress),
            events: vec![OptimisationEventBody::Window(event)],
            ..write
        };
        let wish = self.write(write).await?;
        (self.heard)(&self.kept.view);
        Ok(wish)
    }

    async fn judged(&mut self) -> Result<OptimisationResult, ServiceError> {
        let symbols = &self.kept.view.spec.symbols;
        let names: Vec<String> = symbols.iter().map(|s| s.symbol.clone()).collect();
        let key = self.kept.spec_sha256.clone();
        let store = &self.services.inner.backtests;
        let before = store.tried_on(&names, &key).await?;
        let others = before
            .models
            .saturating_add(before.searched)
            .saturating_add(number(before.ratios.len()));
        let before = Tried {
            number: others as usize,
            ratios: before.ratios.into_iter().flatten().collect(),
        };
        let (bench, all) = (self.bench.clone(), self.kept.windows.clone());
        let judging = aside(move || bench.judged(&all, &before, &key))?;
        judging.await.map_err(|_| {
            ServiceError::Internal("the thread of a judgement ended without a result".to_owned())
        })?
    }
}

/// Heavy work on a thread of its own at lowered priority: pages come first.
fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<tokio::sync::oneshot::Receiver<T>, ServiceError> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("optimisation".to_owned());
    let spawned = thread.spawn(move || {
        mltrainer_trials::lower_priority();
        // Nobody may wait any more.
        let _ = sender.send(work());
    });
    spawned.map_err(|e| ServiceError::Unavailable(format!("no thread could be started: {e}")))?;
    Ok(receiver)
}
