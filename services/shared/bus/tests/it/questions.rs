//! Questions that somebody answers, that nobody takes, and that are left lying.

use std::time::{Duration, Instant};

use bus::{AskError, Bus, BusError, Question, Questions};
use proto_schemas::progress::DeliveryProgress;
use proto_schemas::topology::INBOX;
use proto_schemas::turn::Turn;
use testkit::condition::{PATIENCE, wait_until};

use crate::broker::{Broker, connect, record};

const SUBJECTS: &str = "questions.*";
const GROUP: &str = "answerers";
/// Far below the patience of who asks.
const AT_ONCE: Duration = Duration::from_secs(1);

async fn ask(bus: &Bus, number: u32) -> Result<u32, AskError> {
    ask_for(bus, number, PATIENCE).await
}

async fn ask_for(bus: &Bus, number: u32, patience: Duration) -> Result<u32, AskError> {
    let question = record(number);
    let answered = bus.ask("questions.a".to_owned(), &question, patience).await;
    answered.map(|answer: DeliveryProgress| answer.failures)
}

/// Takes questions, from the moment that this returns.
async fn take(bus: &Bus) -> Questions {
    let questions = bus.questions(SUBJECTS, GROUP).await.unwrap();
    // The broker takes what comes over a connection in order: when it has answered this, it knows of the rest.
    bus.last(INBOX.name, "inbox.none").await.unwrap();
    questions
}

/// Answers a question with its number and one.
async fn answer(question: &Question) {
    let asked: DeliveryProgress = question.decode().unwrap();
    question.answer(&record(asked.failures + 1)).await.unwrap();
}

#[tokio::test]
async fn a_question_is_answered_by_one_of_the_group() {
    let broker = Broker::start().await;
    let other = connect(&broker.server, None).await;
    let (mut first, mut second) = (take(&broker.bus).await, take(&other).await);
    let asking = async {
        let mut sum = 0;
        for number in 0..20 {
            sum += ask(&broker.bus, number).await.unwrap() - number;
        }
        sum
    };
    let answering = async {
        loop {
            let question = tokio::select! {
                question = first.next() => question.unwrap(),
                question = second.next() => question.unwrap(),
            };
            answer(&question).await;
        }
    };
    let answered = tokio::select! {
        sum = asking => sum,
        () = answering => 0,
    };
    assert_eq!(answered, 20);
    // None of them is left, so none was handed to both.
    let left = tokio::select! {
        biased;
        _ = first.next() => true,
        _ = second.next() => true,
        () = std::future::ready(()) => false,
    };
    assert!(!left);
}

#[tokio::test]
async fn nobody_answers_is_said_at_once() {
    let broker = Broker::start().await;
    let began = Instant::now();
    let error = ask(&broker.bus, 1).await.unwrap_err();
    assert!(matches!(error, AskError::NobodyAnswers), "{error}");
    drop(take(&broker.bus).await);
    let error = ask(&broker.bus, 1).await.unwrap_err();
    assert!(matches!(error, AskError::NobodyAnswers), "no longer: {error}");
    assert!(began.elapsed() < AT_ONCE);
}

#[tokio::test]
async fn after_the_end_what_is_on_its_way_is_taken_and_nothing_more() {
    let broker = Broker::start().await;
    let mut questions = take(&broker.bus).await;
    let other = connect(&broker.server, None).await;
    let answering = async {
        let first = questions.next().await.unwrap();
        questions.end().await.unwrap();
        answer(&first).await;
        assert!(questions.next().await.is_none());
    };
    let (asked, ()) = tokio::join!(ask(&other, 1), answering);
    assert_eq!(asked.unwrap(), 2);
    let error = ask(&other, 1).await.unwrap_err();
    assert!(matches!(error, AskError::NobodyAnswers), "{error}");
}

#[tokio::test]
async fn a_question_left_lying_runs_out_of_patience() {
    let broker = Broker::start().await;
    let _questions = take(&broker.bus).await;
    let patience = Duration::from_millis(50);
    let error = ask_for(&broker.bus, 1, patience).await.unwrap_err();
    assert!(
        matches!(error, AskError::TimedOut(waited) if waited == patience),
        "{error}"
    );
}

#[tokio::test]
async fn questions_are_taken_again_when_the_broker_is_back() {
    let mut broker = Broker::start().await;
    let mut questions = take(&broker.bus).await;
    broker.kill().await;
    let began = Instant::now();
    let error = ask(&broker.bus, 1).await.unwrap_err();
    assert!(
        matches!(error, AskError::Bus(BusError::Unavailable(_))),
        "{error}"
    );
    assert!(began.elapsed() < AT_ONCE);
    broker.restart().await;
    let answering = async {
        loop {
            answer(&questions.next().await.unwrap()).await;
        }
    };
    let asking = wait_until(PATIENCE, "an answer", async || {
        ask(&broker.bus, 1).await.is_ok_and(|answer| answer == 2)
    });
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_told_to_who_gives_it() {
    let broker = Broker::start().await;
    let mut questions = take(&broker.bus).await;
    let large = DeliveryProgress {
        platform_message_ids: vec!["x".repeat(2 << 20)],
        failures: 0,
        under_way: None,
    };
    let answering = async {
        let question = questions.next().await.unwrap();
        let error = question.answer(&large).await.unwrap_err();
        assert!(matches!(error, BusError::TooLarge), "{error}");
        answer(&question).await;
    };
    let (asked, ()) = tokio::join!(ask(&broker.bus, 7), answering);
    assert_eq!(asked.unwrap(), 8);
    let error = broker
        .bus
        .ask::<_, DeliveryProgress>("questions.a".to_owned(), &large, PATIENCE)
        .await
        .unwrap_err();
    assert!(matches!(error, AskError::Bus(BusError::TooLarge)), "{error}");
}

#[tokio::test]
async fn what_is_no_question_and_what_is_no_answer_are_noticed() {
    let broker = Broker::start().await;
    let mut questions = take(&broker.bus).await;
    let answering = async {
        let question = questions.next().await.unwrap();
        assert!(question.decode::<Turn>().is_err());
        answer(&question).await;
    };
    let question = record(1);
    let asking = broker
        .bus
        .ask::<_, Turn>("questions.a".to_owned(), &question, PATIENCE);
    let (asked, ()) = tokio::join!(asking, answering);
    assert!(matches!(asked, Err(AskError::Bus(BusError::Undecodable(_)))));
}
