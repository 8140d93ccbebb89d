// Links to the measurements as files and to the curve as a picture.

import { ROOT } from "../../api.js";
import { h, replace } from "../../dom.js";

function link(name, path, query = {}) {
  const url = new URL(path.slice(1), ROOT);
  for (const [k, v] of Object.entries(query)) if (v !== null) url.searchParams.set(k, v);
  return h("a", { href: url.href, download: "" }, name);
}

export class Downloads {
  constructor(id) {
    this.id = id;
    this.pictures = h("span", { class: "row" });
    this.node = h(
      "p",
      { class: "row small" },
      h("span", { class: "muted" }, "Download"),
      link("CSV of every cell", `/jobs/${id}/export`, { format: "csv" }),
      link("DataEval", `/jobs/${id}/export`, { format: "dataeval" }),
      this.pictures,
    );
  }

  show(metric, label, target) {
    replace(
      this.pictures,
      ["svg", "png"].map((kind) => link(kind.toUpperCase(), `/jobs/${this.id}/plot.${kind}`, { metric, class: label, target: target === null ? null : `${target}` })),
    );
  }
}
