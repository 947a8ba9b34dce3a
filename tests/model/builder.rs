//! The steps of context-builder: take an event and read, decide and act, let go of the event.

use std::rc::Rc;

use domain::conclude::{SlotAnswer, looked_after, vouches_for};
use domain::decide::{ContextAt, Decision, Pending, decide};
use proto_schemas::ids::UnixMillis;
use proto_schemas::inbox::InboxEntry;

use crate::model::Model;
use crate::pool::KnownTurn;
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
            for revision in self.oldest_for(state, trigger)..=state.revision() {
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

    /// The oldest revision that a reading may bring.
    fn oldest_for(&self, state: &State, trigger: Trigger) -> u8 {
        match trigger {
            Trigger::Ring(revision) if self.rules.readings_include_revision => revision,
            Trigger::Ring(_) | Trigger::Inbox(_) => self.oldest(state),
        }
    }

    /// How far a reading of the inbox reaches at least. It lags by one entry at most; for a message that is due, the
    /// service looks no further than the message.
    fn least(&self, state: &State, trigger: Trigger, revision: u8) -> u8 {
        let lagging = state.arrived.saturating_sub(1);
        match trigger {
            Trigger::Inbox(_) | Trigger::Ring(_) if !self.rules.readings_include_entries => lagging,
            Trigger::Inbox(index) => index + 1,
            Trigger::Ring(_) => {
                let context = self.context(state, revision);
                context.map_or(lagging, |context| context.reaches.max(lagging))
            }
        }
    }

    /// Decides and acts; whether the event may be let go of.
    fn advance(&self, state: &mut State, reading: Reading) -> bool {
        match reading.trigger {
            Trigger::Inbox(index) => self.advance_message(state, reading, index),
            Trigger::Ring(_) => match self.offer_due(state, reading) {
                // A turn built on an older revision is leaving the slot; one built on this revision will ring.
                Some((_, SlotAnswer::Taken)) => state
                    .turn
                    .is_some_and(|slot| self.pool.turn(slot.turn).revision >= reading.revision),
                Some((_, SlotAnswer::Accepted | SlotAnswer::Duplicate)) | None => true,
            },
        }
    }

    /// A text behind an older message waits for that one's event; a reset may end what is before it.
    fn advance_message(&self, state: &mut State, reading: Reading, index: u8) -> bool {
        let message = self.message(index);
        let context = self.context(state, reading.revision);
        let record = context.as_ref().map(|context| &context.record);
        if looked_after(message, u64::from(index) + 1, record) {
            return true;
        }
        let is_first = context.as_ref().map_or(0, |context| context.through) == index;
        if !is_first && matches!(self.inbox[usize::from(index)], InboxEntry::Received(_)) {
            return false;
        }
        self.offer_due(state, reading).is_some_and(|(turn, answer)| {
            let is_duplicate = answer == SlotAnswer::Duplicate;
            vouches_for(&turn.turn, answer, message) || (is_duplicate && !self.rules.duplicates_vouch_for_one)
        })
    }

    fn offer_due(&self, state: &mut State, reading: Reading) -> Option<(Rc<KnownTurn>, SlotAnswer)> {
        let turn = self.due(state, reading)?;
        Some((self.pool.turn(turn), self.offer(state, turn)))
    }

    /// The turn that is due for a reading of the conversation.
    pub(crate) fn due(&self, state: &State, reading: Reading) -> Option<u8> {
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
            Decision::Fetch(_) | Decision::Wait { .. } => {
                unreachable!("the model has neither files nor albums")
            }
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
