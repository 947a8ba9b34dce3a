//! What must never be, and what must always be reachable.

use std::collections::HashSet;
use std::rc::Rc;

use proto_schemas::ids::MessageId;
use proto_schemas::turn::Task;

use crate::model::Model;
use crate::pool::{KnownTurn, reply};
use crate::state::{Event, MOST_REVISIONS, Slip, State};

impl Model {
    /// What is wrong with a state.
    pub(crate) fn violated(&self, state: &State) -> Option<&'static str> {
        let slip = state.chat.slip.map(|slip| match slip {
            Slip::Overtook => "a reply overtook an earlier one",
            Slip::RepeatedLate => "a reply was sent again after a later one",
            Slip::RepeatedNeedlessly => "a reply was sent again although egress did not fail",
        });
        slip.or_else(|| self.commits_are_wrong(&state.commits))
    }

    /// Every message that has arrived has its outcome, it was sent, and nothing is left lying about.
    pub(crate) fn is_finished(&self, state: &State) -> bool {
        let answered: usize = state
            .commits
            .iter()
            .map(|turn| self.pool.turn(*turn).turn.answers.len())
            .sum();
        let arrived = usize::from(state.arrived);
        state.revisions.len() > MOST_REVISIONS
            || (answered == arrived
                && state.chat.replies == state.commits.count()
                && state.turn.is_none()
                && state.delivery.is_none()
                && state.events[..arrived].iter().all(|event| *event == Event::Done))
    }

    fn commits_are_wrong(&self, commits: &[u8]) -> Option<&'static str> {
        if let Some(verdict) = self.verdicts.borrow().get(commits) {
            return *verdict;
        }
        let turns: Vec<Rc<KnownTurn>> = commits.iter().map(|turn| self.pool.turn(*turn)).collect();
        let answers: Vec<&MessageId> = turns.iter().flat_map(|known| &known.turn.answers).collect();
        let once: HashSet<&MessageId> = answers.iter().copied().collect();
        let verdict = if once.len() < answers.len() {
            Some("a message was committed twice")
        } else if !contexts_are_complete(&turns) {
            Some("a reply was built on a context that lacks an earlier one")
        } else {
            None
        };
        self.verdicts.borrow_mut().insert(commits.to_vec(), verdict);
        verdict
    }
}

/// Every committed question saw every reply since the last reset.
fn contexts_are_complete(turns: &[Rc<KnownTurn>]) -> bool {
    let mut said: Vec<String> = Vec::new();
    for known in turns {
        match &known.turn.task {
            Task::Reset { .. } => said.clear(),
            Task::Ask { history, .. } => {
                let replies = history.iter().filter(|utterance| utterance.message_id.is_none());
                if !replies.map(|utterance| &utterance.text).eq(&said) {
                    return false;
                }
                said.push(reply(&known.turn));
            }
        }
    }
    true
}
