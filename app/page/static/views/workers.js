// The workers: where they run, what they have, whether they are heard of.

import { get, pause } from "../api.js";
import { h, plural, replace, table, time } from "../dom.js";

const EVERY = 5000;

function offered(worker) {
  return h("details", null, h("summary", null, plural(worker.plugins.length, "plugin")), h("p", { class: "small" }, worker.plugins.join(", ")));
}

export async function view({ holder, signal, attach }) {
  const list = h("div", { class: "stack" });
  async function load() {
    const { items } = await get("/workers", {}, signal);
    const live = items.filter((worker) => worker.live);
    const slots = live.reduce((sum, worker) => sum + worker.slots, 0);
    const busy = live.reduce((sum, worker) => sum + worker.busy, 0);
    const open = new Set([...list.querySelectorAll("details")].map((one, k) => (one.open ? k : -1)));
    replace(
      list,
      live.length > 0
        ? h("p", null, `${plural(live.length, "worker")} with ${plural(slots, "slot")}, ${busy} of them busy.`)
        : h("p", { class: "note warn" }, h("strong", null, "No worker is live. "), "Start one with ", h("code", null, "sufficiency worker"), "; until then jobs wait."),
      ...items.flatMap((worker) => worker.plugin_errors.map((error) => h("p", { class: "note bad" }, h("strong", null, "A plugin could not be loaded. "), `${error.plugin ?? ""} on ${worker.hostname}: ${error.error ?? error.detail ?? ""}`))),
      items.length > 0 &&
        table(
          ["Host", "State", "Devices", "Slots", "Started", "Heard of", "Offers"],
          items.map((worker) => [
            `${worker.hostname}, process ${worker.pid}`,
            h("span", { class: `badge state-${worker.live ? "live" : "away"}` }, worker.live ? "live" : "silent"),
            worker.devices.join(", "),
            `${worker.busy} of ${worker.slots} busy`,
            time(worker.started_at),
            time(worker.heartbeat_at),
            offered(worker),
          ]),
          { caption: "Workers" },
        ),
    );
    [...list.querySelectorAll("details")].forEach((one, k) => (one.open = open.has(k)));
  }
  holder.append(h("h1", null, "Workers"), list);
  await load();
  attach();
  (async () => {
    for (;;) {
      await pause(EVERY, signal);
      if (!document.hidden) await load();
    }
  })().catch(() => {});
}
