//! What can happen next. Each worker's step is as small as what a crash can separate.

use crate::list::Set;
use crate::model::Model;
use crate::state::{Builder, Caller, Event, MOST_REVISIONS, Reading, Sender, Slot, State, Trigger};

/// A step: who does what. Written out only when a path is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) who: &'static str,
    pub(crate) number: u8,
    pub(crate) what: &'static str,
    pub(crate) reading: Option<Reading>,
    /// A message may wait for this step: it is no fault, no stale read and nothing from outside.
    pub(crate) is_sure: bool,
}

impl Step {
    pub(crate) fn of(who: &'static str, worker: usize, what: &'static str) -> Self {
        Self {
            who,
            number: u8::try_from(worker).unwrap(),
            what,
            reading: None,
            is_sure: true,
        }
    }

    pub(crate) fn unsure(self) -> Self {
        Self {
            is_sure: false,
            ..self
        }
    }
}

pub(crate) type Steps = Vec<(Step, State)>;

impl Model {
    /// All states that may follow, each with what leads there.
    pub(crate) fn steps(&self, state: &State) -> Steps {
        let mut steps = Vec::new();
        if state.revisions.len() > MOST_REVISIONS {
            return steps;
        }
        self.arrive(state, &mut steps);
        for worker in 0..state.builders.len() {
            self.build(state, worker, &mut steps);
        }
        for worker in 0..state.callers.len() {
            self.call(state, worker, &mut steps);
        }
        for worker in 0..state.senders.len() {
            self.send(state, worker, &mut steps);
        }
        self.crash(state, &mut steps);
        self.wake(state, &mut steps);
        self.forget(state, &mut steps);
        for (_, state) in &mut steps {
            *state = state.canonical();
        }
        steps
    }

    fn arrive(&self, state: &State, steps: &mut Steps) {
        let index = usize::from(state.arrived);
        if index < self.inbox.len() {
            let mut after = *state;
            after.events[index] = Event::Ready;
            after.arrived += 1;
            steps.push((Step::of("message", index, "arrives").unsure(), after));
        }
    }

    /// A worker dies with what it holds.
    fn crash(&self, state: &State, steps: &mut Steps) {
        if state.crashes == self.limits.crashes {
            return;
        }
        let after = State {
            crashes: state.crashes + 1,
            ..*state
        };
        let dies = |who, worker| Step::of(who, worker, "dies").unsure();
        for (worker, builder) in state.builders.iter().enumerate() {
            let mut after = after;
            after.builders[worker] = Builder::Idle;
            match *builder {
                Builder::Idle => continue,
                Builder::Read(Reading { trigger, .. }) | Builder::Settling(trigger) => {
                    after.settle(trigger, Event::Ready);
                }
            }
            steps.push((dies("builder", worker), after));
        }
        for (worker, caller) in state.callers.iter().enumerate() {
            let mut after = after;
            after.callers[worker] = Caller::Idle;
            match *caller {
                Caller::Idle => continue,
                Caller::Looking(held)
                | Caller::Answered(held)
                | Caller::Delivering(held)
                | Caller::Settling(held) => after.turn = let_go(state.turn, held.is_current),
            }
            steps.push((dies("caller", worker), after));
        }
        for (worker, sender) in state.senders.iter().enumerate() {
            let mut after = after;
            after.senders[worker] = Sender::Idle;
            after.egress_failed = true;
            match *sender {
                Sender::Idle => continue,
                Sender::Looking(held)
                | Sender::Sending(held, _)
                | Sender::Writing(held, _)
                | Sender::Settling(held) => after.delivery = let_go(state.delivery, held.is_current),
            }
            steps.push((dies("egress", worker), after));
        }
    }

    /// A worker has slept so long that what it holds is delivered again; it goes on all the same.
    fn wake(&self, state: &State, steps: &mut Steps) {
        if state.wakes == self.limits.wakes {
            return;
        }
        let after = State {
            wakes: state.wakes + 1,
            ..*state
        };
        let slept = |who| Step::of(who, 0, "has slept, its work comes again").unsure();
        let inbox = (0..state.arrived).map(Trigger::Inbox);
        for trigger in inbox.chain([Trigger::Ring(state.revision())]) {
            let mut after = after;
            if let Some(event @ Event::Taken) = after.event(trigger) {
                *event = Event::Ready;
                steps.push((slept("builder"), after));
            }
        }
        if state.turn.is_some_and(|slot| slot.held) {
            let turn = let_go(state.turn, true);
            steps.push((slept("caller"), State { turn, ..after }));
        }
        if state.delivery.is_some_and(|slot| slot.held) {
            let delivery = let_go(state.delivery, true);
            let egress_failed = true;
            steps.push((
                slept("egress"),
                State {
                    delivery,
                    egress_failed,
                    ..after
                },
            ));
        }
    }

    /// The broker forgets. After a restart it finds the identities of what it stores again, but not those of
    /// what left its work queues; when its duplicate window has passed it knows none.
    fn forget(&self, state: &State, steps: &mut Steps) {
        if state.lapses == self.limits.lapses {
            return;
        }
        let mut passed = *state;
        passed.lapses += 1;
        passed.known_turns = Set::EMPTY;
        passed.known_deliveries = Set::EMPTY;
        passed.known_transcripts = Set::EMPTY;
        let mut restarted = passed;
        if let Some(slot) = state.turn {
            restarted.known_turns.insert(self.pool.turn(slot.turn).identity);
        }
        if let Some(slot) = state.delivery {
            restarted.known_deliveries.insert(self.pool.turn(slot.turn).name);
        }
        restarted.known_transcripts = state.known_transcripts;
        steps.push((Step::of("broker", 0, "restarts").unsure(), restarted));
        steps.push((Step::of("broker", 0, "has forgotten all").unsure(), passed));
    }
}

/// The slot after a worker has given its message back.
pub(crate) fn let_go(slot: Option<Slot>, is_current: bool) -> Option<Slot> {
    slot.map(|slot| Slot {
        held: slot.held && !is_current,
        ..slot
    })
}

/// The slot after a worker has taken its message, if that is to be had.
pub(crate) fn take(slot: Option<Slot>) -> Option<(Slot, Option<Slot>)> {
    let slot = slot.filter(|slot| !slot.held)?;
    let taken = Slot {
        held: true,
        seen: true,
        ..slot
    };
    Some((slot, Some(taken)))
}

/// The message that a publish puts into a slot.
pub(crate) fn fresh(turn: u8) -> Slot {
    Slot {
        turn,
        held: false,
        seen: false,
    }
}
