// Finding a file: the newest lines, or those with a text in their name.

import { get } from "./api.js";
import { h, keyed, say, table } from "./dom.js";
import { duration, number, time } from "./format.js";

const PAGE = 50;
const EVERY = 4_000;
const STATES = {
  waiting: ["", "… waiting"],
  ingested: ["ok", "✓ in the table"],
  skipped: ["", "= known already"],
  quarantined: ["broken", "✕ set aside"],
  rejected: ["broken", "✕ refused"],
  ignored: ["", "– ignored"],
};

export const badge = (state) => h("span", { class: `badge ${STATES[state][0]}` }, STATES[state][1]);

export const storyLink = (object) => h("a", { class: "key", href: `#/story?${new URLSearchParams({ object })}`, "data-focus": object }, object);

export function fileRow(line) {
  return h("tr", null, h("td", null, time(line.time)), h("td", null, storyLink(line.file), line.reason && h("p", { class: "reason" }, line.reason)),
    h("td", null, badge(line.state)), h("td", null, line.table ?? "–"), h("td", { class: "figure" }, number(line.rows)),
    h("td", null, line.mode ?? "–"), h("td", { class: "figure" }, duration(line.latency_ms)));
}

export const FILE_COLUMNS = [
  { name: "When" }, { name: "Object" }, { name: "State" }, { name: "Table" }, { name: "Rows", kind: "figure" }, { name: "Mode" }, { name: "Latency", kind: "figure" }];

export function files(params) {
  const title = h("h1", { tabindex: "-1" }, "Files");
  const text = h("input", { type: "search", id: "find-text", value: params.get("text") ?? "", placeholder: "part of a name, or s3://bucket/key", spellcheck: "false", autocomplete: "off" });
  const state = h("select", { id: "find-state" }, h("option", { value: "" }, "any"), Object.entries(STATES).map(([name, [, words]]) => h("option", { value: name }, words.slice(2))));
  const which = h("select", { id: "find-table" }, h("option", { value: "" }, "all"));
  state.value = params.get("state") ?? "";
  const form = h("form", { role: "search", class: "find", onsubmit: (event) => {
    event.preventDefault();
    const asked = { text: text.value.trim(), state: state.value, table: which.value };
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    if (`#/files?${query}` === location.hash) begin();
    else location.hash = `#/files?${query}`;
  } },
  h("p", { class: "wide" }, h("label", { for: "find-text" }, "Name"), text),
  h("p", null, h("label", { for: "find-table" }, "Table"), which),
  h("p", null, h("label", { for: "find-state" }, "State"), state),
  h("p", null, h("button", { type: "submit" }, "Find")));
  const { region, body } = table("Files, the newest first", FILE_COLUMNS);
  const said = h("p", { class: "empty", role: "status" });
  const older = h("button", { type: "button", class: "quiet", onclick: more }, "Look further back");
  older.hidden = true;
  let lines = [];
  let next = null;
  let pages = 0;
  let looked = 0;
  let busy = false;

  const asked = () => ({ text: params.get("text"), state: params.get("state"), table: params.get("table"), limit: PAGE });

  function show() {
    keyed(body, lines, fileRow);
    region.hidden = lines.length === 0;
    older.hidden = next === null;
    const name = params.get("text");
    if (lines.length > 0) say(said, "");
    else if (next) say(said, "Nothing among the newest. Look further back?");
    else if (name || params.get("state")) say(said, "Nothing like that. Is it the whole name? Keys are matched as they are, case included.");
    else say(said, "No files yet. What is put into the bucket shows up here.");
    if (lines.length === 0 && name?.startsWith("s3://")) said.append(" ", h("a", { href: `#/story?${new URLSearchParams({ object: name })}` }, "Ask for this very object"));
  }

  async function fetchPage(after) {
    if (busy) return;
    busy = true;
    try {
      const page = await get("files", { ...asked(), after });
      lines = after ? [...lines, ...page.items] : page.items;
      pages = after ? pages + 1 : 1;
      next = page.next;
      looked = Date.now();
      show();
    } catch (error) {
      if (!lines.length) region.hidden = true;
      say(said, error.message);
    } finally {
      busy = false;
    }
  }
  const begin = () => fetchPage(null);
  async function more() {
    await fetchPage(next);
    if (older.hidden) title.focus();
  }

  say(said, "Looking…");
  region.hidden = true;
  begin();
  return {
    root: h("div", null, title, form, region, said, h("p", { class: "actions" }, older)),
    update(status) {
      const names = status.tables.map((line) => line.table);
      if (which.options.length !== names.length + 1) {
        which.replaceChildren(h("option", { value: "" }, "all"), ...names.map((name) => h("option", { value: name }, name)));
        which.value = params.get("table") ?? "";
      }
      // Pages that were asked for stay as they are.
      if (pages === 1 && Date.now() - looked > EVERY) begin();
    },
  };
}
