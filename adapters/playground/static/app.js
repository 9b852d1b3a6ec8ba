// The playground's page: one state, drawn again when it changes. Where one is stands in the address, so that
// two tabs can be two people.

import { act, follow, look, newKey } from "./api.js";
import { drawBlock, drawCard, drawMessage } from "./cards.js";
import { day, focusIn, h, hue, icon, sync } from "./dom.js";
import { ask, isSheetOpen, openSheet, toast } from "./dialogs.js";
import { drawInbox, drawRuns, drawTrail, showTimeline } from "./pages.js";
import { drawComposer, drawRail } from "./rail.js";

const $ = (id) => document.getElementById(id);
const TOPICS = { inbox: "What waits for your answer", runs: "What Countersign worked on", audit: "Everything that happened, newest first" };
const TITLES = { inbox: "Inbox", runs: "Runs", audit: "Audit trail" };
const SUBMIT = { edit: "Propose change", reject: "Reject", offer: "Show the terms" }; // what sends a form, by move; else the button's own label
const AGAIN = 3000; // ms between tries to open the page while the server is away
const TOGETHER = 5 * 60 * 1000; // ms; messages of one person within it share a head

const state = { me: "", at: "general", thread: null, people: [], channels: [], messages: new Map(), notes: new Map(), drafts: new Map(), keys: new Map(), inbox: [], later: [], grants: [], page: [], examples: [], since: Infinity };
let stop = () => {};
let refreshSheet = null;
let refreshTimer = 0;

// ------------------------------------------------------------------ where we are

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  return { me: given.get("as") ?? "", at: given.get("at") ?? "", thread: given.get("thread") };
}

function address({ me = state.me, at = state.at, thread = state.thread }) {
  return new URLSearchParams({ as: me, at, ...(thread && { thread }) }).toString();
}

function go({ me, at, thread = null }) {
  const wanted = address({ me, at, thread });
  if (`#${wanted}` === location.hash) arrive();
  else location.hash = wanted;
}

/** Is this still the page of that person at that place? Answers come late; people move on. */
const isStill = (me, at) => readAddress().me === me && readAddress().at === at;

/** While somebody else is on the way nothing here can be pressed: it would still count as whoever was here before. */
function holdStill() {
  for (const part of [$("main"), $("thread")]) part.inert = readAddress().me !== state.me;
}

async function arrive() {
  const { me } = readAddress();
  holdStill();
  try {
    await settle(me);
  } catch (error) {
    if (readAddress().me === me) stayBehind(error);
  }
}

/** Who we wanted to be cannot be loaded: stay who we were, everywhere on the page; at the very start, try again. */
function stayBehind(error) {
  if (!state.me) {
    $("title").textContent = "The playground cannot be shown";
    $("topic").textContent = error.message;
    setTimeout(arrive, AGAIN);
    return;
  }
  history.replaceState(null, "", `#${address({})}`);
  holdStill();
  $("as").value = state.me;
  toast(error.message, false);
}

async function settle(me) {
  if ((me !== state.me || !state.people.length) && !(await enter(me))) return;
  const wanted = readAddress();
  const isPage = wanted.at in TITLES;
  const isRoom = state.channels.includes(wanted.at) || wanted.at === state.direct;
  state.at = isPage || isRoom ? wanted.at : "general";
  state.thread = isRoom && state.messages.has(wanted.thread) ? wanted.thread : null;
  state.page = [];
  history.replaceState(null, "", `#${address({})}`);
  holdStill();
  setMenu(false);
  toast("");
  drawAll();
  if (state.thread && !isWide()) $("close-thread").focus();
  if (state.at in TITLES) await refreshPage();
}

/** Become somebody: load what they may see, then follow what changes. False if one has moved on meanwhile. */
async function enter(user) {
  const people = await look("/api/people", user);
  const known = people.some((person) => person.user === user) ? user : people[0]?.user;
  if (!known) throw new Error("Nobody has a playground account. Give somebody one in people.yml.");
  const start = await look("/api/start", known);
  if (readAddress().me !== user) return false;
  stop();
  Object.assign(state, { me: start.me, people: start.people, channels: start.channels, direct: start.direct, examples: start.examples });
  state.messages = new Map(start.messages.map((message) => [message.id, message]));
  state.notes.clear();
  state.since = start.last;
  stop = follow(start.me, start.last, {
    onmessage: hear,
    onreset: () => location.reload(),
    onstate: setOnline,
  });
  refreshInbox();
  return true;
}

// ------------------------------------------------------------------ what comes in

function setOnline(isOn) {
  const isBack = isOn && !$("offline").hidden;
  $("offline").hidden = isOn;
  if (!isBack) return;
  toast("");
  refreshAround();
}

function hear(message) {
  if (isFinal(message)) state.notes.delete(message.id); // the card itself tells the end now
  if (message.is_deleted) state.messages.delete(message.id);
  else state.messages.set(message.id, message);
  if (state.thread === message.id && message.is_deleted) return go({});
  drawRooms();
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refreshAround, 120);
  return undefined;
}

async function refreshAround() {
  await refreshInbox();
  if (state.at === "runs" || state.at === "audit") await refreshPage();
  if (isSheetOpen()) await refreshSheet?.();
}

async function refreshInbox() {
  const me = state.me;
  const [inbox, grants] = await Promise.all(["/api/inbox", "/api/grants"].map((path) => look(path, me).catch(() => null)));
  if (inbox === null || me !== state.me) return;
  state.inbox = inbox.filter((each) => !each.put_off);
  state.later = inbox.filter((each) => each.put_off);
  clearTimeout(state.back);
  if (state.later.length) state.back = setTimeout(refreshInbox, Math.max(1000, Math.min(...state.later.map((each) => new Date(each.put_off) - Date.now()))));
  state.grants = grants ?? [];
  drawRailNow();
  if (state.at === "inbox") drawPage();
}

async function refreshPage() {
  const at = state.at;
  if (at === "inbox") return refreshInbox();
  try {
    const page = await look(at === "runs" ? "/api/runs" : "/api/trail", state.me);
    if (at !== state.at) return undefined;
    state.page = page;
    drawPage();
  } catch (error) {
    sync($("list"), [{ key: "error", sign: error.message, build: () => h("p", { class: "empty" }, error.message) }]);
  }
  return undefined;
}

// ------------------------------------------------------------------ drawing

function drawAll() {
  drawRailNow();
  drawHead();
  drawComposers();
  if (state.at in TITLES) {
    $("list").replaceChildren();
    drawPage();
  }
  drawRooms();
}

function drawHead() {
  const isDirect = state.at === state.direct;
  const title = TITLES[state.at] ?? (isDirect ? "Countersign" : `# ${state.at}`);
  $("title").textContent = title;
  $("topic").textContent = TOPICS[state.at] ?? (isDirect ? "Direct messages; everything here is for the bot" : "Everybody in the playground is here");
  document.title = `${title} · Countersign playground`;
  $("badge").textContent = nameOf(state.me)[0];
  $("badge").className = `avatar only-narrow hue-${hue(state.me)}`;
  $("thread").hidden = !state.thread;
  $("app").classList.toggle("has-thread", Boolean(state.thread));
  $("thread-topic").textContent = title;
}

function drawRailNow() {
  const rooms = [...state.channels, state.direct].map((channel) => [channel, unread(channel)]);
  const sign = JSON.stringify([state.me, state.at, state.inbox.length, rooms]);
  if ($("rail").dataset.sign === sign) return; // an open choice of people would close
  $("rail").dataset.sign = sign;
  $("menu-count").textContent = state.inbox.length || "";
  $("menu").setAttribute("aria-label", `Conversations and people${state.inbox.length ? `, ${state.inbox.length} waiting` : ""}`);
  const focused = $("rail").contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  drawRail($("rail"), { ...state, waiting: state.inbox.length, unread }, hands);
  if (focused) [...$("rail").querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === focused)?.focus();
}

function drawRooms() {
  if (!(state.at in TITLES)) {
    fill($("list"), inRoom((message) => !message.thread), false);
    remember();
  }
  if (!state.thread) $("replies").replaceChildren();
  else {
    const first = state.messages.get(state.thread);
    fill($("replies"), [first, ...inRoom((message) => message.thread === state.thread)].filter(Boolean), true);
  }
}

function inRoom(keep) {
  return [...state.messages.values()].filter((message) => message.channel === state.at && keep(message)).sort((a, b) => a.born - b.born);
}

/** Draw messages; stay at the end if one was there. */
function fill(box, messages, inThread) {
  const key = `${state.me}/${state.at}/${inThread ? state.thread : ""}`;
  const isFresh = box.dataset.room !== key;
  const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80 || box.scrollTop === Number(box.dataset.put);
  if (isFresh) {
    box.replaceChildren();
    box.setAttribute("aria-busy", "true"); // old messages are not read out as news
    setTimeout(() => box.removeAttribute("aria-busy"), 50);
  }
  box.dataset.room = key;
  const items = [];
  messages.forEach((message, at) => {
    const before = messages[at - 1];
    if (!inThread && (!before || day(before.at) !== day(message.at))) items.push(dayLine(message.at));
    items.push(messageItem(message, before, inThread));
    if (inThread && at === 0 && messages.length > 1) items.push(replyLine(messages.length - 1));
  });
  sync(box, items.length ? items : [welcome()]);
  if (isFresh || isAtEnd) showEnd(box);
}

/** Scroll to the end of the last message, where a card has its buttons; long words alone are read from their start. */
function showEnd(box) {
  const last = box.lastElementChild;
  const isLongRead = last && last.offsetHeight > box.clientHeight && !last.querySelector(".buttons");
  box.scrollTop = isLongRead ? last.offsetTop - 4 : box.scrollHeight;
  box.dataset.put = String(box.scrollTop);
}

function messageItem(message, before, inThread) {
  const isFirst = !before || before.author !== message.author || message.is_whisper || before.is_whisper
    || new Date(message.at) - new Date(before.at) > TOGETHER || day(before.at) !== day(message.at) || (inThread && before.id === state.thread);
  const replies = inThread || message.thread ? [] : [...state.messages.values()].filter((each) => each.thread === message.id && !each.is_whisper)
    .sort((a, b) => a.born - b.born).map((each) => ({ ...each, authorName: nameOf(each.author) }));
  const note = state.notes.get(message.id);
  const about = {
    author: nameOf(message.author), isFirst, replies, note, inThread,
    canRemove: !message.author || message.author === state.me, isNew: message.born > state.since,
  };
  const sign = JSON.stringify([message.changed, isFirst, replies.map((each) => each.changed), note]);
  return { key: message.id, sign, build: () => drawMessage(message, about, hands) };
}

function dayLine(at) {
  return { key: `day-${day(at)}`, sign: day(at), build: () => h("p", { class: "day" }, h("span", {}, day(at))) };
}

function replyLine(count) {
  const text = count === 1 ? "1 reply" : `${count} replies`;
  return { key: "reply-line", sign: text, build: () => h("p", { class: "reply-line" }, h("span", {}, text)) };
}

function welcome() {
  const isDirect = state.at === state.direct;
  const examples = state.examples.map(({ line, shows }) => h("li", {}, h("button", {
    type: "button", class: "example", onclick: () => say(isDirect ? line : `@countersign ${line}`, null),
  }, line, shows ? h("span", { class: "faint" }, shows) : null)));
  return {
    key: "welcome", sign: state.at,
    build: () => h("div", { class: examples.length ? "empty tries" : "empty" },
      h("h2", {}, isDirect ? "Ask Countersign privately" : `This is the start of #${state.at}`),
      h("p", {}, isDirect ? "Write what you need; no mention is necessary." : "Mention @countersign and say what you need. What could hurt waits for somebody's signature: choose them under “Viewing as”, and sign."),
      examples.length ? [h("h3", {}, "Things to try"), h("ul", { class: "examples" }, examples)] : null),
  };
}

function drawPage() {
  const box = $("list");
  box.dataset.room = "page";
  const items = state.at === "inbox" ? drawInbox(state.inbox, state.later, state.grants, hands) : state.at === "runs" ? drawRuns(state.page, hands) : drawTrail(state.page, whoIs);
  sync(box, items);
}

function drawComposers() {
  const isRoom = !(state.at in TITLES);
  const isDirect = state.at === state.direct;
  const name = isDirect ? "Message Countersign" : `Message #${state.at}`;
  place($("composer"), isRoom ? `${state.me}/${state.at}` : "", (key) => composer(key, "message-box", name, !isDirect, null));
  place($("reply-composer"), state.thread ? `${state.me}/${state.at}/${state.thread}` : "", (key) => composer(key, "reply-box", "Reply in this thread", false, state.thread));
}

function place(box, key, build) {
  if (box.dataset.room === key) return;
  box.dataset.room = key;
  box.replaceChildren(...(key ? [build(key)] : []));
}

function composer(key, id, label, mention, thread) {
  const about = { id, label, draft: state.drafts.get(key) ?? "", hint: "Enter to send", autofocus: isWide() };
  return drawComposer(about, { mention, save: (text) => state.drafts.set(key, text), send: (text) => say(text, thread) });
}

// ------------------------------------------------------------------ what one can do

async function say(text, thread) {
  const { me, at } = state;
  const draft = `${me}/${at}/${thread ?? ""}/${text}`;
  const key = state.keys.get(draft) ?? newKey(); // the same words sent again after a failure are the same message
  state.keys.set(draft, key);
  const answer = await act("/api/messages", { by: me, channel: at, thread, text, key });
  if (!answer.ok) return answer;
  state.keys.delete(draft);
  if (!isStill(me, at)) return answer;
  if (!state.messages.has(answer.id)) hear(answer);
  showEnd($(thread ? "replies" : "list"));
  if (!thread && (state.at === state.direct || /(?<![\w@])@countersign\b/i.test(text))) go({ thread: answer.id });
  return answer;
}

async function send(button, ref, fields) {
  const { me, at } = state;
  const told = await act("/api/clicks", {
    by: me, ref, subject: button.subject, move: button.move, token: button.token, key: newKey(), ...(fields && { fields }),
  });
  if (Object.keys(told.problems ?? {}).length || !isStill(me, at)) return told;
  if (told.details) {
    refreshSheet = null; // what stands at the side now is no timeline any more
    openSheet("Details", told.text, drawCard(told.details, ref, null, {}));
    return told;
  }
  if (told.text && state.at === "inbox") toast(told.text, Boolean(told.is_taken));
  else if (told.text && !(told.is_taken && isFinal(state.messages.get(ref.id)))) state.notes.set(ref.id, { text: told.text, isGood: Boolean(told.is_taken) });
  drawRooms();
  for (const note of document.querySelectorAll(".note")) note.scrollIntoView({ block: "nearest" });
  refreshAround();
  return told;
}

async function revoke(grant) {
  const told = await act("/api/revoke", { by: state.me, grant, key: newKey() });
  toast(told.text, Boolean(told.is_taken));
  refreshAround();
}

/** Leave a request out of this person's list until then; without a time, show it again. */
async function later(request, when) {
  const told = await act("/api/later", { by: state.me, request, key: newKey(), ...(when && { when }) });
  toast(told.text, Boolean(told.is_taken));
  refreshAround();
}

async function press(button, card, ref, element) {
  if (element.getAttribute("aria-busy")) return;
  const box = element.closest(".list"), key = element.closest("[data-key]").dataset.key;
  state.notes.delete(ref.id);
  if (button.fields.length || button.confirm) await askFirst(button, card, ref);
  else {
    element.setAttribute("aria-busy", "true"); // not `disabled`: that would lose the focus
    await send(button, ref, null);
    element.removeAttribute("aria-busy");
  }
  const focused = document.activeElement; // a closed dialog may keep it until the next frame
  if (focused === document.body || $("dialog").contains(focused)) focusIn([...box.children].find((each) => each.dataset.key === key) ?? box);
}

async function askFirst(button, card, ref) {
  const style = button.style === "plain" ? "primary" : button.style;
  const title = button.label.replace(/…$/, "");
  const label = (button.fields.length && SUBMIT[button.move]) || title;
  const asked = card.blocks.find((block) => !block.is_code); // what a form is about, beside its fields
  const blocks = button.confirm ? card.blocks.filter((block) => block.is_code) : asked ? [asked] : [];
  await ask({ title, about: card.title, question: button.confirm, blocks: blocks.map(drawBlock), fields: button.fields, label, style, send: (fields) => send(button, ref, fields) });
}

async function remove(message) {
  const send = async () => act(`/api/messages/${message.id}/delete`, { by: state.me });
  await ask({ title: "Delete this message?", question: "It disappears for everybody. A request on it still waits, and can be answered from the inbox.", label: "Delete", style: "danger", send });
}

async function timeline(run, title) {
  refreshSheet = await showTimeline(run, state.me, title, whoIs);
}

const hands = {
  press, remove, revoke, later, timeline,
  open: (message) => {
    const isOpen = state.thread === (message.thread ?? message.id);
    go({ thread: message.thread ?? message.id });
    if (isOpen) showEnd($("replies"));
  },
  goto: (at, thread = null) => go({ at, thread }),
  canOpen: (channel) => state.channels.includes(channel) || channel === state.direct,
  become: (me) => go({ me, at: state.at === state.direct ? `dm-${me}` : state.at, thread: state.at === state.direct ? null : state.thread }),
  closeMenu: () => { setMenu(false); $("menu").focus(); },
};

// ------------------------------------------------------------------ small things

const isWide = () => matchMedia("(min-width: 60rem)").matches;
const nameOf = (user) => (user ? state.people.find((person) => person.user === user)?.name ?? user : "Countersign");

/** A person's id or account, as the audit writes it, in the words people know. */
const whoIs = (written) => state.people.find((person) => [person.id, `playground/local/${person.user}`].includes(written))?.name ?? written;

const isFinal = (message) => Boolean(message?.card && !message.card.buttons.length);

function unread(channel) {
  const seen = Number(localStorage.getItem(`read/${state.me}/${channel}`) ?? 0);
  return [...state.messages.values()].filter((message) => message.channel === channel && message.author !== state.me && message.born > seen).length;
}

function remember() {
  const newest = Math.max(0, ...[...state.messages.values()].filter((message) => message.channel === state.at).map((message) => message.born));
  localStorage.setItem(`read/${state.me}/${state.at}`, String(newest));
  drawRailNow();
}

function setMenu(isOpen) {
  $("app").classList.toggle("menu-open", isOpen);
  $("menu").setAttribute("aria-expanded", String(isOpen));
}

$("menu").prepend(icon("menu"));
$("close-thread").append(icon("close"));
$("menu").addEventListener("click", () => { setMenu(true); $("rail").querySelector("button[aria-current], button")?.focus(); });
$("close-thread").addEventListener("click", () => go({}));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if ($("app").classList.contains("menu-open")) hands.closeMenu();
  else if (state.thread) go({});
});
document.addEventListener("click", (event) => { if (event.target === $("app")) setMenu(false); });
addEventListener("hashchange", arrive);
setInterval(() => { if (!document.hidden) refreshInbox(); }, 15000);
arrive();
