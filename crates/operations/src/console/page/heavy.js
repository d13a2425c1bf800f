// Requests that Spark carries out.

import { get, post } from "./api.js";
import { h, keyed, say, table } from "./dom.js";
import { bytes, number, plural, time } from "./format.js";

const EVERY = 4_000;
const STATES = {
  starting: ["", "… starting"], running: ["ok", "▸ running"], waiting: ["", "… waiting"],
  failed: ["broken", "✕ given up"], cancelled: ["", "– cancelled"], done: ["ok", "✓ done"],
};

export function heavy(_, context) {
  const { region, body } = table("Heavy jobs", [
    { name: "Request" }, { name: "Table" }, { name: "State" }, { name: "Files", kind: "figure" }, { name: "Size", kind: "figure" }, { name: "Taken" }, { name: "Attempts" }, { name: "" }]);
  const said = h("p", { class: "empty", role: "status" }, "Looking…");
  let looked = 0;

  const change = (job, ability, what, words) => context.may(ability) && h("button", { type: "button", class: "quiet", "data-focus": `${what} ${job.id}`, onclick: async () => {
    if (what === "cancel" && !confirm(`End request ${job.id}? What is in the table stays.`)) return;
    try {
      const { outcomes } = await post(`heavy/${encodeURIComponent(job.id)}/${what}`);
      context.tell(outcomes[0]?.message ?? "Done.");
      look();
    } catch (error) {
      context.tell(`Not done: ${error.message}`);
    }
  } }, words);

  const attempts = (job) => h("details", null, h("summary", { "data-focus": job.id }, plural(job.attempts.length, "attempt")),
    h("ol", null, job.attempts.map((attempt) => h("li", { value: attempt.number }, attempt.how ?? "running", attempt.started && [", began ", time(attempt.started)], attempt.reason && `: ${attempt.reason}`))));

  const row = (job) => h("tr", null,
    h("td", null, h("code", null, job.application), job.reason && h("p", { class: "reason" }, job.reason)), h("td", null, job.table),
    h("td", null, h("span", { class: `badge ${STATES[job.state][0]}` }, STATES[job.state][1])), h("td", { class: "figure" }, number(job.files)),
    h("td", { class: "figure" }, bytes(job.bytes)), h("td", null, time(job.received)), h("td", null, attempts(job)),
    h("td", null, job.state === "failed" && change(job, "retry-heavy", "retry", "Retry"), " ", !job.closed && job.state !== "cancelled" && change(job, "cancel-heavy", "cancel", "Cancel")));

  async function look() {
    looked = Date.now();
    try {
      const { items } = await get("heavy");
      keyed(body, items, row);
      region.hidden = items.length === 0;
      say(said, items.length ? "" : "No heavy jobs. A batch that is too large for the light worker would be here.");
    } catch (error) {
      say(said, error.message);
    }
  }

  region.hidden = true;
  look();
  return {
    root: h("div", null, h("h1", { tabindex: "-1" }, "Heavy jobs"), region, said),
    update: () => Date.now() - looked > EVERY && look(),
  };
}
