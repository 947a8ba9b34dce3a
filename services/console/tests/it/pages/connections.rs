//! The page of a connection: what its platform has to be told.

use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::records::ABSENT;

const INGRESS: (&str, &str) = ("INGRESS_PUBLIC_URL", "https://bot.test/");

impl Fixture {
    async fn with_bot() -> Self {
        let console = Self::with(&[INGRESS]).await;
        let bot = json!({"id": "b", "name": "B", "integration": "support"});
        assert_eq!(console.put("/v1/bots/b", &bot, ABSENT).await.status, 201);
        console
    }

    async fn connect(&self, id: &str, channel: Value) {
        let connection = json!({"id": id, "bot": "b", "channel": channel});
        let put = self
            .put(&format!("/v1/connections/{id}"), &connection, ABSENT)
            .await;
        assert_eq!(put.status, 201, "{}", put.body);
    }
}

#[tokio::test]
async fn each_channel_has_its_address_and_what_to_tell_the_platform() {
    let console = Fixture::with_bot().await;
    console
        .connect(
            "t",
            json!({"telegram": {"token": "env:TG_TOKEN", "webhook_secret": "file:/run/it's"}}),
        )
        .await;
    console
        .connect(
            "s",
            json!({"slack": {"token": "env:T", "signing_secret": "env:S"}}),
        )
        .await;
    let discord =
        json!({"token": "env:D_TOKEN", "application_id": "42", "public_key": "00".repeat(32), "gateway": {}});
    console.connect("d", json!({"discord": discord})).await;
    console
        .connect(
            "h",
            json!({"http": {"secrets": ["env:PUSH"], "callback_url": "https://a.example/",
            "callback_secret": "env:BACK"}}),
        )
        .await;
    let viewer = console.viewer().await;
    viewer.get("/connections/t").await.holds(
        200,
        &[
            "<pre id=\"address\">https://bot.test/v1/channels/t/updates</pre>",
            "curl -sS https://api.telegram.org/bot&quot;${TG_TOKEN}&quot;/setWebhook",
            "--data-urlencode url=https://bot.test/v1/channels/t/updates",
            "secret_token=&quot;$(cat -- '/run/it'\\''s')&quot;",
            "allowed_updates=[",
            "data-copy=\"register\" hidden",
        ],
    );
    viewer
        .get("/connections/s")
        .await
        .holds(
            200,
            &[
                "<pre id=\"address\">https://bot.test/v1/channels/s/events</pre>",
                "request_url: https://bot.test/v1/channels/s/events",
            ],
        )
        .lacks(&["bot.example.com"]);
    viewer.get("/connections/d").await.holds(
        200,
        &[
            "https://bot.test/v1/channels/d/interactions",
            "https://discord.com/api/v10/applications/42/commands",
            "'Authorization: Bot '&quot;${D_TOKEN}&quot;",
            "Message Content Intent",
            "Start afresh",
        ],
    );
    viewer.get("/connections/h").await.holds(
        200,
        &[
            "https://bot.test/v1/channels/h/messages",
            "SECRET=&quot;${PUSH}&quot;",
            "webhook-signature: $SIGNATURE",
        ],
    );
}

#[tokio::test]
async fn without_the_address_of_ingress_its_place_is_named() {
    let console = Fixture::start().await;
    let bot = json!({"id": "b", "name": "B", "integration": "support"});
    assert_eq!(console.put("/v1/bots/b", &bot, ABSENT).await.status, 201);
    console
        .connect(
            "s",
            json!({"slack": {"token": "env:T", "signing_secret": "env:S"}}),
        )
        .await;
    let viewer = console.viewer().await;
    viewer.get("/connections/s").await.holds(
        200,
        &["https://YOUR-INGRESS/v1/channels/s/events", "INGRESS_PUBLIC_URL"],
    );
}

#[tokio::test]
async fn a_connection_of_each_channel_is_made_of_its_fields() {
    let console = Fixture::with_bot().await;
    let operator = console.operator().await;
    let public_key = "00".repeat(32);
    let forms: [(&str, &[(&str, &str)]); 5] = [
        (
            "telegram",
            &[("token", "env:T"), ("webhook_secret", "env:S"), ("username", "")],
        ),
        ("slack", &[("token", "env:T"), ("signing_secret", "env:S")]),
        (
            "discord",
            &[
                ("token", "env:T"),
                ("application_id", "42"),
                ("public_key", &public_key),
            ],
        ),
        (
            "http",
            &[
                ("secrets", "env:P"),
                ("callback_url", "https://a.example/"),
                ("callback_secret", "env:S"),
            ],
        ),
        (
            "http",
            &[
                ("secrets", "env:P"),
                ("callback_url", ""),
                ("callback_secret", ""),
            ],
        ),
    ];
    for (number, (channel, account)) in forms.into_iter().enumerate() {
        let form = operator.get(&format!("/new-connection?channel={channel}")).await;
        form.holds(200, &["Who answers here", "env:NAME or file:PATH"]);
        assert_eq!(form.value("channel"), channel);
        for (name, _) in account {
            form.holds(200, &[&format!("name=\"{name}\"")]);
        }
        let id = format!("c{number}");
        let common = [("id", &*id), ("bot", "b"), ("channel", channel)];
        let filled_in = [&common[..], account].concat();
        // What was filled in goes on as text, and nothing is stored by that.
        let text = [&filled_in[..], &[("as", "text")]].concat();
        let text = operator.post("/new-connection/check", &text).await;
        let id_line = format!("\nid: {id}\nbot: b\nchannel:\n  {channel}:\n");
        text.holds(200, &[&id_line, &format!("value=\"{id}\"")]);
        let sent = operator.post("/new-connection", &filled_in).await;
        sent.leads_to(&format!("/connections/{id}?done=put"));
        operator
            .get(&format!("/connections/{id}"))
            .await
            .holds(200, &[channel, "href=\"/bots/b\""]);
    }
    let wrong = [
        ("id", "x"),
        ("bot", "nowhere"),
        ("channel", "slack"),
        ("token", "xoxb-1"),
        ("signing_secret", "env:S"),
    ];
    let refused = operator.post("/new-connection", &wrong).await;
    refused.holds(422, &["by reference"]);
    assert_eq!(refused.value("channel"), "slack");
}
