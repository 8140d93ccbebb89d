// Links to the measurements as files, to the curve as a picture, and to the job's report.

import { ROOT } from "../../api.js";
import { h, replace } from "../../dom.js";

function address(path, query) {
  const url = new URL(path.slice(1), ROOT);
  for (const [k, v] of Object.entries(query)) if (v !== null) url.searchParams.set(k, v);
  return url.href;
}

function link(name, path, query = {}) {
  return h("a", { href: address(path, query), download: "" }, name);
}

// The job on one page for who pays: to look at and to print.
export function reportLink(id, name, terms = {}) {
  return h("a", { href: address(`/jobs/${id}/report`, terms), target: "_blank" }, name);
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
      reportLink(id, "Report"),
    );
  }

  show(metric, label, target) {
    replace(
      this.pictures,
      ["svg", "png"].map((kind) => link(kind.toUpperCase(), `/jobs/${this.id}/plot.${kind}`, { metric, class: label, target: target === null ? null : `${target}` })),
    );
  }
}
