// Runs × steps as a grid; each cell fills when it lands.

import { count, h, plural, replace } from "../../dom.js";

export class CellGrid {
  constructor() {
    this.cellsNode = h("div", { class: "cells", "aria-hidden": "true" });
    this.caption = h("p", { class: "muted small" });
    this.node = h("div", { class: "stack" }, this.cellsNode, this.caption);
    this.landed = new Map();
    this.shape = "";
  }

  plan(runs, steps) {
    const shape = `${runs}/${steps.join()}`;
    if (shape === this.shape) return;
    this.shape = shape;
    // More than a screen of them says nothing; the bar does.
    this.cells = new Map();
    if (!steps.length || runs * steps.length > 3000) return this.node.replaceChildren();
    replace(this.caption, `${plural(runs, "run")} down, ${plural(steps.length, "size")} across: ${count(Math.min(...steps))} to ${count(Math.max(...steps))} samples.`);
    this.node.replaceChildren(this.cellsNode, this.caption);
    replace(
      this.cellsNode,
      Array.from({ length: runs }, (_, run) =>
        // By size: a step that was added later has a later number.
        h("div", null, [...steps.entries()].sort(([, a], [, b]) => a - b).map(([step, n]) => {
          const cell = h("i", { title: `run ${run + 1}, n = ${n}`, class: this.landed.get(`${run}/${step}`) ?? null });
          this.cells.set(`${run}/${step}`, cell);
          return cell;
        })),
      ),
    );
  }

  land({ run, step, error, reused_from: from }) {
    const name = error ? "lost" : "done";
    this.landed.set(`${run}/${step}`, name);
    const cell = this.cells?.get(`${run}/${step}`);
    if (!cell || cell.classList.contains(name)) return;
    cell.classList.remove("done", "lost", "now");
    cell.classList.add(name, "new");
    if (from) {
      cell.classList.add("reused");
      cell.title += `: taken over from job ${from}`;
    }
    if (error) cell.title += `: not measurable, ${error.exception ?? error.detail}`;
  }

  // Those that slots work on now.
  work(cells) {
    for (const cell of this.cellsNode.querySelectorAll("i.now")) cell.classList.remove("now");
    for (const { run, step } of cells) this.cells?.get(`${run}/${step}`)?.classList.add("now");
  }

  fill(items) {
    for (const item of items) this.land(item);
  }
}
