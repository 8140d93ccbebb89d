// Endpoints that are told of job events: what they take, what was sent, and a form for one more.

import { get, getAll, patch, post, remove } from "../api.js";
import { badge, h, plural, problemBox, prose, replace, table, time } from "../dom.js";
import { field, pointerPath } from "../form.js";

const EVENTS = ["job.queued", "job.running", "job.cancelling", "job.completed", "job.failed", "job.cancelled"];
const ENDS = ["job.completed", "job.failed", "job.cancelled"];

function sent(delivery) {
  const last = delivery.log?.at(-1);
  return [delivery.type, badge(delivery.state), plural(delivery.attempts, "attempt"), last ? (last.error ?? `answered ${last.status}`) : "", time(delivery.created_at)];
}

export async function view({ holder, signal, attach }) {
  const list = h("div", { class: "stack" });
  const told = h("div", { role: "status" });

  function card(webhook) {
    const path = `/webhooks/${webhook.id}`;
    const failed = h("div");
    const log = h("div");
    const act = (what) => async () => {
      replace(failed);
      try {
        await what();
      } catch (error) {
        replace(failed, problemBox(error));
      }
    };
    const deliveries = async () => {
      const { items } = await get(`${path}/deliveries`, { limit: 20 }, signal);
      replace(log, items.length ? table(["Message", "State", "Attempts", "Last", "When"], items.map(sent), { caption: `Deliveries to ${webhook.url}` }) : h("p", { class: "muted small" }, "Nothing has been sent yet."));
    };
    return h(
      "article",
      { class: "panel stack" },
      h("div", { class: "head" }, h("h2", { class: "address" }, webhook.url), h("span", { class: `badge state-${webhook.enabled ? "live" : "away"}` }, webhook.enabled ? "enabled" : "disabled")),
      webhook.description && h("p", null, webhook.description),
      h("p", { class: "small" }, "Told of ", webhook.events.join(", ")),
      webhook.disabled_reason && h("p", { class: "note warn" }, webhook.disabled_reason),
      webhook.failing_since && h("p", { class: "note warn" }, "It has not taken a message since ", time(webhook.failing_since), "."),
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", onclick: act(async () => { await post(`${path}/test`); await deliveries(); }) }, "Send a test"),
        h("button", { type: "button", onclick: act(async () => { await patch(path, { enabled: !webhook.enabled }); await load(); }) }, webhook.enabled ? "Disable" : "Enable"),
        h("button", { type: "button", onclick: act(deliveries) }, "Deliveries"),
        h("button", { type: "button", "aria-label": `Remove ${webhook.url}`, onclick: act(async () => { if (confirm(`Remove ${webhook.url} and the log of its deliveries?`)) { await remove(path); await load(); } }) }, "Remove"),
      ),
      failed,
      log,
    );
  }

  async function load() {
    const items = await getAll("/webhooks", {}, signal);
    replace(list, items.length ? items.map(card) : h("p", { class: "muted" }, "Nobody is told of jobs yet."));
  }

  const url = field("url", { type: "string", description: "`http://` or `https://`; called with POST" }, { required: true, label: "Address" });
  const events = field("events", { type: "array", items: { enum: EVENTS } }, { value: ENDS, required: true, label: "Tell it of" });
  const description = field("description", { type: "string", maxLength: 500 }, { label: "Description" });
  const places = { url, events, description };
  const failed = h("div");
  const form = h(
    "form",
    {
      class: "stack",
      novalidate: true,
      onsubmit: async (event) => {
        event.preventDefault();
        Object.values(places).forEach((place) => place.wrong(null));
        replace(failed);
        try {
          const made = await post("/webhooks", { url: url.read() ?? "", events: events.read(), description: description.read() ?? "" });
          replace(told, h("div", { class: "note stack" }, h("p", null, h("strong", null, "Keep this secret: "), "it verifies the signatures, and is not shown again."), h("code", { class: "address" }, made.secret)));
          form.reset();
          await load();
        } catch (error) {
          for (const { pointer, detail } of error.errors ?? []) places[pointerPath(pointer)[0]]?.wrong(detail);
          replace(failed, problemBox(error));
        }
      },
    },
    url.node,
    events.node,
    description.node,
    h("div", { class: "row" }, h("button", { type: "submit", class: "main" }, "Register")),
    failed,
  );
  holder.append(h("h1", null, "Webhooks"), h("p", { class: "muted" }, prose("Messages are signed as Standard Webhooks, and repeated until they are taken.")), told, list, h("details", { class: "panel" }, h("summary", null, "Register an endpoint"), form));
  await load();
  attach();
}
