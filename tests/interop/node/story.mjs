// AgentMail's own Node client, unmodified, on our server; prints one line of JSON for each step.
// Usage: node story.mjs URL FOLDER. Once "listening" is printed, a mail must come to its inbox.

import { createRequire } from "node:module";
import { join } from "node:path";

const [url, folder] = process.argv.slice(2);
const require = createRequire(join(folder, "story.cjs"));
const { AgentMailClient, AgentMailError } = require("agentmail");
const schemas = require("agentmail/serialization");

let answer; // the last one, as it came
const client = new AgentMailClient({
    apiKey: "any",
    baseUrl: url,
    maxRetries: 0,
    fetch: async (...asked) => {
        const came = await fetch(...asked);
        answer = came.clone();
        return came;
    },
});
const { messages, drafts, threads } = client.inboxes;

function tell(step, told) {
    console.log(JSON.stringify({ step, ...told }));
}

// The client itself checks nothing; so its own schema must have taken the answer strictly too.
async function checked(schema, asked) {
    const made = await asked;
    const parsed = schema.parse(await answer.json(), { unrecognizedObjectKeys: "passthrough" });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
    return made;
}

async function inboxes() {
    const bare = await checked(schemas.inboxes.Inbox, client.inboxes.create());
    const asked = { username: "node", clientId: "n-1", displayName: "Node", metadata: { tier: 2 } };
    const named = await checked(schemas.inboxes.Inbox, client.inboxes.create(asked));
    const again = await checked(schemas.inboxes.Inbox, client.inboxes.create(asked));
    const listed = await checked(schemas.inboxes.ListInboxesResponse, client.inboxes.list());
    tell("inboxes", {
        bare: bare.inboxId,
        named,
        same: again.createdAt.getTime() === named.createdAt.getTime(),
        listed: listed.inboxes.map((inbox) => inbox.inboxId),
    });
    return named.inboxId;
}

async function send(me) {
    const content = Buffer.from("hello").toString("base64");
    const asked = {
        to: ["ann@example.com"],
        subject: "Plans",
        text: "See the file",
        html: "<p>See the file</p>",
        labels: ["out"],
        attachments: [{ filename: "a.txt", content, contentType: "text/plain" }],
    };
    const once = { idempotencyKey: "k-1" };
    const sent = await checked(schemas.SendMessageResponse, messages.send(me, asked, once));
    const again = await checked(schemas.SendMessageResponse, messages.send(me, asked, once));
    const listed = await checked(
        schemas.ListMessagesResponse,
        messages.list(me, { labels: ["out"] }),
    );
    const got = await checked(schemas.Message, messages.get(me, sent.messageId));
    const [file] = got.attachments;
    const link = await checked(
        schemas.AttachmentResponse,
        messages.getAttachment(me, sent.messageId, file.attachmentId),
    );
    const downloaded = await (await fetch(link.downloadUrl)).text();
    tell("send", {
        sent,
        again,
        listed: listed.messages.map((message) => message.messageId),
        got,
        dated: got.timestamp instanceof Date,
        downloaded,
    });
}

// Resolves to the event of the mail that comes once we listen.
async function listen(me) {
    const socket = await client.websockets.connect();
    try {
        return await new Promise((resolve, reject) => {
            socket.on("error", reject);
            socket.on("message", (said) => {
                if (said.type === "event") return resolve(said);
                if (said.type === "error") return reject(new Error(said.message));
                tell("listening", said);
            });
            const wish = { eventTypes: ["message.received"], inboxIds: [me] };
            socket.sendSubscribe({ type: "subscribe", ...wish });
        });
    } finally {
        socket.close();
    }
}

async function answers(me, came) {
    const ask = (asked) => checked(schemas.SendMessageResponse, asked);
    const get = (sent) => checked(schemas.Message, messages.get(me, sent.messageId));
    const reply = await ask(messages.reply(me, came.messageId, { text: "Noted." }));
    const everyone = await ask(messages.replyAll(me, came.messageId, { text: "Thanks" }));
    const on = await ask(messages.forward(me, came.messageId, { to: ["eve@example.com"] }));
    tell("answers", { reply: await get(reply), everyone: await get(everyone), on: await get(on) });
}

async function labels(me, came) {
    const change = { addLabels: ["vip"], removeLabels: ["unread"] };
    const changed = await checked(
        schemas.UpdateMessageResponse,
        messages.update(me, came.messageId, change),
    );
    const listed = await checked(
        schemas.ListMessagesResponse,
        messages.list(me, { labels: ["vip"] }),
    );
    tell("labels", { changed, listed: listed.messages.map((message) => message.messageId) });
}

async function conversation(me, came) {
    const listed = await checked(
        schemas.ListThreadsResponse,
        threads.list(me, { labels: ["vip"] }),
    );
    const got = await checked(schemas.Thread, client.threads.get(came.threadId));
    const change = { addLabels: ["todo"] };
    const changed = await checked(
        schemas.UpdateThreadResponse,
        threads.update(me, came.threadId, change),
    );
    tell("threads", { listed: listed.threads.map((thread) => thread.threadId), got, changed });
}

async function draft(me) {
    const asked = { to: ["ann@example.com"], subject: "Offer", text: "Hello", clientId: "d-1" };
    const made = await checked(schemas.Draft, drafts.create(me, asked));
    const listed = await checked(schemas.ListDraftsResponse, drafts.list(me));
    const sent = await checked(
        schemas.SendMessageResponse,
        drafts.send(me, made.draftId, { addLabels: ["y"] }),
    );
    const got = await checked(schemas.Message, messages.get(me, sent.messageId));
    const gone = await fault(drafts.get(me, made.draftId));
    tell("drafts", { made, listed: listed.drafts.map((draft) => draft.draftId), got, gone });
}

async function search(me) {
    const asked = { q: "invoice" };
    const found = await checked(schemas.SearchMessagesResponse, messages.search(me, asked));
    const talks = await checked(schemas.SearchThreadsResponse, threads.search(me, asked));
    tell("search", {
        messages: found.messages.map((message) => [message.messageId, message.highlights]),
        threads: talks.threads.map((thread) => thread.threadId),
    });
}

async function webhooks(me) {
    const wish = { eventTypes: ["message.received"], inboxIds: [me] };
    const asked = { url: "https://example.com/h", ...wish };
    const made = await checked(schemas.webhooks.Webhook, client.webhooks.create(asked));
    const listed = await checked(
        schemas.webhooks.ListWebhooksResponse,
        client.webhooks.list(),
    );
    tell("webhooks", { made, listed: listed.webhooks.map((hook) => hook.webhookId) });
}

async function fault(asked) {
    try {
        await asked;
    } catch (error) {
        if (!(error instanceof AgentMailError)) throw error;
        return { type: error.constructor.name, status: error.statusCode, body: error.body };
    }
    throw new Error("this should have failed");
}

async function errors(me) {
    tell("errors", {
        message: await fault(messages.get(me, "<gone@example.com>")),
        thread: await fault(client.threads.get("thd_gone")),
        inbox: await fault(client.inboxes.get("nobody@inbox.example")),
        taken: await fault(client.inboxes.create({ username: "node" })),
        invalid: await fault(messages.send(me, { to: ["not an address"], text: "Hi" })),
    });
}

const me = await inboxes();
await send(me);
const event = await listen(me);
tell("received", event);
await answers(me, event.message);
await labels(me, event.message);
await conversation(me, event.message);
await draft(me);
await search(me);
await webhooks(me);
await errors(me);
