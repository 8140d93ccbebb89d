// The jobs: live, filtered by the service, a page at a time.

import { get, pause } from "../api.js";
import { badge, count, h, replace, STATES, time } from "../dom.js";

const EVERY = 3000;

export async function view({ holder, signal, query, attach }) {
  const chosen = new Set();
  const cursors = [query.get("cursor")].filter(Boolean);
  const filters = { state: query.getAll("state"), model: query.get("model") ?? "", dataset: query.get("dataset") ?? "", label: query.get("label") ?? "" };

  const body = h("tbody");
  const newer = h("button", { type: "button", onclick: () => (cursors.pop(), load()) }, "Newer");
  const older = h("button", { type: "button", onclick: () => (cursors.push(older.dataset.cursor), load()) }, "Older");
  const pages = h("div", { class: "row", hidden: true }, newer, older);
  const said = h("p", { class: "muted", role: "status" });
  const compare = h("button", { type: "button", disabled: true, onclick: () => (location.hash = `#/compare?${[...chosen].map((id) => `job=${id}`).join("&")}`) }, "Compare");
  let timer = 0;

  function filterField(name, label, placeholder) {
    const input = h("input", { id: `filter-${name}`, value: filters[name], placeholder, autocomplete: "off", maxlength: 200 });
    input.addEventListener("input", () => {
      filters[name] = input.value.trim();
      clearTimeout(timer);
      timer = setTimeout(changed, 250);
    });
    return h("div", { class: "field" }, h("label", { for: input.id }, label), input);
  }

  function changed() {
    cursors.length = 0;
    load();
  }

  const states = h(
    "fieldset",
    null,
    h("legend", null, "State"),
    Object.entries(STATES).map(([state, name]) => {
      const box = h("input", { type: "checkbox", checked: filters.state.includes(state) });
      box.addEventListener("change", () => {
        filters.state = box.checked ? [...filters.state, state] : filters.state.filter((other) => other !== state);
        changed();
      });
      return h("label", { class: "check" }, box, name);
    }),
  );

  function row(job) {
    const { model, dataset, runs } = job.spec;
    const box = h("input", { type: "checkbox", checked: chosen.has(job.id), "aria-label": `Compare ${model.name} on ${dataset}` });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(job.id);
      else chosen.delete(job.id);
      compare.disabled = chosen.size < 2;
      replace(compare, chosen.size ? `Compare ${chosen.size}` : "Compare");
    });
    const { cells_done: done, cells_not_measurable: lost, cells_total: total, fraction } = job.progress;
    const fill = h("span");
    fill.style.transform = `scaleX(${fraction})`;
    const why = job.state === "queued" ? job.queued_reason : job.state === "failed" ? job.error?.detail : job.warnings[0]?.detail;
    return h(
      "tr",
      null,
      h(
        "td",
        null,
        h("a", { class: "name", href: `#/jobs/${job.id}` }, h("strong", null, model.name), " on ", dataset),
        h("span", { class: "muted small" }, job.id.slice(-8), " ", Object.entries(job.labels).map(([k, v]) => [" ", h("span", { class: "chip" }, `${k}: ${v}`)])),
        why && h("span", { class: "name muted small" }, why),
      ),
      h("td", null, badge(job.state)),
      h("td", { class: "wide" }, job.state !== "completed" && h("div", { class: "bar", "aria-hidden": "true" }, fill), h("span", { class: "muted small" }, total ? `${count(done)} of ${count(total)} cells${lost ? `, ${count(lost)} not measurable` : ""}` : "to be planned", `, ${runs} ${runs === 1 ? "run" : "runs"}`)),
      h("td", { class: "muted nowrap" }, time(job.created_at)),
      h("td", { class: "num" }, h("label", { class: "check" }, h("span", { class: "narrow muted small", "aria-hidden": "true" }, "Compare"), box)),
    );
  }

  let shown = "";
  let turn = 0;
  async function load() {
    const mine = ++turn;
    const cursor = cursors.at(-1);
    const wanted = { ...filters, cursor, limit: 25 };
    let page;
    try {
      page = await get("/jobs", wanted, signal);
    } catch (error) {
      if (signal.aborted || mine !== turn) return;
      replace(said, error.message);
      return;
    }
    if (mine !== turn || signal.aborted) return;
    const search = new URLSearchParams(Object.entries({ ...filters, cursor: cursor ?? "" }).flatMap(([k, v]) => [v].flat().filter(Boolean).map((one) => [k, one])));
    history.replaceState(null, "", `#/jobs${`${search}` ? `?${search}` : ""}`);
    const now = JSON.stringify(page);
    // A list that has not changed is left alone: what is focused or selected in it stays so.
    if (now !== shown) {
      shown = now;
      const focused = document.activeElement?.closest?.("tbody a")?.getAttribute("href");
      replace(body, page.items.map(row));
      if (focused) body.querySelector(`a[href="${focused}"]`)?.focus();
    }
    const filtered = filters.state.length || filters.model || filters.dataset || filters.label;
    replace(
      said,
      page.items.length ? null : filtered || cursor ? "No job is like that." : ["No jobs yet. ", h("a", { href: "#/new" }, "Submit the first one"), "."],
    );
    newer.disabled = cursors.length === 0;
    older.disabled = !page.next_cursor;
    pages.hidden = newer.disabled && older.disabled;
    older.dataset.cursor = page.next_cursor ?? "";
  }

  holder.append(
    h("div", { class: "head" }, h("h1", null, "Jobs"), h("div", { class: "row" }, compare, h("a", { class: "button main", href: "#/new" }, "New job"))),
    h("div", { class: "filters" }, filterField("model", "Model", "any"), filterField("dataset", "Dataset", "any"), filterField("label", "Label", "team:vision"), states),
    h(
      "div",
      { class: "panel" },
      h("table", { class: "cards" }, h("caption", { class: "away" }, "Jobs, the newest first"), h("thead", null, h("tr", null, ["Job", "State", "Progress", "Created"].map((c) => h("th", { scope: "col" }, c)), h("th", { scope: "col", class: "num" }, "Compare"))), body),
      said,
    ),
    pages,
  );
  await load();
  attach();
  (async () => {
    while (!signal.aborted) {
      await pause(EVERY, signal).catch(() => {});
      if (!signal.aborted && !document.hidden) await load();
    }
  })();
}
