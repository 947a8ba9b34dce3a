use std::time::SystemTime;

use bus::{Span, SpanKind, TraceContext};

use super::*;

fn span() -> FinishedSpan {
    FinishedSpan {
        span: Span::new(SpanKind::Client, "POST"),
        context: TraceContext::new(),
        parent: None,
        began: SystemTime::UNIX_EPOCH,
        ended: SystemTime::UNIX_EPOCH,
    }
}

#[tokio::test(start_paused = true)]
async fn a_span_waits_for_others_a_second_at_most() {
    let (sender, mut queue) = mpsc::channel(4);
    sender.try_send(span()).unwrap();
    sender.try_send(span()).unwrap();
    let began = Instant::now();
    let (batch, is_last) = gather(&mut queue, &CancellationToken::new()).await;
    assert_eq!((batch.len(), is_last, began.elapsed()), (2, false, PERIOD));
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_goes_at_once() {
    let (sender, mut queue) = mpsc::channel(BATCH + 1);
    for _ in 0..=BATCH {
        sender.try_send(span()).unwrap();
    }
    let began = Instant::now();
    let (batch, is_last) = gather(&mut queue, &CancellationToken::new()).await;
    assert_eq!((batch.len(), is_last), (BATCH, false));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_waits_goes_at_once_and_nothing_more_is_taken() {
    let (sender, mut queue) = mpsc::channel(4);
    sender.try_send(span()).unwrap();
    let closing = CancellationToken::new();
    closing.cancel();
    let began = Instant::now();
    let (batch, is_last) = gather(&mut queue, &closing).await;
    assert_eq!((batch.len(), is_last), (1, true));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(sender.try_send(span()).is_err());
}
