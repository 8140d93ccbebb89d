// Jobs that are chosen, on whatever page of the list they are, and what can be done with all of them at once.

import { post, remove } from "../../api.js";
import { ENDED, h, plural, replace } from "../../dom.js";

const CANCELLABLE = new Set(["queued", "running"]);

export class Selection {
  constructor(changed) {
    this.changed = changed;
    this.jobs = new Map();
    this.node = h("section", { class: "panel selection stack", "aria-label": "Chosen jobs", hidden: true });
    this.told = h("div", { class: "stack", role: "status" });
    this.line = h("div", { class: "row" });
    this.node.append(this.line, this.told);
  }

  has({ id }) {
    return this.jobs.has(id);
  }

  choose(jobs, yes) {
    for (const job of jobs) {
      if (yes) this.jobs.set(job.id, job);
      else this.jobs.delete(job.id);
    }
    replace(this.told);
    this.draw();
    this.changed();
  }

  // What has become of them in the meantime.
  seen(jobs) {
    for (const job of jobs) if (this.jobs.has(job.id)) this.jobs.set(job.id, job);
    this.draw();
  }

  draw() {
    const all = [...this.jobs.values()];
    this.node.hidden = !all.length && !this.told.hasChildNodes();
    const open = all.filter((job) => CANCELLABLE.has(job.state));
    const ended = all.filter((job) => ENDED.has(job.state));
    const drawn = `${all.map((job) => job.id)}/${open.length}/${ended.length}`;
    // What has not changed is left alone: a button that has the focus keeps it.
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const act = (name, some, ask, how, done) =>
      h("button", { type: "button", disabled: !some.length, onclick: () => confirm(ask(plural(some.length, "job"))) && this.each(some, how, done) }, some.length && some.length < all.length ? `${name} ${some.length}` : name);
    replace(
      this.line,
      h("strong", null, all.length ? `${plural(all.length, "job")} chosen` : "None chosen"),
      h("a", { class: "button", "aria-disabled": all.length < 2 ? "true" : null, href: all.length < 2 ? null : `#/compare?${all.map((job) => `job=${job.id}`).join("&")}` }, "Compare"),
      act("Cancel", open, (jobs) => `Stop ${jobs}? What is measured stays.`, (job) => post(`/jobs/${job.id}/cancel`), "Asked to stop"),
      act("Delete", ended, (jobs) => `Delete ${jobs} with all that they measured?`, (job) => remove(`/jobs/${job.id}`), "Deleted"),
      h("button", { type: "button", class: "quiet", onclick: () => this.choose(all, false) }, "Choose none"),
    );
  }

  async each(jobs, how, done) {
    for (const button of this.line.querySelectorAll("button")) button.disabled = true;
    const failed = [];
    let went = 0;
    for (const job of jobs) {
      try {
        await how(job);
        this.jobs.delete(job.id);
        went++;
      } catch (error) {
        failed.push(h("p", { class: "note bad" }, h("strong", null, job.name || job.id.slice(-8)), ` ${error.message}`));
      }
    }
    replace(this.told, h("p", { class: "muted" }, `${done}: ${plural(went, "job")}.`), failed);
    this.drawn = null;
    this.draw();
    this.changed();
  }
}
