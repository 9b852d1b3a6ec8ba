// Messages and cards. Order on a card: title, body, facts, blocks, attachments, status, buttons, what each does, footer.

import { avatar, clock, h, icon, size } from "./dom.js";

const MENTION = /(?<![\w@])(@countersign)\b/i;
const WIDE = 20; // characters of a fact, label and all, that takes a line of its own
const MINOR = new Set(["Tool", "Risk", "Digest"]); // facts of a quiet line at the end
const ENDS = { Done: "done", Stopped: "stopped", Failed: "failed" }; // titles of a run's status card
const STATUS = new Set([...Object.keys(ENDS), "Working", "Waiting", "Stopping"]);
let serial = 0;

/** One message: `hands` are what its controls do: press, open, remove, timeline. */
export function drawMessage(message, { author, isFirst, replies, note, inThread, canRemove, isNew }, hands) {
  const isBot = !message.author;
  const name = isBot ? "Countersign" : author;
  const row = h("article", {
    class: `message ${isFirst ? "first" : "more"} ${message.is_whisper ? "whisper" : ""} ${isNew ? "new" : ""}`,
    "aria-label": `${name}, ${new Date(message.at).toLocaleTimeString([], { hourCycle: "h23", hour: "2-digit", minute: "2-digit" })}`,
    tabindex: "-1",
  },
    h("div", { class: "gutter" }, isFirst ? avatar(message.author, name) : clock(message.at)),
    h("div", { class: "message-body" },
      isFirst ? h("p", { class: "byline" },
        h("span", { class: "name" }, name),
        isBot ? h("span", { class: "tag" }, message.card?.author || "app") : null,
        clock(message.at)) : null,
      message.is_whisper ? h("p", { class: "only-you" }, icon("eye"), "Only you can see this") : null,
      message.card ? drawCard(message.card, message.ref, note, hands) : h("p", { class: "text", dir: "auto" }, withMentions(message.text)),
      message.is_held ? h("p", { class: "held" }, icon("clock"), "Kept safe here; the bot has not taken it yet.") : null,
      replies.length ? drawReplies(replies, () => hands.open(message)) : null),
    h("div", { class: "actions" },
      inThread ? null : h("button", { type: "button", class: "icon-button", "data-focus": "reply", "aria-label": "Reply in thread", title: "Reply in thread", onclick: () => hands.open(message) }, icon("reply")),
      canRemove ? h("button", { type: "button", class: "icon-button", "data-focus": "remove", "aria-label": "Delete message", title: "Delete message", onclick: () => hands.remove(message) }, icon("trash")) : null));
  return row;
}

function withMentions(text) {
  return text.split(MENTION).map((part) => (MENTION.test(part) ? h("span", { class: "mention" }, part) : part));
}

function drawReplies(replies, open) {
  const last = replies[replies.length - 1];
  const users = [...new Map(replies.map((reply) => [reply.author, reply])).values()].slice(0, 4);
  return h("button", { type: "button", class: "replies", "data-focus": "replies", onclick: open },
    h("span", { class: "faces" }, users.map((reply) => avatar(reply.author, reply.authorName))),
    h("strong", {}, replies.length === 1 ? "1 reply" : `${replies.length} replies`),
    drawMark(markOf(replies)),
    h("span", { class: "faint" }, "last at ", clock(last.at)));
}

/** How the work in a thread stands: "waiting" while its newest request is open, else how its newest run ended. */
function markOf(replies) {
  const cards = replies.map((reply) => reply.card).filter(Boolean).reverse();
  if (cards.find((card) => card.buttons.length && !STATUS.has(card.title))) return "waiting";
  return ENDS[cards.find((card) => STATUS.has(card.title))?.title] ?? "";
}

const drawMark = (mark) => (mark ? h("span", { class: `mark is-${mark}` }, mark) : null);

/** A card. What is only words is drawn as words; everything else gets a frame in the colour of its tone. */
export function drawCard(card, ref, note, hands) {
  const id = `card-${++serial}`;
  const isFramed = card.title || card.facts.length || card.blocks.length || card.files.length || card.buttons.length || card.status;
  const mentions = card.mentions.length
    ? h("p", { class: "mentions" }, card.mentions.map((name) => h("span", { class: "mention" }, `@${name}`))) : null;
  return h("div", { class: isFramed ? `card tone-${card.tone}` : "words", role: isFramed ? "group" : null, tabindex: isFramed ? "-1" : null, "aria-labelledby": card.title ? id : null },
    mentions,
    card.title ? h("h3", { class: "card-title", id, dir: "auto" }, card.title) : null,
    card.body ? h("p", { class: "text", dir: "auto" }, card.body) : null,
    drawFacts(card.facts.filter((fact) => !MINOR.has(fact.label)), "facts"),
    drawFacts(card.facts.filter((fact) => MINOR.has(fact.label)), "facts minor"),
    card.blocks.map(drawBlock),
    card.files.length ? h("ul", { class: "files" }, card.files.map(drawFile)) : null,
    card.status ? h("p", { class: "status", dir: "auto" }, card.status) : null,
    card.buttons.length ? h("div", { class: "buttons" }, card.buttons.map((button, at) => drawButton(button, at, card, ref, id, hands))) : null,
    card.effects ? h("p", { class: "effects", dir: "auto" }, card.effects) : null,
    note ? h("p", { class: `note ${note.isGood ? "good" : "bad"}` }, icon("eye"), h("span", {}, h("span", { class: "note-label" }, "Only you can see this: "), note.text)) : null,
    drawFooter(card, hands));
}

function drawFacts(facts, style) {
  if (!facts.length) return null;
  return h("dl", { class: style }, facts.map((fact) => h("div", { class: fact.label.length + fact.value.length > WIDE ? "wide" : "" },
    h("dt", {}, fact.label), " ", h("dd", { dir: "auto" }, fact.value))));
}

export function drawBlock(block) {
  const text = block.is_code
    ? h("pre", { tabindex: "0", "aria-label": block.label || "Code", role: "region" }, h("code", { dir: "ltr" }, block.text))
    : h("blockquote", { dir: "auto" }, block.text);
  return h("figure", { class: "block" }, block.label ? h("figcaption", {}, block.label) : null, text);
}

function drawFile(file) {
  return h("li", {},
    h("a", { href: file.url, download: file.name, class: "file" }, icon("file"), h("span", { class: "file-name", dir: "auto" }, file.name)),
    h("span", { class: "faint" }, `${size(file.size)} · sha256 `, h("code", { title: file.sha256 }, `${file.sha256.slice(0, 12)}…`)),
    file.is_picture ? h("img", { class: "picture", src: file.url, alt: file.name, loading: "lazy" }) : null);
}

function drawButton(button, at, card, ref, id, hands) {
  return h("button", {
    type: "button", class: `button ${button.style}`, "data-focus": `button-${at}`, title: button.effect || null,
    "aria-describedby": card.title ? id : null, "aria-haspopup": button.fields.length || button.confirm ? "dialog" : null,
    onclick: (event) => hands.press(button, card, ref, event.currentTarget),
  }, button.label, button.fields.length && !button.label.endsWith("…") ? "…" : "");
}

function drawFooter(card, hands) {
  if (!card.footer && !card.run) return null;
  const line = h("button", { type: "button", class: "link", "data-focus": "timeline", onclick: () => hands.timeline(card.run, card.title) }, icon("clock"), "Timeline");
  return h("footer", { class: "card-footer" }, h("span", { dir: "auto" }, card.footer), card.run ? line : null);
}
