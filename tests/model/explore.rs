//! Breadth first over all states; then backwards from the good ends: a state from which none can be reached
//! is one in which a message waits for ever.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::state::{Model, State};
use crate::steps::Step;

/// What was found.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) violation: Option<Violation>,
}

/// What must not happen, and the steps that lead there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) what: String,
    pub(crate) path: Vec<String>,
}

/// Explores a model.
pub(crate) fn explore(model: &Model) -> Found {
    let mut states = vec![model.start()];
    let mut numbers = HashMap::from([(fingerprint(&states[0]), 0)]);
    let mut came_by: Vec<Option<(usize, Step)>> = vec![None];
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut next = 0;
    while next < states.len() {
        for (step, state) in model.steps(&states[next]) {
            let mut is_new = false;
            let number = *numbers.entry(fingerprint(&state)).or_insert_with(|| {
                is_new = true;
                states.push(state);
                came_by.push(Some((next, step)));
                states.len() - 1
            });
            edges.push((u32::try_from(next).unwrap(), u32::try_from(number).unwrap()));
            if is_new && let Some(what) = model.violated(&states[number]) {
                return ended(&states, Some((what, number)), &came_by);
            }
        }
        next += 1;
    }
    let stuck = stuck(model, &states, edges);
    ended(
        &states,
        stuck.map(|number| ("a message waits for ever", number)),
        &came_by,
    )
}

/// A state from which no good end can be reached.
fn stuck(model: &Model, states: &[State], mut edges: Vec<(u32, u32)>) -> Option<usize> {
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
    good.iter().position(|good| !good)
}

/// Two states of one fingerprint would be taken for the same; at millions of states the odds are one in
/// millions.
fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

fn ended(states: &[State], violation: Option<(&str, usize)>, came_by: &[Option<(usize, Step)>]) -> Found {
    let violation = violation.map(|(what, number)| {
        let mut path = vec![format!("{:?}", states[number])];
        let mut here = number;
        while let Some((earlier, step)) = came_by[here] {
            let reading = step
                .reading
                .map_or_else(String::new, |reading| format!(" {reading:?}"));
            path.push(format!("{} {} {}{reading}", step.who, step.number, step.what));
            here = earlier;
        }
        path.reverse();
        Violation {
            what: what.to_owned(),
            path,
        }
    });
    Found {
        states: states.len(),
        violation,
    }
}
