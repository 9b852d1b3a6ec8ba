// Elements from plain data. Text only ever becomes a text node: there is no way here to make markup of it.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  hash: "M9 4 7 20M17 4l-2 16M4.500 9h16M3.500 15h16",
  inbox: "M4 13h4l1.500 3h5L16 13h4M4 13l2.500-8h11L20 13v6H4z",
  runs: "M5 6h14M5 12h14M5 18h9",
  audit: "M12 3 5 6v5c0 5 3 8 7 10 4-2 7-5 7-10V6zM9 12l2 2 4-4",
  chat: "M4 5h16v11H10l-4 4v-4H4z",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6 6 18",
  reply: "M10 8 5 12l5 4v-3c5 0 7 1 9 4 0-5-3-8-9-8z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  send: "M4 12 20 4l-5 16-4-6zM11 14l9-10",
  clock: "M12 7v5l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  eye: "M3 12c3-5 6-6 9-6s6 1 9 6c-3 5-6 6-9 6s-6-1-9-6zM12 14.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z",
};

/** h("button", {class: "x", onclick: f, "aria-label": "…"}, "text", element, null) */
export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * Make the children of *box* be *items*, building again only those whose sign has changed. Keeps the focus: a child
 * that stays is never moved aside for a changed neighbour, because moving it would take the focus from it.
 */
export function sync(box, items) {
  const kept = new Set(items.map((item) => item.key));
  const gone = [...box.children].filter((child) => !kept.has(child.dataset.key));
  if (gone.some((child) => child.contains(document.activeElement))) queueMicrotask(() => focusIn(box));
  gone.forEach((child) => child.remove());
  const old = new Map([...box.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => renewed(old.get(item.key), item));
  wanted.forEach((child, at) => {
    if (box.children[at] !== child) box.insertBefore(child, box.children[at] ?? null);
  });
}

function renewed(there, { key, sign, build }) {
  if (there && there.dataset.sign === sign) return there;
  const fresh = build();
  fresh.dataset.key = key;
  fresh.dataset.sign = sign;
  if (there && there.contains(document.activeElement)) keepFocus(document.activeElement, fresh);
  there?.replaceWith(fresh);
  return fresh;
}

/** Put the focus on the first thing in *item* that stands for a whole: its card, itself, what it holds. */
export function focusIn(item) {
  const target = item.matches("[tabindex='-1']") ? item.querySelector(".card") ?? item : item.querySelector("[tabindex='-1']") ?? item;
  target.focus({ preventScroll: true });
}

function keepFocus(was, fresh) {
  const name = was.dataset.focus;
  queueMicrotask(() => {
    const again = name && [...fresh.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === name);
    if (again) again.focus({ preventScroll: true });
    else focusIn(fresh);
  });
}

export function avatar(user, name) {
  if (!user) return h("img", { class: "avatar bot", src: "/static/icon.svg", alt: "" });
  const letters = name.split(/\s+/).map((word) => [...word][0] ?? "").slice(0, 2).join("");
  return h("span", { class: `avatar hue-${hue(user)}`, "aria-hidden": "true" }, letters.toUpperCase());
}

export function hue(user) {
  return [...user].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 997, 7) % 7;
}

export function clock(iso, withSeconds = false) {
  const at = new Date(iso);
  const shown = at.toLocaleTimeString([], { hourCycle: "h23", hour: "2-digit", minute: "2-digit", ...(withSeconds && { second: "2-digit" }) });
  return h("time", { datetime: iso, title: at.toLocaleString() }, shown);
}

export function day(iso) {
  const at = new Date(iso), today = new Date();
  if (at.toDateString() === today.toDateString()) return "Today";
  return at.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}

/** "3 s", "12 min", "2 h 5 min", "4 days": how long something took or is old. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

export function size(bytes) {
  return bytes < 1000 ? `${bytes} bytes` : bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
