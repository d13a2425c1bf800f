// Elements. Whatever strangers wrote (keys, reasons) becomes text, never markup: there is no other way in here.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element. */
export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);

/** An SVG element. */
export const svg = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

/** The element with this id. */
export const at = (id) => document.getElementById(id);

/** Sets a text if it is another: what is announced to readers is announced once. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Children of `parent`, one for each item; those whose item is as it was stay. What is made anew takes the focus over, by
 * `data-focus`.
 */
export function keyed(parent, items, make) {
  const before = [...parent.children].filter((child) => child.dataset.key !== undefined);
  const known = new Map(before.map((child) => [child.dataset.key, child]));
  const focus = parent.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  let place = before[0] ?? null;
  for (const item of items) {
    const key = JSON.stringify(item);
    let child = known.get(key);
    if (child) {
      known.delete(key);
    } else {
      child = make(item);
      child.dataset.key = key;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const left of known.values()) left.remove();
  if (focus && !parent.contains(document.activeElement)) parent.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
}

/** A table in a region that scrolls by itself on narrow screens; the body is filled with `keyed`. */
export function table(caption, columns) {
  const heads = columns.map(({ name, kind }) => h("th", { scope: "col", class: kind }, name || h("span", { class: "hidden" }, "Action")));
  const body = h("tbody");
  const region = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${caption}: table` },
    h("table", null, h("caption", { class: "hidden" }, caption), h("thead", null, h("tr", null, heads)), body));
  return { region, body };
}

/** A text with `commands` in backticks. */
export const prose = (text) =>
  text.split("`").map((part, index) => (index % 2 ? h("code", null, part) : part));
