// The frame: where we are, what the server says of itself, and how it is asked again and again.

import { get, hasToken, useToken } from "./api.js";
import { at, h, say } from "./dom.js";
import { clock, tick, count } from "./format.js";
import { glance } from "./glance.js";
import { files } from "./files.js";
import { story } from "./story.js";
import { aside } from "./aside.js";
import { heavy } from "./heavy.js";
import { dropAnywhere } from "./upload.js";

const EVERY = 2_000;
const LONGEST = 30_000;
const VIEWS = { "": glance, files, story, aside, heavy };
const HEALTH = {
  ok: ["ok", "✓", "All is well"],
  attention: ["attention", "!", "Needs attention"],
  broken: ["broken", "✕", "Broken"],
};

const state = { status: null, permissions: null, connected: true };
let view = null;
let failures = 0;
let timer = 0;

/** Whether this page may make a change now. */
const may = (ability) => Boolean(state.permissions?.admitted && state.permissions.abilities.changes.includes(ability));
/** Whether it could, once unlocked. */
const could = (ability) => Boolean(!state.permissions?.read_only && state.permissions?.abilities.changes.includes(ability));

function tell(message) {
  const said = at("said");
  said.replaceChildren(h("p", null, message));
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => said.replaceChildren(), 8_000);
}

const context = { state, may, could, tell, unlock, look: () => poll() };

function show(focus) {
  const hash = location.hash;
  if (view && hash && !hash.startsWith("#/")) return; // A place on this page.
  const [name, query] = hash.startsWith("#/") ? hash.slice(2).split("?") : [""];
  const make = VIEWS[name] ?? glance;
  view = make(new URLSearchParams(query), context);
  at("main").replaceChildren(view.root);
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.dataset.view === (name === "story" ? "files" : name);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (state.status) view.update?.(state.status);
  if (focus) {
    at("main").querySelector("h1")?.focus();
    scrollTo(0, 0);
  }
}

function frame() {
  const { status, connected } = state;
  const offline = at("offline");
  const as_of = status ? ` What you see is of ${clock(status.taken_at)}.` : "";
  say(offline, connected ? "" : `Not connected: the server does not answer. Trying again by itself.${as_of}`);
  document.body.classList.toggle("stale", !connected);
  if (!status) return;
  const [kind, sign, words] = connected ? HEALTH[status.health] : ["unknown", "?", "Not connected"];
  const health = at("health");
  if (health.dataset.kind !== kind) {
    health.dataset.kind = kind;
    health.replaceChildren(h("span", { class: "sign", "aria-hidden": "true" }, sign), words);
  }
  say(at("mode"), `${status.mode} ${status.version}`);
  const { quarantined, dead_letters } = status.set_aside;
  const all = { number: quarantined.number + dead_letters.number, at_least: quarantined.at_least || dead_letters.at_least };
  at("aside-count").hidden = all.number === 0;
  say(at("aside-count"), count(all));
  at("nav-heavy").hidden = status.heavy === null;
  const problems = status.problems.length;
  document.title = `${connected ? (problems ? `(${problems}) ` : "") : "(not connected) "}event-ingest`;
}

async function poll() {
  clearTimeout(timer);
  try {
    if (!state.permissions) await permit();
    state.status = await get("status");
    state.connected = true;
    failures = 0;
  } catch (error) {
    failures += 1;
    state.connected = false;
    if (!state.status) say(at("main"), `${error.message} Trying again.`);
  }
  frame();
  if (state.status && state.connected) {
    if (!view) show(false);
    view.update?.(state.status);
  }
  const pause = failures ? Math.min(EVERY * 2 ** failures, LONGEST) : EVERY;
  if (!document.hidden) timer = setTimeout(poll, pause);
}

async function permit() {
  state.permissions = await get("permissions");
  const { abilities, read_only, admitted } = state.permissions;
  const button = at("unlock");
  button.hidden = read_only || abilities.changes.length === 0;
  say(button, admitted ? "Lock" : "Unlock changes");
  if (hasToken() && !admitted) useToken("");
  return admitted;
}

/** Asks for the token; resolves to whether changes may be made. */
function unlock() {
  const dialog = at("token");
  say(at("token-wrong"), "");
  at("token-text").value = "";
  dialog.showModal();
}

function prepare() {
  const dialog = at("token");
  at("token-cancel").addEventListener("click", () => dialog.close());
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    useToken(at("token-text").value.trim());
    try {
      if (!(await permit())) {
        say(at("token-wrong"), "This is not the server’s token. The standalone server prints it when it starts.");
        return;
      }
      dialog.close();
      tell("Changes are unlocked in this tab.");
      show(false);
    } catch (error) {
      say(at("token-wrong"), error.message);
    }
  });
  at("unlock").addEventListener("click", async () => {
    if (!state.permissions?.admitted) return unlock();
    useToken("");
    await permit().catch(() => {});
    tell("Changes are locked.");
    show(false);
  });
  addEventListener("hashchange", () => (take() ? poll().then(() => show(true)) : show(true)));
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : poll()));
  addEventListener("online", () => poll());
  setInterval(() => document.hidden || tick(), 1_000);
  dropAnywhere(context);
}

/** A token in the address, as the server prints it: kept, and out of sight. What stands behind # is never sent. */
function take() {
  const found = location.hash.match(/^#token=(.+)$/);
  if (!found) return false;
  useToken(decodeURIComponent(found[1]));
  history.replaceState(null, "", `${location.pathname}#/`);
  state.permissions = null;
  return true;
}

take();
prepare();
poll();
