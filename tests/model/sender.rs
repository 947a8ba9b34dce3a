//! The steps of egress: look whether the delivery was finished, send, write the transcript, let go of it.

use crate::model::Model;
use crate::state::{Held, Sender, Slip, State};
use crate::steps::{Step, Steps, let_go, take};

impl Model {
    pub(crate) fn send(&self, state: &State, worker: usize, steps: &mut Steps) {
        let mut after = *state;
        let place = &mut after.senders[worker];
        let what = match state.senders[worker] {
            Sender::Idle => {
                let Some((slot, taken)) = take(state.delivery) else {
                    return;
                };
                *place = Sender::Looking(Held {
                    turn: slot.turn,
                    is_current: true,
                });
                after.delivery = taken;
                "takes the delivery"
            }
            Sender::Looking(held) if self.is_finished_before(state, held) => {
                *place = Sender::Settling(held);
                "finds the delivery finished"
            }
            Sender::Looking(held) => {
                *place = Sender::Sending(held, state.receipt);
                "finds the delivery open"
            }
            Sender::Sending(held, seen) => {
                *place = Sender::Writing(held, seen);
                self.receive(&mut after, held);
                "sends the reply"
            }
            // The server takes it only behind the transcript that was seen; the delivery is looked up again.
            Sender::Writing(held, seen) if seen != state.receipt => {
                *place = Sender::Idle;
                after.delivery = let_go(state.delivery, held.is_current);
                "finds another transcript written"
            }
            Sender::Writing(held, _) => {
                *place = Sender::Settling(held);
                let known = self.pool.turn(held.turn);
                if !state.known_transcripts.contains(known.name) {
                    after.known_transcripts.insert(known.name);
                    after.receipt = known.delivered_through;
                }
                "writes the transcript"
            }
            Sender::Settling(held) => {
                *place = Sender::Idle;
                after.free_delivery(held);
                "lets go of the delivery"
            }
        };
        steps.push((Step::of("egress", worker, what), after));
    }

    /// The rule of egress, which compares cursors (`egress::receipt`).
    fn is_finished_before(&self, state: &State, held: Held) -> bool {
        self.rules.receipts && state.receipt >= self.pool.turn(held.turn).delivered_through
    }

    /// The chat receives a reply, and notices what is wrong with it.
    ///
    /// One thing is let pass, because nobody can prevent it where the channel knows no repetitions: a worker that
    /// slept between its look and its send, while another finished the same delivery, sends it again.
    fn receive(&self, state: &mut State, held: Held) {
        let name = self.pool.turn(held.turn).name;
        let place = state
            .commits
            .iter()
            .position(|turn| self.pool.turn(*turn).name == name);
        let received = usize::from(state.chat.replies);
        let slip = match place {
            Some(place) if place == received => {
                state.chat.replies += 1;
                None
            }
            Some(place) if place < received => {
                if !state.egress_failed {
                    Some(Slip::RepeatedNeedlessly)
                } else if place + 1 < received && held.is_current {
                    Some(Slip::RepeatedLate)
                } else {
                    None
                }
            }
            Some(_) | None => Some(Slip::Overtook),
        };
        state.chat.slip = state.chat.slip.or(slip);
    }
}

#[cfg(test)]
mod tests {
    use domain::policy::Overlap;

    use super::*;
    use crate::model::{Kind, NO_FAULTS, Rules};
    use crate::state::{Reading, Trigger};

    /// A model in which two replies were sent, the state after it, and the turn of the first.
    fn after_two_replies() -> (Model, State, u8) {
        let model = Model::new(&[Kind::Text; 2], Overlap::Queue, NO_FAULTS, Rules::default());
        let mut state = State::START;
        for index in 0..2 {
            let reading = Reading {
                trigger: Trigger::Inbox(index),
                revision: index,
                through: index + 1,
            };
            let turn = model.due(&state, reading).unwrap();
            state.write_context(model.pool.turn(turn).next_context);
            state.commits.push(turn);
            state.chat.replies += 1;
        }
        state.egress_failed = true;
        let first = state.commits[0];
        (model, state, first)
    }

    #[test]
    fn an_earlier_reply_that_is_delivered_again_is_noticed() {
        let (model, mut state, turn) = after_two_replies();
        let is_current = true;
        model.receive(&mut state, Held { turn, is_current });
        assert_eq!(state.chat.slip, Some(Slip::RepeatedLate));
    }

    #[test]
    fn an_earlier_reply_of_a_sender_that_slept_is_let_pass() {
        let (model, mut state, turn) = after_two_replies();
        let is_current = false;
        model.receive(&mut state, Held { turn, is_current });
        assert_eq!(state.chat.slip, None);
    }
}
