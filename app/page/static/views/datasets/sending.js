// Files that are sent into the service's own data folder, where it has one: choosing, sending, listing, deleting.

import { getAll, get, Problem, remove, ROOT } from "../../api.js";
import { h, percent, problemBox, replace, size, time } from "../../dom.js";

// Which loader reads a kind of file.
const LOADERS = { npz: "npz", parquet: "tabular", table: "tabular" };

// With XMLHttpRequest and not fetch: that one does not tell how far it is.
function send(name, file, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", new URL(`uploads/${encodeURIComponent(name)}`, ROOT));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Sufficiency-Page", "1");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener("load", () => (request.status < 300 ? resolve(request.response) : reject(new Problem(request.status, request.response ?? { title: request.statusText }))));
    request.addEventListener("error", () => reject(new Problem(0, { title: "It was not sent", detail: "The connection broke, or the service refused the file before it had read it; nothing was kept." })));
    request.addEventListener("abort", () => reject(signal.reason));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

// A name as the service takes it: that of the file, with what it cannot hold replaced.
function plain(name) {
  const ends = /\.(npz|csv|tsv|txt|parquet)$/i.exec(name);
  const stem = (ends ? name.slice(0, ends.index) : name).replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 90) || "data";
  return stem + (ends ? ends[0].toLowerCase() : "");
}

// Null where the service takes no files; else the section, whose `use` gets a file and the loader that reads it.
export async function sending(use, signal) {
  const { most_bytes: most } = await get("/uploads", { limit: 1 }, signal);
  if (most === null) return null;
  const told = h("div", { class: "stack", role: "status" });
  const list = h("ul", { class: "sent" });
  const input = h("input", { type: "file", id: "send-file", accept: ".npz,.csv,.tsv,.txt,.parquet", "aria-describedby": "send-hint" });

  async function load() {
    const files = await getAll("/uploads", {}, signal);
    replace(
      list,
      files.map((file) =>
        h(
          "li",
          { class: "row" },
          h("strong", null, file.name),
          h("span", { class: "muted small" }, `${size(file.bytes)}, `, time(file.created_at)),
          h("button", { type: "button", "aria-label": `Read from ${file.name}`, onclick: () => use(file, LOADERS[file.kind]) }, "Read from it"),
          h("button", { type: "button", class: "quiet", "aria-label": `Delete ${file.name}`, onclick: () => forget(file) }, "Delete"),
        ),
      ),
    );
  }

  async function forget(file) {
    if (!confirm(`Delete ${file.name} from the service?`)) return;
    try {
      await remove(`/uploads/${encodeURIComponent(file.name)}`);
      replace(told);
      await load();
    } catch (error) {
      replace(told, problemBox(error));
    }
  }

  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    if (file.size > most) return replace(told, h("p", { class: "note bad" }, `${file.name} has ${size(file.size)}, and a file may have at most ${size(most)} here.`));
    const fill = h("span");
    const share = h("span", { class: "muted small" });
    replace(told, h("p", null, `Sending ${file.name}… `, share), h("div", { class: "bar", "aria-hidden": "true" }, fill));
    input.disabled = true;
    try {
      const sent = await send(plain(file.name), file, (part) => ((fill.style.transform = `scaleX(${part})`), replace(share, percent(part))), signal);
      replace(told, h("p", null, h("strong", null, sent.name), ` is there, ${size(sent.bytes)}.`));
      use(sent, LOADERS[sent.kind]);
      await load();
    } catch (error) {
      if (!signal.aborted) replace(told, problemBox(error));
    } finally {
      input.disabled = false;
      input.value = "";
    }
  });

  await load();
  return h(
    "fieldset",
    { class: "stack" },
    h("legend", { class: "away" }, "A file of yours"),
    h("div", { class: "field" }, h("label", { for: "send-file" }, "Send a file"), input, h("span", { class: "hint", id: "send-hint" }, `.npz, .csv, .tsv, .txt or .parquet, up to ${size(most)}. Files that are on the service's machine already are named by their path below.`)),
    told,
    list,
  );
}
