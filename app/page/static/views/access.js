// Who is signed in, in which project, and the project's keys.

import { get, getAll, post, put, remove } from "../api.js";
import { h, problemBox, replace, sentenceCase, table, time } from "../dom.js";

const SCOPES = ["read", "write", "admin"];

function state(key) {
  if (key.revoked_at) return ["revoked ", time(key.revoked_at)];
  if (!key.expires_at) return "taken";
  return new Date(key.expires_at) <= new Date() ? "expired" : `taken until ${new Date(key.expires_at).toLocaleString()}`;
}

export async function view({ holder, signal }) {
  const failed = h("div");
  const caller = await get("/caller", {}, signal);
  const projects = await getAll("/projects", {}, signal);
  const made = h("div", { role: "status" });
  const list = h("div");
  const ring = h("div");

  const guarded = (act) => async (event) => {
    event?.preventDefault?.();
    replace(failed);
    try {
      await act();
    } catch (error) {
      replace(failed, problemBox(error));
    }
  };

  // The head names the project only once its form stands: what is typed before that would be thrown away.
  async function again() {
    chooser.disabled = true;
    await view({ holder, signal });
    document.dispatchEvent(new Event("signed"));
  }

  const chooser = h(
    "select",
    { id: "project", onchange: guarded(async () => {
      await put("/session/project", { project: chooser.value });
      replace(ring);
      await again();
    }) },
    projects.map((project) => h("option", { value: project.name, selected: project.name === caller.project }, project.name)),
  );

  // A key is shown this once, so it stays until somebody leaves the page.
  function show(key) {
    replace(made, h("div", { class: "note warn stack" }, h("p", null, h("strong", null, `Key ${key.name}. `), "Copy it now: it is shown this once."), h("code", { class: "secret" }, key.key)));
  }

  async function load() {
    const keys = await getAll("/keys", {}, signal);
    replace(
      list,
      keys.length
        ? table(
            ["Name", "Ends in", "May", "Last used", "State", ""],
            keys.map((key) => [
              `${key.name}${key.project ? "" : " (of the service)"}`,
              h("code", null, key.hint),
              key.scope,
              key.last_used_at ? time(key.last_used_at) : "never",
              state(key),
              !key.revoked_at && h(
                "div",
                { class: "row" },
                h("button", { type: "button", class: "quiet", "aria-label": `Rotate ${key.name} ${key.hint}`, onclick: guarded(async () => {
                  show(await post(`/keys/${key.id}/rotate`));
                  await load();
                }) }, "Rotate"),
                h("button", { type: "button", class: "quiet", "aria-label": `Revoke ${key.name} ${key.hint}`, onclick: guarded(async () => {
                  if (!confirm(`Revoke ${key.name}? Whoever uses it is locked out at once.`)) return;
                  await post(`/keys/${key.id}/revoke`);
                  await load();
                }) }, "Revoke"),
              ),
            ]),
            { caption: "Keys" },
          )
        : h("p", { class: "muted" }, "There is no key yet."),
    );
  }

  const name = h("input", { id: "key-name", required: true, maxlength: 100 });
  const scope = h("select", { id: "key-scope" }, SCOPES.map((one) => h("option", { value: one }, sentenceCase(one))));
  const days = h("input", { id: "key-days", type: "number", min: 1, max: 3650, value: 365 });
  const form = h(
    "form",
    { class: "filters", onsubmit: guarded(async () => {
      show(await post("/keys", { name: name.value, scope: scope.value, expires_in_days: days.value ? Number(days.value) : null }));
      name.value = "";
      await load();
    }) },
    h("div", { class: "field" }, h("label", { for: "key-name" }, "What it is for"), name),
    h("div", { class: "field" }, h("label", { for: "key-scope" }, "May"), scope),
    h("div", { class: "field" }, h("label", { for: "key-days" }, "Days; empty: no end"), days),
    h("button", { class: "primary" }, "Make a key"),
  );
  replace(
    holder,
    h("div", { class: "head" }, h("h1", null, "Access"), h("button", { type: "button", onclick: guarded(async () => {
      await remove("/session");
      document.dispatchEvent(new Event("signed"));
      location.replace("#/sign-in");
    }) }, "Sign out")),
    h("section", { class: "panel stack" },
      h("p", null, `You are ${caller.actor}, and may ${caller.scope} in this project.`),
      h("div", { class: "field" }, h("label", { for: "project" }, "Project"), chooser)),
    failed,
    ring,
  );
  if (caller.scope !== "admin") return;
  replace(ring, h("section", { class: "panel stack" }, h("h2", null, "Keys"), form, made, list));
  await load();
}
