use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn id(name: &str) -> IntegrationId {
    IntegrationId::new(name).unwrap()
}

fn bot() -> BotId {
    BotId::new("support").unwrap()
}

fn conversation(number: usize) -> ConversationId {
    ConversationId::new(format!("conv_{number}")).unwrap()
}

fn message(number: usize) -> MessageId {
    MessageId::new(format!("msg_{number}")).unwrap()
}

fn split(by: SplitBy, arms: &[(&str, u32)]) -> Split {
    let arm = |(name, weight): &(&str, u32)| Arm {
        integration: id(name),
        weight: *weight,
    };
    Split::new(by, arms.iter().map(arm).collect()).unwrap()
}

fn by_conversation(arms: &[(&str, u32)]) -> Split {
    split(SplitBy::Conversation, arms)
}

/// The arms of conversations 0, 1, 2, …
fn arms_of(split: &Split, conversations: usize) -> Vec<String> {
    (0..conversations)
        .map(|number| split.arm(&bot(), &conversation(number), &message(0)).to_string())
        .collect()
}

#[test]
fn conversations_keep_their_arms_from_release_to_release() {
    let even = by_conversation(&[("claude", 1), ("gpt", 1)]);
    assert_eq!(
        arms_of(&even, 8),
        ["gpt", "gpt", "claude", "gpt", "claude", "gpt", "claude", "gpt"]
    );
    let three = by_conversation(&[("claude", 1), ("gpt", 2), ("local", 3)]);
    assert_eq!(
        arms_of(&three, 8),
        ["gpt", "local", "claude", "gpt", "claude", "gpt", "local", "gpt"]
    );
}

#[test]
fn a_conversation_has_one_arm_and_its_messages_have_their_own_where_that_is_wanted() {
    let weights = [("claude", 1), ("gpt", 1)];
    let distinct = |by| {
        let split = split(by, &weights);
        let arms = (0..32).map(|number| split.arm(&bot(), &conversation(7), &message(number)).clone());
        let arms: std::collections::BTreeSet<_> = arms.collect();
        arms.len()
    };
    assert_eq!(distinct(SplitBy::Conversation), 1);
    assert_eq!(distinct(SplitBy::Message), 2);
}

#[test]
fn two_bots_split_the_same_conversations_differently() {
    let split = by_conversation(&[("claude", 1), ("gpt", 1)]);
    let other = BotId::new("sales").unwrap();
    let differ = |number: &usize| {
        let conversation = conversation(*number);
        let arm = |bot| split.arm(bot, &conversation, &message(0));
        arm(&bot()) != arm(&other)
    };
    let moved = (0..64).filter(differ).count();
    assert!((16..=48).contains(&moved), "{moved} of 64");
}

#[test]
fn an_arm_without_weight_gets_nothing_and_without_any_weight_there_is_still_an_answer() {
    let closed = by_conversation(&[("closed", 0), ("open", 1)]);
    assert!(arms_of(&closed, 500).iter().all(|arm| arm == "open"));
    let none = by_conversation(&[("b", 0), ("a", 0)]);
    assert!(arms_of(&none, 8).iter().all(|arm| arm == "a"));
    assert_eq!(Split::new(SplitBy::Conversation, vec![]), None);
}

#[test]
fn the_order_in_which_arms_are_listed_means_nothing() {
    let one = by_conversation(&[("a", 3), ("b", 1), ("c", 2)]);
    let other = by_conversation(&[("c", 2), ("a", 3), ("b", 1)]);
    assert_eq!(arms_of(&one, 200), arms_of(&other, 200));
}

#[test]
fn the_first_and_the_last_draw_are_as_late_and_as_early_as_can_be() {
    assert_eq!(time(0), 64 << PRECISION);
    assert_eq!(time(1), 64 << PRECISION);
    assert_eq!(time(1 << 63), 1 << PRECISION);
    assert_eq!(time(u64::MAX), 1);
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn named(weights: &[u32]) -> Vec<(&'static str, u32)> {
    NAMES.into_iter().zip(weights.iter().copied()).collect()
}

proptest! {
    #[test]
    fn times_are_logarithms(draw in 1_u64..) {
        let time = time(draw) as f64 / (1_u64 << PRECISION) as f64;
        let wanted = 64.0 - (draw as f64).log2();
        prop_assert!((time - wanted).abs() < 1e-9, "{time} and {wanted}");
    }

    /// Also when it is added or taken out, which is a weight that was or becomes 0.
    #[test]
    fn a_changed_weight_moves_only_what_its_arm_gains_or_loses(
        weights in proptest::collection::vec(0_u32..=1000, 2..=4),
        changed in 0_usize..4,
        weight in 0_u32..=1000,
    ) {
        let changed = changed % weights.len();
        let mut after = weights.clone();
        after[changed] = weight;
        prop_assume!(weights.iter().any(|weight| *weight > 0) && after.iter().any(|weight| *weight > 0));
        let (before, now) = (by_conversation(&named(&weights)), by_conversation(&named(&after)));
        for (was, is) in arms_of(&before, 50).into_iter().zip(arms_of(&now, 50)) {
            let changed_arm = if weight > weights[changed] { &is } else { &was };
            prop_assert!(was == is || changed_arm == NAMES[changed], "from {was} to {is}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn arms_get_the_share_of_their_weight(weights in proptest::collection::vec(0_u32..=1000, 2..=4)) {
        let sum: u32 = weights.iter().sum();
        prop_assume!(sum > 0);
        let conversations = 2000;
        let mut counts: HashMap<String, u32> = HashMap::new();
        for arm in arms_of(&by_conversation(&named(&weights)), conversations) {
            *counts.entry(arm).or_default() += 1;
        }
        for (name, weight) in named(&weights) {
            let share = f64::from(weight) / f64::from(sum);
            let expected = share * 2000.0;
            let count = f64::from(counts.get(name).copied().unwrap_or_default());
            // Six standard deviations, which chance exceeds about once in a thousand million.
            let tolerance = 6.0 * (expected * (1.0 - share)).sqrt() + 6.0;
            prop_assert!((count - expected).abs() <= tolerance, "{name}: {count} and not {expected}");
        }
    }
}
