// Files dropped or chosen: sent as they are, then followed until their rows are in a table.

import { get, upload } from "./api.js";
import { at, h, say } from "./dom.js";
import { bytes, duration, plural } from "./format.js";

const AT_ONCE = 2;
const KEPT = 50;
const FOLLOWED = 120; // seconds

const waiting = [];
let sending = 0;
const list = h("ul", { class: "uploads" });

/** The panel, where files can be taken at all. */
export function uploader(context) {
  const target = context.state.permissions?.abilities.upload;
  if (!target || !context.could("upload")) return null;
  const input = h("input", { type: "file", multiple: true, id: "upload-files", class: "hidden", onchange: () => {
    take([...input.files], context);
    input.value = "";
  } });
  const locked = h("p", { class: "note" }, "Unlock changes first: uploading needs this server’s token. ",
    h("button", { type: "button", class: "quiet", onclick: context.unlock }, "Unlock"));
  const folder = h("input", { id: "upload-folder", type: "text", value: folderOf(), placeholder: "none", spellcheck: "false", oninput: () => folderOf(folder.value) });
  const panel = h("div", { class: "dropzone" },
    h("p", null, h("label", { for: "upload-files", class: "button" }, input, "Choose files"), " or drop them anywhere on this page"),
    h("p", { class: "note" }, "They go into ", h("code", null, `s3://${target.bucket}/`),
      h("label", { for: "upload-folder" }, "folder "), folder));
  const root = h("section", { class: "panel", "aria-labelledby": "upload-title" }, h("h2", { id: "upload-title" }, "Upload"),
    context.may("upload") ? panel : locked, list);
  return { root };
}

let folderName = "";
function folderOf(text) {
  if (text !== undefined) folderName = text.trim().replace(/^\/+|\/+$/g, "");
  return folderName;
}

/** Takes files that are dropped anywhere. */
export function dropAnywhere(context) {
  const shade = at("drop");
  const wanted = (event) => event.dataTransfer?.types.includes("Files") && context.state.permissions?.abilities.upload;
  let depth = 0;
  addEventListener("dragenter", (event) => {
    if (!wanted(event)) return;
    event.preventDefault();
    depth += 1;
    shade.hidden = false;
  });
  addEventListener("dragover", (event) => wanted(event) && event.preventDefault());
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    shade.hidden = depth === 0;
  });
  addEventListener("drop", (event) => {
    depth = 0;
    shade.hidden = true;
    if (!wanted(event)) return;
    event.preventDefault();
    if (!context.may("upload")) return context.unlock();
    take([...event.dataTransfer.files], context);
    if (!list.isConnected) location.hash = "#/";
  });
}

function take(files, context) {
  for (const file of files) {
    const key = folderName ? `${folderName}/${file.name}` : file.name;
    const state = h("span", { class: "state" }, "waiting");
    const bar = h("progress", { max: "1", value: "0", "aria-label": `Sending ${key}` });
    const row = h("li", null, h("span", { class: "key" }, key), h("span", { class: "note" }, bytes(file.size)), bar, state);
    list.prepend(row);
    waiting.push({ file, key, row, bar, state, context });
  }
  while (list.children.length > KEPT) list.lastElementChild.remove();
  next();
}

async function next() {
  if (sending >= AT_ONCE || waiting.length === 0) return;
  const one = waiting.shift();
  sending += 1;
  try {
    const largest = one.context.state.permissions.abilities.upload.max_bytes;
    if (one.file.size > largest) throw new Error(`It has more than ${bytes(largest)}: put it into the bucket with an S3 client.`);
    say(one.state, "sending");
    const taken = await upload(one.key, one.file, (part) => (one.bar.value = part));
    one.bar.value = 1;
    say(one.state, "stored, on its way");
    follow(one, taken);
  } catch (error) {
    end(one, "broken", `✕ not taken: ${error.message}`);
    one.context.tell(`${one.key} was not taken: ${error.message}`);
  } finally {
    sending -= 1;
    next();
  }
  next();
}

function end(one, kind, text, object) {
  one.bar.remove();
  one.row.className = kind;
  say(one.state, text);
  if (object) one.state.append(" ", h("a", { href: `#/story?${new URLSearchParams({ object })}`, "aria-label": `Story of ${one.key}` }, "story"));
}

/** Looks until the object is where it belongs. */
async function follow(one, { file, etag }) {
  for (let second = 0; second < FOLLOWED; second += 1) {
    await new Promise((done) => setTimeout(done, 1_000));
    const found = await get("story", { object: file }).catch(() => null);
    const version = found?.versions.find((known) => known.version === `ETag ${etag}`);
    const line = found?.recent.find((known) => known.state === "ignored" || known.state === "rejected");
    if (version?.state === "ingested" || version?.state === "mended") {
      const took = version.latency_ms === null ? "" : ` after ${duration(version.latency_ms)}`;
      const rows = version.rows === null ? "rows" : plural(version.rows, "row");
      end(one, "ok", `✓ ${rows} in ${version.table}${took}`, file);
    } else if (version?.state === "quarantined") {
      end(one, "broken", `✕ set aside: ${version.reason}`, file);
    } else if (line && !found.announced) {
      end(one, "attention", `! ${line.state}: ${line.reason}`, file);
    } else {
      continue;
    }
    one.context.tell(`${one.key}: ${one.state.firstChild.textContent}`);
    one.context.look();
    return;
  }
  end(one, "attention", "! stored, and still on its way", file);
}
