// Leads from the address to the view, and back; one view at a time, each ended by a signal when the next one comes.

import { connection, get, Problem } from "./api.js";
import { h, problemBox, replace } from "./dom.js";

const VIEWS = [
  [/^\/jobs$/, "jobs", "Jobs"],
  [/^\/jobs\/([^/]+)$/, "job", "Job"],
  [/^\/new$/, "new", "New job"],
  [/^\/compare$/, "compare", "Compare"],
  [/^\/datasets$/, "datasets", "Datasets"],
  [/^\/plugins$/, "plugins", "Plugins"],
  [/^\/record$/, "record", "Record"],
  [/^\/workers$/, "workers", "Workers"],
  [/^\/webhooks$/, "webhooks", "Webhooks"],
  [/^\/access$/, "access", "Access"],
  [/^\/sign-in$/, "sign-in", "Sign in"],
];
const main = document.getElementById("main");
let running = null;

async function show() {
  const [path, search = ""] = (location.hash.slice(1) || "/jobs").split("?");
  const found = VIEWS.map(([pattern, module, title]) => [pattern.exec(path), module, title]).find(([match]) => match);
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  for (const link of document.querySelectorAll("nav a")) {
    const here = path === link.hash.slice(1) || (path.startsWith("/jobs/") && link.hash === "#/jobs");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!found) {
    document.title = "Sufficiency";
    replace(main, h("h1", null, "Nothing is here"), h("p", null, h("a", { href: "#/jobs" }, "Back to the jobs")));
    return;
  }
  const [match, module, title] = found;
  document.title = `${title} · Sufficiency`;
  try {
    const { view } = await import(`./views/${module}.js`);
    if (signal.aborted) return;
    const holder = h("div", { class: `view ${module}` });
    await view({ holder, signal, params: match.slice(1), query: new URLSearchParams(search), attach: () => replace(main, holder) });
    if (!signal.aborted && holder.parentNode !== main) replace(main, holder);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof Problem && error.status === 401) return;
    replace(main, h("h1", null, title), problemBox(error instanceof Problem ? error : new Problem(0, { detail: `${error}` })));
    if (!(error instanceof Problem)) throw error;
  }
}

function nextTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // Only not remembered.
  }
  nameTheme();
}

function nameTheme() {
  const { theme } = document.documentElement.dataset;
  const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  replace(document.getElementById("theme"), dark ? "Light" : "Dark", h("span", { class: "away" }, " theme"));
}

document.getElementById("theme").addEventListener("click", nextTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
connection.addEventListener("change", () => {
  replace(
    document.getElementById("connection"),
    connection.lost && h("p", { class: "note bad" }, "The service does not answer. What you see is as it was; this page tries again by itself."),
  );
});
window.addEventListener("hashchange", () => {
  show().then(() => {
    main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  });
});
// Whoever is not signed in, or no longer, is led to where one signs in, and from there back.
document.addEventListener("unknown", () => {
  if (!location.hash.startsWith("#/sign-in")) location.replace(`#/sign-in?${new URLSearchParams({ to: location.hash })}`);
});
// Whoever is asked who it is gets a way to that; an open service asks nobody.
async function nameCaller() {
  const session = await get("/session", {}, new AbortController().signal);
  const who = document.getElementById("who");
  who.hidden = session.open;
  replace(who, session.signed_in ? [h("span", { class: "away" }, "Access: "), session.project ?? "Access"] : "Sign in");
  who.href = session.signed_in ? "#/access" : "#/sign-in";
}

nameTheme();
nameCaller().catch(() => {});
document.addEventListener("signed", () => nameCaller().catch(() => {}));
get("/version", {}, new AbortController().signal).then(({ version }) => replace(document.getElementById("version"), `Sufficiency ${version}`), () => {});
show();
