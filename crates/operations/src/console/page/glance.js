// The overview: what is wrong with its mend, the flow, upload, tables.

import { h, keyed, prose, table } from "./dom.js";
import { bytes, count, duration, number, time } from "./format.js";
import { flow } from "./flow.js";
import { uploader } from "./upload.js";

const SEVERITY = { broken: ["✕", "Broken"], attention: ["!", "Attention"] };

function problem({ kind, severity, subject, detail, mend, runbook, since }) {
  const [sign, word] = SEVERITY[severity];
  return h("li", { class: `problem ${severity}` },
    h("p", { class: "what" }, h("span", { class: "sign", "aria-hidden": "true" }, sign), h("strong", null, `${word}: ${subject}`),
      h("span", { class: "kind" }, kind), since && h("span", { class: "since" }, "since ", time(since))),
    h("p", null, detail),
    h("p", { class: "mend" }, h("strong", null, "What to do: "), prose(mend)),
    runbook && h("p", { class: "note" }, "More: ", h("code", null, runbook)));
}

function fresh({ exists, fresh: is, expect_every_seconds: every, last_file }) {
  if (exists === null) return h("span", { class: "badge broken" }, "✕ not known");
  if (exists === false) return h("span", { class: "badge" }, "not made yet");
  if (is === true) return h("span", { class: "badge ok" }, "✓ fresh");
  if (is === false) return h("span", { class: "badge attention" }, `! nothing for longer than ${duration(every * 1000)}`);
  return last_file ? h("span", { class: "badge ok" }, "✓ has files") : h("span", { class: "badge" }, "empty");
}

function commits(line) {
  if (line.commits.length === 0) return h("p", { class: "note" }, "No commits yet.");
  const { region, body } = table(`Latest commits of ${line.table}`, [
    { name: "When" }, { name: "Rows added", kind: "figure" }, { name: "Data files", kind: "figure" }, { name: "Snapshot" }]);
  body.append(...line.commits.map((commit) => h("tr", null,
    h("td", null, time(commit.time)), h("td", { class: "figure" }, number(commit.rows ?? 0)),
    h("td", { class: "figure" }, number(commit.files ?? 0)), h("td", null, h("code", null, commit.snapshot_id)))));
  return region;
}

export function glance(_, context) {
  const title = h("h1", { tabindex: "-1", class: "hidden" }, "Overview");
  const problems = h("ul", { class: "problems" });
  const trouble = h("section", { "aria-label": "Problems", "aria-live": "polite" }, problems);
  const picture = flow();
  const upload = uploader(context);
  const open = new Set();
  const { region, body } = table("Tables", [
    { name: "Table" }, { name: "State" }, { name: "Last commit" }, { name: "Newest file" }, { name: "Rows", kind: "figure" },
    { name: "Data files", kind: "figure" }, { name: "Size", kind: "figure" }, { name: "Objects", kind: "figure" }, { name: "Set aside", kind: "figure" }]);
  const all = region.querySelector("table");
  body.remove();
  const empty = h("p", { class: "empty" });
  const tables = h("section", { class: "panel", "aria-labelledby": "tables-title" }, h("h2", { id: "tables-title" }, "Tables"), region, empty);

  function row(line) {
    const id = `commits-${line.table}`;
    const toggle = h("button", { type: "button", class: "toggle", "aria-expanded": String(open.has(line.table)), onclick: () => {
      if (!open.delete(line.table)) open.add(line.table);
      toggle.setAttribute("aria-expanded", String(open.has(line.table)));
      details.hidden = !open.has(line.table);
    }, "aria-controls": id, "data-focus": line.table }, line.table);
    const details = h("tr", { class: "details", id }, h("td", { colspan: "9" }, commits(line)));
    details.hidden = !open.has(line.table);
    const aside = line.quarantined?.number
      ? h("a", { href: `#/aside?table=${encodeURIComponent(line.table)}` }, count(line.quarantined)) : number(line.quarantined?.number);
    const figure = (value) => h("td", { class: "figure" }, value);
    return h("tbody", { "data-table": line.table }, h("tr", null,
      h("th", { scope: "row" }, toggle), h("td", null, fresh(line)), h("td", null, time(line.last_commit)), h("td", null, time(line.last_file)),
      figure(number(line.rows)), figure(number(line.data_files)), figure(bytes(line.bytes)), figure(number(line.ledger_entries)), figure(aside)), details);
  }

  return {
    root: h("div", null, title, trouble, picture.root, upload?.root, tables),
    update(status) {
      keyed(problems, status.problems, problem);
      picture.update(status);
      const there = status.tables.some((line) => line.exists || line.exists === null);
      region.hidden = !there && status.tables.every((line) => !line.quarantined?.number);
      empty.hidden = !region.hidden;
      const bucket = context.state.permissions?.abilities.upload?.bucket;
      if (!empty.hidden) {
        const drop = upload ? "Drop one above, or put it" : "Put one";
        empty.replaceChildren(h("strong", null, "No files yet."), ` ${bucket ? `${drop} into s3://${bucket}/` : "Once a file is announced"}, and its rows appear in `,
          h("code", null, status.tables[0]?.table ?? "a table"), ".");
      }
      keyed(all, status.tables, row);
    },
  };
}
