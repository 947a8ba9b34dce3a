//! Breadth first over all states; then backwards from the good ends, over the steps that are sure to come: a state
//! from which none can be reached is one in which a message waits for ever.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::{fast, quality};

use crate::model::Model;
use crate::state::State;
use crate::steps::Step;

/// What was found.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) violation: Option<Violation>,
}

/// What must not happen, and the steps that lead there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) what: &'static str,
    pub(crate) path: Vec<String>,
}

/// Explores a model.
pub(crate) fn explore(model: &Model) -> Found {
    let mut states = vec![State::START];
    let mut numbers: HashMap<u64, u32, _> = HashMap::with_hasher(fast::FixedState::default());
    numbers.insert(fingerprint(&states[0]), 0);
    let mut came_from = vec![0_u32];
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut next = 0;
    while next < states.len() {
        let from = u32::try_from(next).unwrap();
        for (step, state) in model.steps(&states[next]) {
            let mut is_new = false;
            let number = *numbers.entry(fingerprint(&state)).or_insert_with(|| {
                is_new = true;
                states.push(state);
                came_from.push(from);
                u32::try_from(states.len() - 1).unwrap()
            });
            if step.is_sure && number != from {
                edges.push((from, number));
            }
            if is_new && let Some(what) = model.violated(&state) {
                return ended(model, &states, Some((what, number)), &came_from);
            }
        }
        next += 1;
    }
    drop(numbers);
    let stuck = stuck(model, &states, edges);
    ended(
        model,
        &states,
        stuck.map(|number| ("a message waits for ever", number)),
        &came_from,
    )
}

/// A state from which no good end can be reached.
fn stuck(model: &Model, states: &[State], mut edges: Vec<(u32, u32)>) -> Option<u32> {
    edges.sort_unstable_by_key(|(_, to)| *to);
    let mut good: Vec<bool> = states.iter().map(|state| model.is_finished(state)).collect();
    let mut open: Vec<usize> = (0..states.len()).filter(|number| good[*number]).collect();
    while let Some(number) = open.pop() {
        let to = u32::try_from(number).unwrap();
        let first = edges.partition_point(|edge| edge.1 < to);
        for (from, _) in edges[first..].iter().take_while(|edge| edge.1 == to) {
            let earlier = *from as usize;
            if !good[earlier] {
                good[earlier] = true;
                open.push(earlier);
            }
        }
    }
    let first = good.iter().position(|good| !good)?;
    Some(u32::try_from(first).unwrap())
}

/// Two states of one fingerprint would be taken for the same; at millions of states the odds are one in
/// millions.
fn fingerprint(state: &State) -> u64 {
    quality::FixedState::default().hash_one(state)
}

fn ended(
    model: &Model,
    states: &[State],
    violation: Option<(&'static str, u32)>,
    came_from: &[u32],
) -> Found {
    let violation = violation.map(|(what, number)| {
        let mut here = number as usize;
        let mut path = vec![format!("{:?}", states[here])];
        while here > 0 {
            let earlier = came_from[here] as usize;
            path.push(step_between(model, &states[earlier], &states[here]));
            here = earlier;
        }
        path.reverse();
        Violation { what, path }
    });
    Found {
        states: states.len(),
        violation,
    }
}

fn step_between(model: &Model, earlier: &State, later: &State) -> String {
    let mut steps = model.steps(earlier).into_iter();
    let (step, _) = steps.find(|(_, state)| state == later).unwrap();
    let Step {
        who, number, what, ..
    } = step;
    let reading = step
        .reading
        .map_or_else(String::new, |reading| format!(": {reading:?}"));
    format!("{who} {number} {what}{reading}")
}
