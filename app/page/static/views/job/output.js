// What the job's plugins have written: read when it is opened, and again while the job trains.

import { get, pause } from "../../api.js";
import { count, ENDED, h, problemBox, replace } from "../../dom.js";

const EVERY = 3000;
const LINES = 500;

export function output(current, signal) {
  const shown = h("div", { class: "stack" });
  const box = h("details", { class: "panel", ontoggle: () => box.open && read().catch((error) => signal.aborted || replace(shown, problemBox(error))) }, h("summary", null, "What the plugins wrote"), shown);
  let last = null;

  async function read() {
    while (box.open && !signal.aborted) {
      const said = await get(`/jobs/${current().id}/logs`, { tail: LINES }, signal);
      if (said.last_id !== last) {
        last = said.last_id;
        const text = said.items.map((piece) => piece.text).join("\n");
        replace(
          shown,
          said.bytes_before > 0 && h("p", { class: "muted small" }, `${count(said.bytes_before)} bytes before are not shown.`),
          text ? h("pre", { tabindex: "0" }, text) : h("p", { class: "muted" }, "Nothing so far."),
        );
      }
      if (ENDED.has(current().state)) return;
      await pause(EVERY, signal);
    }
  }
  return box;
}
