// The flow as a picture: stations with what waits there, lines that move while something passes.

import { h, say, svg } from "./dom.js";
import { number, count, rate, duration } from "./format.js";

const KEPT = 150; // samples: five minutes
const WINDOW = 10_000; // milliseconds that a rate is told of
const narrow = matchMedia("(max-width: 44rem)");

const NAMES = {
  announcements: "Announced",
  "open-batches": "Open batches",
  light: "Requests",
  heavy: "Spark jobs",
  tables: "Tables",
  "dead-letters": "Dead letters",
  quarantine: "Quarantine",
};
const WAITS = {
  announcements: "waiting",
  "open-batches": "files gathered",
  light: "being written",
  heavy: "being written",
  "dead-letters": "set aside",
  quarantine: "set aside",
};
const LINES = [
  ["announcements", "open-batches", "announcements"],
  ["open-batches", "light", "light"],
  ["open-batches", "heavy", "heavy"],
  ["light", "tables", "tables"],
  ["heavy", "tables", "heavy"],
  ["announcements", "dead-letters", null],
  // From the lane above it: either sets files aside.
  ["light", "quarantine", null],
];

/** Where the stations are: x, y, width, height. */
function places(heavy) {
  const spot = (x, y, width, height) => ({ x, y, width, height });
  if (narrow.matches) {
    const half = (x, y) => spot(x, y, 164, 84);
    const wide = (y) => spot(10, y, 340, 84);
    return {
      size: [360, 620],
      announcements: wide(4),
      "open-batches": wide(128),
      light: heavy ? half(10, 252) : wide(252),
      ...(heavy && { heavy: half(186, 252) }),
      tables: wide(376),
      "dead-letters": half(10, 528),
      quarantine: half(186, 528),
    };
  }
  const one = (x, y) => spot(x, y, 190, 84);
  const middle = heavy ? 56 : 4;
  const below = heavy ? 222 : 136;
  return {
    size: [1000, below + 88],
    announcements: one(4, middle),
    "open-batches": one(272, middle),
    light: one(540, 4),
    ...(heavy && { heavy: one(540, 108) }),
    tables: one(806, middle),
    "dead-letters": one(4, below),
    quarantine: one(540, below),
  };
}

function path(from, to) {
  const down = to.y > from.y + from.height;
  if (down) {
    const [x, y] = [from.x + Math.min(from.width, to.x + to.width - from.x) / 2, from.y + from.height];
    const end = [to.x + to.width / 2, to.y];
    const bend = (end[1] - y) / 2;
    return `M${x} ${y}C${x} ${y + bend} ${end[0]} ${end[1] - bend} ${end[0]} ${end[1]}`;
  }
  const [x, y] = [from.x + from.width, from.y + from.height / 2];
  const end = [to.x, to.y + to.height / 2];
  const bend = (end[0] - x) / 2;
  return `M${x} ${y}C${x + bend} ${y} ${end[0] - bend} ${end[1]} ${end[0]} ${end[1]}`;
}

const samples = [];

/** Keeps what passed, for rates; a total that went back began anew. */
function keep(status) {
  const at = Date.parse(status.taken_at);
  if (samples.at(-1)?.at === at) return;
  samples.push({ at, totals: Object.fromEntries(status.stages.map(({ id, total }) => [id, total])) });
  if (samples.length > KEPT) samples.shift();
}

function rateOf(id, last = samples.length - 1, window = WINDOW) {
  const now = samples[last];
  let first = last;
  while (first > 0 && now.at - samples[first - 1].at <= window) first -= 1;
  const before = samples[first];
  const [a, b] = [before?.totals[id], now?.totals[id]];
  if (a === undefined || a === null || b === undefined || b === null || now.at === before.at || b < a) return null;
  return ((b - a) * 1000) / (now.at - before.at);
}

const pace = (perSecond) => (!perSecond ? "still" : perSecond < 1 ? "slow" : perSecond < 100 ? "steady" : "fast");

export function flow() {
  const picture = h("div", { class: "picture" });
  const words = h("p", { class: "hidden" });
  const line = svg("polyline", { class: "spark" });
  const spark = svg("svg", { viewBox: "0 0 300 40", preserveAspectRatio: "none", "aria-hidden": "true" }, line);
  const legend = h("figcaption", null, "Rows a second, the last five minutes");
  const peak = h("span", { class: "peak" });
  const root = h("section", { class: "panel", "aria-labelledby": "flow-title" },
    h("h2", { id: "flow-title" }, "The flow"), picture, words, h("figure", { class: "rows" }, spark, h("p", null, legend.textContent, " ", peak)));
  let last = null;
  narrow.addEventListener("change", () => last && draw(last));

  function draw(status) {
    const stages = Object.fromEntries(status.stages.map((stage) => [stage.id, stage]));
    const heavy = Boolean(stages.heavy);
    const where = places(heavy);
    const aside = { quarantine: status.set_aside.quarantined, "dead-letters": status.set_aside.dead_letters };
    const told = [];
    const lines = LINES.filter(([from, to]) => where[from] && where[to]).map(([start, to, id]) => {
      const from = heavy && to === "quarantine" ? "heavy" : start;
      const kind = id === null ? (aside[to]?.number ? "aside some" : "aside") : `main ${pace(rateOf(id))}`;
      return svg("path", { d: path(where[from], where[to]), class: kind });
    });
    const stations = Object.keys(NAMES).filter((id) => where[id]).map((id) => {
      const { x, y, width, height } = where[id];
      const stage = stages[id];
      const perSecond = stage ? rateOf(id) : null;
      const waiting = aside[id] ? count(aside[id]) : number(id === "tables" ? stage?.total : stage?.waiting);
      const oldest = stage?.oldest_waiting ? `oldest ${duration(Date.parse(status.taken_at) - Date.parse(stage.oldest_waiting))}` : "";
      const note = oldest || rate(perSecond);
      const what = id === "tables" ? `${stage?.unit ?? "rows"} so far` : WAITS[id];
      told.push(`${NAMES[id]}: ${waiting} ${what}${note ? `, ${note}` : ""}`);
      const alarming = aside[id]?.number > 0;
      return svg("g", { class: alarming ? "station alarming" : "station" },
        svg("rect", { x, y, width, height, rx: 12 }),
        svg("text", { x: x + 16, y: y + 24, class: "name" }, alarming ? `${NAMES[id]} – look` : NAMES[id]),
        svg("text", { x: x + 16, y: y + 52, class: "figure" }, waiting),
        svg("text", { x: x + 16, y: y + 71, class: "note" }, `${what}${note ? ` · ${note}` : ""}`));
    });
    const [width, height] = where.size;
    picture.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, lines, stations));
    say(words, `${told.join(". ")}.`);
    const rates = samples.map((_, index) => rateOf("tables", index, 4_000) ?? 0);
    const most = Math.max(...rates, 1);
    const from = KEPT - rates.length;
    line.setAttribute("points", rates.map((value, index) => `${((from + index) * 300) / (KEPT - 1)},${38 - (36 * value) / most}`).join(" "));
    say(peak, Math.max(...rates) > 0 ? `· highest ${number(Math.round(most))}` : "· nothing came in");
  }

  return {
    root,
    update(status) {
      keep(status);
      last = status;
      draw(status);
    },
  };
}
