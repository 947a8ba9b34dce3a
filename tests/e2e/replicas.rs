//! Several processes of each service.

use testkit::backend::{echo, most_in_flight};

use crate::manifest::WEB;
use crate::pipeline::{Options, Pipeline, echoed_one_by_one};

#[tokio::test]
async fn replicas_share_the_work_and_keep_each_conversation_in_order() {
    let options = Options {
        replicas: 2,
        ..Options::default()
    };
    let pipeline = Pipeline::start(options).await;
    // Long enough for a second call to be seen beside it.
    pipeline
        .backend
        .respond_with(|call| echo(call).after(std::time::Duration::from_millis(20)));
    let (chats, texts) = (["ada", "bob", "eve"], ["one", "two", "three", "four", "five"]);
    for (index, text) in texts.into_iter().enumerate() {
        for chat in chats {
            pipeline.say_at(index % 2, WEB, chat, text).await;
        }
    }
    for chat in chats {
        let replies = pipeline.replies(chat, texts.len()).await;
        assert_eq!(replies, echoed_one_by_one(&texts), "{chat}");
    }
    pipeline.settled().await;
    for chat in chats {
        let calls = pipeline.calls_of(chat);
        assert_eq!((calls.len(), most_in_flight(&calls)), (texts.len(), 1), "{chat}");
        assert_eq!(pipeline.replies_now(chat).len(), texts.len(), "{chat}");
    }
    assert_eq!(pipeline.all_transcripts().await.len(), chats.len() * texts.len());
}
