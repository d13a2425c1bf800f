// One object in full, from its announcement to its rows.

import { get } from "./api.js";
import { h, keyed, table } from "./dom.js";
import { bytes, clock, duration, number, plural, time } from "./format.js";
import { FILE_COLUMNS, fileRow } from "./files.js";
import { retry } from "./aside.js";

const STATES = {
  ingested: ["ok", "✓ In the table"],
  "rolled-back": ["attention", "! Rolled back, or on a branch"],
  quarantined: ["broken", "✕ Set aside"],
  mended: ["ok", "✓ Was set aside, and came in since"],
};
const PLACES = { present: "in the bucket", missing: "not in the bucket", unknown: "not known" };

const step = (name, when, ...content) => h("li", null, h("p", { class: "step" }, h("strong", null, name), when && h("span", { class: "note" }, time(when), " · ", clock(when))), content.map((part) => part && h("p", null, part)));

const code = (text) => h("code", null, text);

function groups({ first_row_group: first, row_groups: many }) {
  if (many === 0) return ", perhaps: the stage had several objects and files";
  return many === 1 ? `, row group ${first}` : `, row groups ${first} to ${first + many - 1}`;
}

function version(one, context, again) {
  const [kind, words] = STATES[one.state];
  const aside = one.state === "quarantined" || one.state === "mended";
  return h("article", { class: `panel version ${kind}` },
    h("h2", null, h("span", { class: `badge ${kind}` }, words), " ", one.table),
    h("p", { class: "note" }, one.version ? code(one.version) : "Its version could not be found out"),
    h("ol", { class: "steps" },
      one.event_time && step("Announced", one.event_time, "When the producer says that it was created."),
      step("Part of a batch", null, ["Request ", code(one.request_id)]),
      one.mode && step("Written", null, [h("strong", null, one.mode), one.mode_reason && ` – ${one.mode_reason}`]),
      aside
        ? step("Set aside", one.time, one.reason)
        : step("Committed", one.time, ["Snapshot ", code(one.snapshot_id), `, ${one.standing}`], one.latency_ms !== null && `${duration(one.latency_ms)} after it was created.`),
      one.rows !== null && step(plural(one.rows, "row"), null, one.parts.map((part) => h("span", { class: "part" }, code(part.file), groups(part))))),
    one.quarantine_id && retry(context, one.table, [one.quarantine_id], again));
}

export function story(params, context) {
  const object = params.get("object") ?? "";
  const title = h("h1", { tabindex: "-1", class: "key" }, object);
  const facts = h("dl", { class: "facts" });
  const versions = h("div", { class: "versions" });
  const { region, body } = table("What happened lately", FILE_COLUMNS);
  const lately = h("section", { class: "panel" }, h("h2", null, "Lately"), region);
  const said = h("p", { class: "empty", role: "status" }, "Looking…");
  lately.hidden = true;
  let shown = "";
  let looked = Date.now();

  async function look() {
    looked = Date.now();
    try {
      const found = await get("story", { object });
      if (JSON.stringify(found) === shown) return;
      shown = JSON.stringify(found);
      const { in_bucket: there, routing, announced } = found;
      const fact = (name, ...value) => [h("dt", null, name), h("dd", null, value)];
      facts.replaceChildren(...[
        fact("Now", PLACES[there.place], there.bytes !== null && `, ${bytes(there.bytes)}`, there.version && [", ", code(there.version)], there.modified && [", put ", time(there.modified)], there.reason && `: ${there.reason}`),
        routing && fact("Rules", routing.table ? ["to ", code(routing.table), `, ${routing.reason}`] : `no table: ${routing.reason}`),
        announced && fact("Announced", time(announced.time), `, waits at ${announced.position}`),
      ].flat().filter(Boolean));
      keyed(versions, found.versions, (one) => version(one, context, look));
      lately.hidden = found.recent.length === 0;
      keyed(body, found.recent, fileRow);
      said.textContent = found.versions.length ? "" : announced ? "On its way: this page goes on by itself." : `No table has it. ${number(found.recent.length)} things happened to it lately.`;
    } catch (error) {
      said.textContent = error.message;
    }
  }

  look();
  return {
    root: h("div", null, h("p", { class: "note" }, h("a", { href: "#/files" }, "Files"), " / the story of"), title, facts, versions, lately, said),
    update() {
      if (Date.now() - looked > 3_000) look();
    },
  };
}
