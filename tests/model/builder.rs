//! The steps of context-builder: take an event and read, decide and act, let go of the event.

use domain::conclude::{SlotAnswer, looked_after, vouches_for};
use domain::decide::{ContextAt, Decision, Pending, decide};
use proto_schemas::ids::UnixMillis;

use crate::model::Model;
use crate::state::{Builder, Event, Reading, State, Trigger};
use crate::steps::{Step, Steps, fresh};

impl Model {
    pub(crate) fn build(&self, state: &State, worker: usize, steps: &mut Steps) {
        let mut after = *state;
        match state.builders[worker] {
            Builder::Idle => self.take_events(state, worker, steps),
            Builder::Read(reading) => {
                let is_done = self.advance(&mut after, reading);
                after.builders[worker] = if is_done {
                    Builder::Settling(reading.trigger)
                } else {
                    after.settle(reading.trigger, Event::Ready);
                    Builder::Idle
                };
                let what = if is_done { "acts" } else { "naks its event" };
                steps.push((Step::of("builder", worker, what), after));
            }
            Builder::Settling(trigger) => {
                after.settle(trigger, Event::Done);
                after.builders[worker] = Builder::Idle;
                steps.push((Step::of("builder", worker, "lets go of its event"), after));
            }
        }
    }

    /// Takes an event and reads the conversation: context first, as the service does. What was read may be stale,
    /// but includes what it is known to have to: otherwise the service reads again.
    fn take_events(&self, state: &State, worker: usize, steps: &mut Steps) {
        let inbox = (0..state.arrived).map(Trigger::Inbox);
        for trigger in inbox.chain([Trigger::Ring(state.revision())]) {
            let mut taken = *state;
            let Some(event @ Event::Ready) = taken.event(trigger) else {
                continue;
            };
            *event = Event::Taken;
            for revision in self.oldest(state)..=state.revision() {
                for through in self.least(state, trigger, revision)..=state.arrived {
                    let reading = Reading {
                        trigger,
                        revision,
                        through,
                    };
                    let mut after = taken;
                    after.builders[worker] = Builder::Read(reading);
                    let step = Step {
                        reading: Some(reading),
                        is_sure: revision == state.revision() && through == state.arrived,
                        ..Step::of("builder", worker, "takes an event and reads")
                    };
                    steps.push((step, after));
                }
            }
        }
    }

    /// How far a reading of the inbox reaches at least. It lags behind by one entry at most.
    fn least(&self, state: &State, trigger: Trigger, revision: u8) -> u8 {
        let lagging = state.arrived.saturating_sub(1);
        if !self.rules.reads_include_trigger {
            return lagging;
        }
        lagging.max(match trigger {
            Trigger::Inbox(index) => index + 1,
            Trigger::Ring(_) => self.context(state, revision).map_or(0, |context| context.reaches),
        })
    }

    /// Decides and acts; whether the event may be let go of.
    fn advance(&self, state: &mut State, reading: Reading) -> bool {
        let offered = self
            .due(state, reading)
            .map(|turn| (self.pool.turn(turn), self.offer(state, turn)));
        match (reading.trigger, offered) {
            (Trigger::Inbox(index), offered) => {
                let message = self.message(index);
                let context = self.context(state, reading.revision);
                let record = context.as_ref().map(|context| &context.record);
                looked_after(message, u64::from(index) + 1, record)
                    || offered.is_some_and(|(known, answer)| {
                        let is_duplicate = answer == SlotAnswer::Duplicate;
                        vouches_for(&known.turn, answer, message)
                            || (is_duplicate && !self.rules.duplicates_vouch_for_one)
                    })
            }
            // A turn built on an older revision is leaving the slot; one built on this revision will ring.
            (Trigger::Ring(_), Some((_, SlotAnswer::Taken))) => state
                .turn
                .is_some_and(|slot| self.pool.turn(slot.turn).revision >= reading.revision),
            (Trigger::Ring(_), Some((_, SlotAnswer::Accepted | SlotAnswer::Duplicate)) | None) => true,
        }
    }

    /// The turn that is due for a reading of the conversation.
    fn due(&self, state: &State, reading: Reading) -> Option<u8> {
        let Reading {
            revision, through, ..
        } = reading;
        let number = usize::from(revision)
            .checked_sub(1)
            .map(|index| state.revisions[index]);
        let key = (number, revision, through);
        if let Some(due) = self.decisions.borrow().get(&key) {
            return *due;
        }
        let known = number.map(|number| self.pool.context(number));
        let cursor = known.as_ref().map_or(0, |known| known.through);
        let at = known.as_ref().map(|known| ContextAt {
            revision: revision.into(),
            record: known.record.clone(),
        });
        let pending: Vec<Pending> = (cursor + 1..=through)
            .map(|sequence| Pending {
                sequence: sequence.into(),
                entry: self.inbox[usize::from(sequence) - 1].clone(),
            })
            .collect();
        let due = match decide(at.as_ref(), &pending, &self.policy, UnixMillis(0)) {
            Decision::Idle => None,
            Decision::Fetch(_) => unreachable!("the model has no files"),
            Decision::Call(turn) => Some(self.pool.put_turn(*turn)),
        };
        self.decisions.borrow_mut().insert(key, due);
        due
    }

    fn offer(&self, state: &mut State, turn: u8) -> SlotAnswer {
        let identity = self.pool.turn(turn).identity;
        if state.known_turns.contains(identity) {
            SlotAnswer::Duplicate
        } else if state.turn.is_some() {
            SlotAnswer::Taken
        } else {
            state.known_turns.insert(identity);
            state.turn = Some(fresh(turn));
            SlotAnswer::Accepted
        }
    }
}
