//! The steps of webhook-caller: look how far the turn got, commit, publish the delivery, let go of the turn.

use domain::conclude::looked_after;
use proto_schemas::context::Context;

use crate::model::Model;
use crate::pool::KnownTurn;
use crate::state::{Caller, Held, State};
use crate::steps::{Step, Steps, fresh, take};

/// How far a turn got, as far as a reading of the context tells.
enum Stand {
    Open,
    Committed,
    Overtaken,
    /// The reading is older than the turn.
    Stale,
}

impl Model {
    pub(crate) fn call(&self, state: &State, worker: usize, steps: &mut Steps) {
        let mut after = *state;
        let place = &mut after.callers[worker];
        let what = match state.callers[worker] {
            Caller::Idle => {
                let Some((slot, taken)) = take(state.turn) else {
                    return;
                };
                let held = Held {
                    turn: slot.turn,
                    is_current: true,
                };
                *place = if slot.seen {
                    Caller::Looking(held)
                } else {
                    Caller::Answered(held)
                };
                after.turn = taken;
                "takes the turn"
            }
            Caller::Looking(held) => return self.look(state, worker, held, steps),
            Caller::Answered(held) => return self.commit(state, worker, held, steps),
            Caller::Delivering(held) => {
                let is_published = self.publish_delivery(&mut after, held.turn);
                if is_published || !self.rules.turns_wait_for_deliveries {
                    after.callers[worker] = Caller::Settling(held);
                    "publishes the delivery"
                } else {
                    give_back(&mut after, worker, held);
                    "naks the turn"
                }
            }
            Caller::Settling(held) => {
                *place = Caller::Idle;
                after.free_turn(held);
                "lets go of the turn"
            }
        };
        steps.push((Step::of("caller", worker, what), after));
    }

    /// Looks up how far a turn got; the read may lag.
    fn look(&self, state: &State, worker: usize, held: Held, steps: &mut Steps) {
        for revision in self.oldest(state)..=state.revision() {
            let mut after = *state;
            let what = match self.stand(state, held, revision) {
                Stand::Open => {
                    after.callers[worker] = Caller::Answered(held);
                    "finds the turn open"
                }
                Stand::Committed => {
                    after.callers[worker] = Caller::Delivering(held);
                    "finds the turn committed"
                }
                Stand::Overtaken => {
                    self.drop_late(&mut after, worker, held, revision);
                    "finds the turn overtaken"
                }
                Stand::Stale => {
                    give_back(&mut after, worker, held);
                    "naks the turn after a stale read"
                }
            };
            push(steps, worker, what, revision == state.revision(), after);
        }
    }

    /// Commits by compare-and-set. If that is lost, the context is read, and the read may lag.
    fn commit(&self, state: &State, worker: usize, held: Held, steps: &mut Steps) {
        let known = self.pool.turn(held.turn);
        let mut after = *state;
        if state.revision() == known.revision || !self.rules.compare_and_set {
            after.write_context(known.next_context);
            after.commits.push(held.turn);
            after.callers[worker] = Caller::Delivering(held);
            return push(steps, worker, "commits", true, after);
        }
        for revision in self.oldest(state)..=state.revision() {
            let mut after = *state;
            let what = match self.stand(state, held, revision) {
                Stand::Committed => {
                    after.callers[worker] = Caller::Delivering(held);
                    "loses to the same turn"
                }
                Stand::Overtaken => {
                    self.drop_late(&mut after, worker, held, revision);
                    "loses to another turn"
                }
                Stand::Open if revision == 0 && !self.rules.absence_is_doubted => {
                    after.callers[worker] = Caller::Settling(held);
                    "loses, and finds no context"
                }
                // Somebody has written since: what was read is old.
                Stand::Open | Stand::Stale => {
                    give_back(&mut after, worker, held);
                    "loses, and naks the turn after a stale read"
                }
            };
            push(steps, worker, what, revision == state.revision(), after);
        }
    }

    fn stand(&self, state: &State, held: Held, revision: u8) -> Stand {
        let known = self.pool.turn(held.turn);
        match self.context(state, revision) {
            Some(context) if context.last == known.name && context.through == known.through => {
                Stand::Committed
            }
            Some(_) if revision < known.revision => Stand::Stale,
            Some(_) if revision > known.revision => Stand::Overtaken,
            Some(_) | None => Stand::Open,
        }
    }

    /// Drops a turn that was overtaken. If it leaves messages without an outcome it rings, by a compare-and-set
    /// too: if somebody else has written meanwhile, that rings.
    fn drop_late(&self, state: &mut State, worker: usize, held: Held, revision: u8) {
        state.callers[worker] = Caller::Settling(held);
        let known = self.pool.turn(held.turn);
        if revision < state.revision() {
            return;
        }
        if let Some(context) = self.context(state, revision)
            && !all_looked_after(&known, &context.record)
        {
            let inbox_reaches = context.record.inbox_reaches.max(known.turn.answered_through);
            let record = Context {
                inbox_reaches,
                ..context.record.clone()
            };
            state.write_context(self.pool.put_context(record));
        }
    }

    /// Whether the delivery is known to be in its slot, or to have been.
    fn publish_delivery(&self, state: &mut State, turn: u8) -> bool {
        let name = self.pool.turn(turn).name;
        if state.known_deliveries.contains(name) {
            return true;
        }
        if state.delivery.is_some() {
            return false;
        }
        state.known_deliveries.insert(name);
        state.delivery = Some(fresh(turn));
        true
    }
}

fn all_looked_after(known: &KnownTurn, record: &Context) -> bool {
    let through = known.turn.answered_through;
    let mut answers = known.turn.answers.iter();
    answers.all(|message| looked_after(message, through, Some(record)))
}

/// The turn goes back to its slot, to be delivered again.
fn give_back(state: &mut State, worker: usize, held: Held) {
    state.callers[worker] = Caller::Idle;
    if let Some(slot) = &mut state.turn
        && held.is_current
    {
        slot.held = false;
    }
}

fn push(steps: &mut Steps, worker: usize, what: &'static str, is_sure: bool, after: State) {
    let step = Step {
        is_sure,
        ..Step::of("caller", worker, what)
    };
    steps.push((step, after));
}
