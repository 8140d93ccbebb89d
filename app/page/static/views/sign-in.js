// Signing in: with a key, or by an identity provider.

import { get, post, ROOT } from "../api.js";
import { h, problemBox, replace } from "../dom.js";

export async function view({ holder, signal, query }) {
  const session = await get("/session", {}, signal);
  const to = query.get("to")?.startsWith("#/") ? query.get("to") : "#/jobs";
  if (session.open || session.signed_in) {
    location.replace(to);
    return;
  }
  const failed = h("div");
  const key = h("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const form = h(
    "form",
    {
      class: "panel stack",
      onsubmit: async (event) => {
        event.preventDefault();
        replace(failed);
        try {
          await post("/session", { key: key.value.trim() });
          document.dispatchEvent(new Event("signed"));
          location.replace(to);
        } catch (error) {
          replace(failed, problemBox(error));
          key.focus();
        }
      },
    },
    h("div", { class: "field" }, h("label", { for: "key" }, "Key"), key, h("span", { class: "hint" }, "An administrator of your project makes one. It is sent once, and this browser keeps a cookie for twelve hours.")),
    h("div", { class: "row" }, h("button", { class: "primary" }, "Sign in")),
    failed,
  );
  const provider = session.provider && h("p", null, h("a", { class: "button", href: new URL("session/provider", ROOT).href }, "Sign in with your organisation"));
  replace(holder, h("h1", null, "Sign in"), provider, form);
}
