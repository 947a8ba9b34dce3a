//! What can happen next. Each worker's step is as small as what a crash can separate.

use std::collections::HashSet;
use std::rc::Rc;

use domain::conclude::{SlotAnswer, looked_after, next_context, vouches_for};
use domain::decide::{ContextAt, Decision, Pending, decide};
use proto_schemas::context::{Conclusion, Context, TurnResult};
use proto_schemas::ids::{MessageId, UnixMillis};
use proto_schemas::turn::{Task, Turn};

use crate::pool::{KnownContext, KnownTurn};
use crate::state::{Builder, Caller, Event, Model, Sender, Slot, State, Trigger};

/// A step: who does what. Written out only when a path is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) who: &'static str,
    pub(crate) number: u8,
    pub(crate) what: &'static str,
    pub(crate) reading: Option<(Trigger, u8, u8)>,
}

/// Turns that are dropped ring, and each ring makes what was read before stale: a scheduler that is unfair for
/// ever could go on so for ever. From here on it is taken to be fair.
const MOST_REVISIONS: usize = 4;

type Steps = Vec<(Step, State)>;

fn step(who: &'static str, number: u8, what: &'static str) -> Step {
    Step {
        who,
        number,
        what,
        reading: None,
    }
}

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
        self.send(state, &mut steps);
        if state.restarts < self.limits.restarts {
            steps.push((step("broker", 0, "restarts"), self.forget(state)));
        }
        steps
            .into_iter()
            .map(|(step, state)| (step, state.canonical()))
            .collect()
    }

    /// What must never be.
    pub(crate) fn violated(&self, state: &State) -> Option<&'static str> {
        if let Some(wrong) = self.commits_are_wrong(&state.commits) {
            return Some(wrong);
        }
        let mut sent = state.sent.clone();
        sent.dedup();
        let committed = state.commits.iter().map(|turn| self.pool.turn(*turn).name);
        if !sent.iter().copied().eq(committed.take(sent.len())) {
            return Some("replies left in another order than they were committed");
        }
        if sent.len() < state.sent.len() && !state.sender_failed {
            return Some("a reply was sent again although egress did not fail");
        }
        None
    }

    fn commits_are_wrong(&self, commits: &[u16]) -> Option<&'static str> {
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

    /// Every message has its outcome, it was sent, and nothing is left lying about.
    pub(crate) fn is_finished(&self, state: &State) -> bool {
        if state.revisions.len() > MOST_REVISIONS {
            return true;
        }
        let answered: usize = state
            .commits
            .iter()
            .map(|turn| self.pool.turn(*turn).turn.answers.len())
            .sum();
        answered == self.inbox.len()
            && state.sent.last().copied() == state.commits.last().map(|turn| self.pool.turn(*turn).name)
            && state.turn.is_none()
            && state.delivery.is_none()
            && state.events[..self.inbox.len()]
                .iter()
                .all(|event| *event == Event::Done)
    }

    fn arrive(&self, state: &State, steps: &mut Steps) {
        if usize::from(state.arrived) < self.inbox.len() {
            let mut after = state.clone();
            after.events[usize::from(state.arrived)] = Event::Ready;
            after.arrived += 1;
            steps.push((step("message", state.arrived, "arrives"), after));
        }
    }

    fn build(&self, state: &State, worker: usize, steps: &mut Steps) {
        match state.builders[worker] {
            Builder::Idle => self.take_events(state, worker, steps),
            Builder::Read {
                trigger,
                revision,
                through,
            } => {
                let mut after = state.clone();
                let done = self.advance(&mut after, trigger, revision, through);
                after.builders[worker] = Builder::Settling { trigger, done };
                steps.push((step("builder", number(worker), "decides"), after));
                self.crash_builder(state, worker, trigger, steps);
            }
            Builder::Settling { trigger, done } => {
                let mut after = state.clone();
                settle(&mut after, trigger, if done { Event::Done } else { Event::Ready });
                after.builders[worker] = Builder::Idle;
                let how = if done {
                    "lets go of its event"
                } else {
                    "naks its event"
                };
                steps.push((step("builder", number(worker), how), after));
                self.crash_builder(state, worker, trigger, steps);
            }
        }
    }

    /// Takes an event and reads the conversation: context first, as the service does. The read may be stale in
    /// the context, but includes what it is known to have to: otherwise the service reads again.
    fn take_events(&self, state: &State, worker: usize, steps: &mut Steps) {
        let inbox = (0..state.arrived).filter(|index| state.events[usize::from(*index)] == Event::Ready);
        let ring = (state.ring == Event::Ready).then_some(Trigger::Ring);
        for trigger in inbox.map(Trigger::Inbox).chain(ring) {
            let newest = state.revision();
            let oldest = match trigger {
                Trigger::Inbox(_) => newest.saturating_sub(1),
                Trigger::Ring => newest,
            };
            let least = match trigger {
                Trigger::Inbox(index) => index + 1,
                Trigger::Ring => {
                    let reaches = self
                        .context(state, newest)
                        .map_or(0, |context| context.record.inbox_reaches);
                    u8::try_from(reaches)
                        .unwrap()
                        .max(state.arrived.saturating_sub(1))
                }
            };
            for revision in oldest..=newest {
                for through in least..=state.arrived {
                    let mut after = state.clone();
                    settle(&mut after, trigger, Event::Taken);
                    after.builders[worker] = Builder::Read {
                        trigger,
                        revision,
                        through,
                    };
                    let reading = Some((trigger, revision, through));
                    let taken = Step {
                        reading,
                        ..step("builder", number(worker), "takes an event and reads")
                    };
                    steps.push((taken, after));
                }
            }
        }
    }

    /// Decides and acts; whether the event may be let go of.
    fn advance(&self, state: &mut State, trigger: Trigger, revision: u8, through: u8) -> bool {
        let context = self.context(state, revision);
        let due = self.due(state, revision, through);
        let offered = due.map(|turn| (self.pool.turn(turn), self.offer(state, turn)));
        match (trigger, offered) {
            (Trigger::Inbox(index), offered) => {
                let message = self.message(index);
                let record = context.as_ref().map(|context| &context.record);
                looked_after(message, u64::from(index) + 1, record)
                    || offered.is_some_and(|(known, answer)| {
                        let duplicate =
                            answer == SlotAnswer::Duplicate && self.rules.duplicates_vouch_for_all;
                        duplicate || vouches_for(&known.turn, answer, message)
                    })
            }
            // A turn built on an older revision is leaving the slot; one built on this revision will ring.
            (Trigger::Ring, Some((_, SlotAnswer::Taken))) => state
                .turn
                .is_some_and(|slot| self.pool.turn(slot.turn).revision >= revision),
            (Trigger::Ring, _) => true,
        }
    }

    /// The turn that is due for a reading of the conversation.
    fn due(&self, state: &State, revision: u8, through: u8) -> Option<u16> {
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

    fn offer(&self, state: &mut State, turn: u16) -> SlotAnswer {
        let identity = self.pool.turn(turn).identity;
        if state.known_turns.contains(&identity) {
            SlotAnswer::Duplicate
        } else if state.turn.is_some() {
            SlotAnswer::Taken
        } else {
            state.known_turns.push(identity);
            state.known_turns.sort_unstable();
            state.sequence += 1;
            state.turn = Some(Slot {
                turn,
                sequence: state.sequence,
                held: false,
                seen: false,
            });
            SlotAnswer::Accepted
        }
    }

    fn crash_builder(&self, state: &State, worker: usize, trigger: Trigger, steps: &mut Steps) {
        if state.crashes < self.limits.crashes {
            let mut after = state.clone();
            after.crashes += 1;
            after.builders[worker] = Builder::Idle;
            settle(&mut after, trigger, Event::Ready);
            steps.push((step("builder", number(worker), "dies"), after));
        }
    }

    fn call(&self, state: &State, worker: usize, steps: &mut Steps) {
        let mut to =
            |what: &'static str, after: State| steps.push((step("caller", number(worker), what), after));
        let with = |caller: Caller| {
            let mut after = state.clone();
            after.callers[worker] = caller;
            after
        };
        let slot = match state.callers[worker] {
            Caller::Idle => {
                if let Some((slot, after)) = self.take(state, state.turn, |state| &mut state.turn) {
                    let mut after = after;
                    after.callers[worker] = if slot.seen {
                        Caller::Looking(slot)
                    } else {
                        Caller::Answered(slot)
                    };
                    to("takes the turn", after);
                }
                return;
            }
            Caller::Looking(slot) => {
                to("looks how far it got", self.look(state, worker, slot));
                slot
            }
            Caller::Answered(slot) => {
                to("commits", self.commit(state, worker, slot));
                slot
            }
            Caller::Delivering(slot) => {
                to("publishes the delivery", self.deliver(state, worker, slot));
                slot
            }
            Caller::Settling(slot, done) => {
                let mut after = with(Caller::Idle);
                settle_slot(&mut after.turn, slot, done);
                to(
                    if done {
                        "lets go of the turn"
                    } else {
                        "naks the turn"
                    },
                    after,
                );
                slot
            }
        };
        if state.crashes < self.limits.crashes {
            let mut after = with(Caller::Idle);
            after.crashes += 1;
            settle_slot(&mut after.turn, slot, false);
            to("dies", after);
        }
    }

    /// Takes a slot's message: one that nobody has, or, as a late worker makes possible, one that somebody has.
    fn take(
        &self,
        state: &State,
        slot: Option<Slot>,
        of: impl Fn(&mut State) -> &mut Option<Slot>,
    ) -> Option<(Slot, State)> {
        let slot = slot?;
        let mut after = state.clone();
        if slot.held {
            if state.wakes >= self.limits.wakes {
                return None;
            }
            after.wakes += 1;
        }
        *of(&mut after) = Some(Slot {
            held: true,
            seen: true,
            ..slot
        });
        Some((slot, after))
    }

    /// How far a turn got, as far as the context tells. A turn that was overtaken rings if it leaves messages
    /// without an outcome.
    fn look(&self, state: &State, worker: usize, slot: Slot) -> State {
        let known = self.pool.turn(slot.turn);
        let mut after = state.clone();
        after.callers[worker] = match self.context(state, state.revision()) {
            Some(context) if context.last == known.name && context.through == known.through => {
                Caller::Delivering(slot)
            }
            Some(context) if state.revision() != known.revision => {
                let through = known.turn.answered_through;
                let answered = |message| looked_after(message, through, Some(&context.record));
                if !known.turn.answers.iter().all(answered) {
                    let inbox_reaches = context.record.inbox_reaches.max(through);
                    let record = Context {
                        inbox_reaches,
                        ..context.record.clone()
                    };
                    after.revisions.push(self.pool.put_context(record));
                    after.ring = Event::Ready;
                }
                Caller::Settling(slot, true)
            }
            Some(_) | None => Caller::Answered(slot),
        };
        after
    }

    fn commit(&self, state: &State, worker: usize, slot: Slot) -> State {
        let known = self.pool.turn(slot.turn);
        if state.revision() != known.revision && self.rules.compare_and_set {
            return self.look(state, worker, slot);
        }
        let mut next_contexts = self.next_contexts.borrow_mut();
        let next = *next_contexts.entry(slot.turn).or_insert_with(|| {
            self.pool
                .put_context(next_context(&known.turn, conclusion(&known.turn)))
        });
        let mut after = state.clone();
        after.revisions.push(next);
        after.ring = Event::Ready;
        after.commits.push(slot.turn);
        after.callers[worker] = Caller::Delivering(slot);
        after
    }

    fn deliver(&self, state: &State, worker: usize, slot: Slot) -> State {
        let name = self.pool.turn(slot.turn).name;
        let mut after = state.clone();
        let published = state.known_deliveries.contains(&name) || state.delivery.is_none();
        if !state.known_deliveries.contains(&name) && state.delivery.is_none() {
            after.known_deliveries.push(name);
            after.sequence += 1;
            after.delivery = Some(Slot {
                turn: slot.turn,
                sequence: after.sequence,
                held: false,
                seen: false,
            });
        }
        after.callers[worker] = Caller::Settling(slot, published);
        after
    }

    fn send(&self, state: &State, steps: &mut Steps) {
        let mut to = |what: &'static str, after: State| steps.push((step("egress", 0, what), after));
        let with = |sender: Sender| {
            let mut after = state.clone();
            after.sender = sender;
            after
        };
        let slot = match state.sender {
            Sender::Idle => {
                if let Some((slot, mut after)) =
                    self.take(state, state.delivery.filter(|slot| !slot.held), |state| {
                        &mut state.delivery
                    })
                {
                    after.sender = Sender::Looking(slot);
                    to("takes the delivery", after);
                }
                return;
            }
            Sender::Looking(slot) => {
                let finished = self.rules.receipts && state.receipt >= self.pool.turn(slot.turn).through;
                to(
                    "looks how far it got",
                    with(if finished {
                        Sender::Settling(slot)
                    } else {
                        Sender::Sending(slot)
                    }),
                );
                slot
            }
            Sender::Sending(slot) => {
                let mut after = with(Sender::Writing(slot));
                after.sent.push(self.pool.turn(slot.turn).name);
                to("sends", after);
                slot
            }
            Sender::Writing(slot) => {
                let mut after = with(Sender::Settling(slot));
                after.receipt = self.pool.turn(slot.turn).through;
                to("writes the transcript", after);
                slot
            }
            Sender::Settling(slot) => {
                let mut after = with(Sender::Idle);
                settle_slot(&mut after.delivery, slot, true);
                to("lets go of the delivery", after);
                slot
            }
        };
        if state.crashes < self.limits.crashes {
            let mut after = with(Sender::Idle);
            after.crashes += 1;
            after.sender_failed = true;
            settle_slot(&mut after.delivery, slot, false);
            to("dies", after);
        }
    }

    /// The identities of what left the work queues are forgotten; those of what is stored are found again.
    fn forget(&self, state: &State) -> State {
        let name = |slot: Slot| self.pool.turn(slot.turn).name;
        let mut after = state.clone();
        after.restarts += 1;
        after.known_turns = state
            .turn
            .map(|slot| self.pool.turn(slot.turn).identity)
            .into_iter()
            .collect();
        after.known_deliveries = state.delivery.map(name).into_iter().collect();
        after
    }

    /// The context of a revision; revision 0 is none.
    fn context(&self, state: &State, revision: u8) -> Option<Rc<KnownContext>> {
        let index = usize::from(revision).checked_sub(1)?;
        Some(self.pool.context(state.revisions[index]))
    }
}

fn number(worker: usize) -> u8 {
    u8::try_from(worker).unwrap()
}

fn settle(state: &mut State, trigger: Trigger, event: Event) {
    match trigger {
        Trigger::Inbox(index) => state.events[usize::from(index)] = event,
        // A newer revision has an event of its own, which the settling of the older does not touch.
        Trigger::Ring if event != Event::Taken && state.ring == Event::Ready => {}
        Trigger::Ring => state.ring = event,
    }
}

/// An acknowledgement counts for the very message it belongs to, whoever sends it.
fn settle_slot(place: &mut Option<Slot>, slot: Slot, done: bool) {
    if let Some(present) = place
        && present.sequence == slot.sequence
    {
        if done {
            *place = None;
        } else {
            present.held = false;
        }
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

fn reply(turn: &Turn) -> String {
    format!("re: {}", turn.id)
}

fn conclusion(turn: &Turn) -> Conclusion {
    let result = match &turn.task {
        Task::Ask { .. } => TurnResult::Reply {
            content: reply(turn),
            attachments: Vec::new(),
            metadata: None,
        },
        Task::Reset { message } => TurnResult::Reset {
            message: message.clone(),
        },
    };
    Conclusion {
        turn: turn.id.clone(),
        result,
        integration: None,
        attempts: 1,
        webhook_millis: 0,
        committed_at: UnixMillis(0),
    }
}
