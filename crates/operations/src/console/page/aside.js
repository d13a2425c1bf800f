// What waits for a person: the quarantine and the dead letters, and their way back.

import { get, post } from "./api.js";
import { h, keyed, say, table } from "./dom.js";
import { bytes, plural, time } from "./format.js";
import { storyLink } from "./files.js";

const PAGE = 50;
const EVERY = 4_000;

/** Buttons for a change that some things ask for; or how to be allowed to. */
function changer(context, ability, words, act) {
  if (context.may(ability)) {
    const button = h("button", { type: "button", onclick: async () => {
      button.disabled = true;
      try {
        await act();
      } catch (error) {
        context.tell(`Not done: ${error.message}`);
      } finally {
        button.disabled = false;
      }
    } }, words);
    return button;
  }
  return context.could(ability)
    ? h("button", { type: "button", class: "quiet", onclick: context.unlock }, `Unlock to ${words.toLowerCase()}`)
    : h("span", { class: "note" }, "Read-only here");
}

function tellOutcomes(context, outcomes) {
  const failed = outcomes.filter((outcome) => !outcome.done);
  if (outcomes.length === 1) context.tell(`${failed.length ? "✕" : "✓"} ${outcomes[0].message}`);
  else context.tell(`${outcomes.length - failed.length} of ${outcomes.length} done${failed.length ? `; the first that is not: ${failed[0].message}` : ""}`);
}

/** A button that requests objects of the quarantine again. */
export const retry = (context, table, ids, then) =>
  changer(context, "retry-quarantined", "Retry", async () => {
    const { outcomes } = await post("quarantine/retry", { table, ids });
    tellOutcomes(context, outcomes);
    await then();
    context.look();
  });

/** A list that is looked at again from time to time, and grows by pages. */
function listing(path, params, make, { region, body }, nothing) {
  const said = h("p", { class: "empty", role: "status" }, "Looking…");
  const more = h("button", { type: "button", class: "quiet", onclick: () => look(next) }, "More");
  let items = [];
  let next = null;
  let pages = 0;
  let looked = 0;
  async function look(after = null) {
    looked = Date.now();
    try {
      const page = await get(path, { ...params, limit: PAGE, after });
      items = after ? [...items, ...page.items] : page.items;
      pages = after ? pages + 1 : 1;
      next = page.next;
      keyed(body, items, make);
      say(said, items.length ? "" : next ? "The first ones came in since. More?" : nothing);
      region.hidden = items.length === 0;
    } catch (error) {
      say(said, error.message);
    }
    more.hidden = next === null;
  }
  region.hidden = more.hidden = true;
  look();
  return { parts: [region, said, h("p", { class: "actions" }, more)], look, items: () => items, update: () => pages === 1 && Date.now() - looked > EVERY && look() };
}

export function aside(params, context) {
  const only = params.get("table");
  const chosen = new Set();
  const set_aside = table("Quarantine", [{ name: "Choose" }, { name: "Object" }, { name: "Table" }, { name: "Why" }, { name: "Since" }, { name: "" }]);
  const row = (item) => {
    const name = `${item.table} ${item.id}`;
    const box = h("input", { type: "checkbox", "aria-label": `Choose ${item.file}`, "data-focus": name, onchange: () => {
      if (box.checked) chosen.add(name);
      else chosen.delete(name);
      say(several, chosen.size ? `${plural(chosen.size, "object")} chosen. ` : "");
    } });
    box.checked = chosen.has(name);
    return h("tr", null, h("td", null, box), h("td", null, storyLink(item.file)), h("td", null, item.table), h("td", { class: "reason" }, item.reason),
      h("td", null, time(item.time)), h("td", null, retry(context, item.table, [item.id], () => quarantine.look())));
  };
  const quarantine = listing("quarantine", { table: only }, row, set_aside, "Nothing is set aside. A file that no retry by itself can mend would be here, with its reason.");
  const several = h("span", { role: "status" });
  const all = changer(context, "retry-quarantined", "Retry chosen", async () => {
    const wanted = quarantine.items().filter((item) => chosen.has(`${item.table} ${item.id}`));
    if (wanted.length === 0) return context.tell("Choose some first.");
    const outcomes = [];
    for (const [name, items] of Object.entries(Object.groupBy(wanted, (item) => item.table))) {
      outcomes.push(...(await post("quarantine/retry", { table: name, ids: items.map((item) => item.id).slice(0, 100) })).outcomes);
    }
    chosen.clear();
    say(several, "");
    tellOutcomes(context, outcomes);
    await quarantine.look();
    context.look();
  });

  const dead = table("Dead letters", [{ name: "What" }, { name: "Why" }, { name: "Since" }, { name: "" }]);
  const letter = (item) => h("tr", null,
    h("td", null, h("details", null, h("summary", { "data-focus": item.id }, item.source, " ", h("span", { class: "note" }, bytes(item.bytes))), h("pre", { tabindex: "0" }, item.text, item.text.length < item.bytes ? "…" : ""))),
    h("td", { class: "reason" }, item.reason), h("td", null, time(item.time)),
    h("td", null, item.redriven ? h("span", { class: "badge" }, "sent back") : item.stays ? h("span", { class: "note" }, item.stays)
      : changer(context, "redrive", "Send back", async () => {
        tellOutcomes(context, (await post("dead-letters/redrive", { ids: [item.id] })).outcomes);
        await letters.look();
        context.look();
      })));
  const letters = listing("dead-letters", {}, letter, dead, "No dead letters. A notification or request that cannot be used would be here, with its reason.");

  return {
    root: h("div", null, h("h1", { tabindex: "-1" }, "Set aside"),
      h("section", { class: "panel", "aria-labelledby": "quarantine-title" }, h("h2", { id: "quarantine-title" }, only ? `Quarantine of ${only}` : "Quarantine"),
        h("p", { class: "note" }, "Mend the file and put it again; or mend the table, and retry: the object is requested as it was announced."),
        quarantine.parts, h("p", { class: "actions" }, several, all)),
      h("section", { class: "panel", "aria-labelledby": "letters-title" }, h("h2", { id: "letters-title" }, "Dead letters"),
        h("p", { class: "note" }, "Mend the rules or the sender, then send them back to where they came from."), letters.parts)),
    update() {
      quarantine.update();
      letters.update();
    },
  };
}
