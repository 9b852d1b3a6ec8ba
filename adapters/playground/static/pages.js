// The pages beside the chat: inbox, runs, audit trail, and the sheet with a run's timeline.

import { look } from "./api.js";
import { drawCard } from "./cards.js";
import { avatar, clock, day, h, span } from "./dom.js";
import { openSheet } from "./dialogs.js";

export function drawInbox(waiting, later, grants, hands) {
  const allowed = [...(later.length ? [drawLater(later, hands)] : []), ...(grants.length ? [drawGrants(grants, hands)] : [])];
  if (!waiting.length) return [empty("Nothing waits for you", "Requests that you may answer appear here, oldest first."), ...allowed];
  return [...waiting.map((each) => ({
    key: each.request,
    sign: JSON.stringify(each.card),
    build: () => h("article", { class: "waiting", "aria-label": each.card.title, tabindex: "-1" },
      h("p", { class: "waiting-line" },
        h("span", {}, each.channel.startsWith("dm-") ? "Direct message" : `# ${each.channel}`, " · ", clock(each.opened), " · waiting ", span(Date.now() - new Date(each.opened))),
        each.ref && hands.canOpen(each.channel) ? h("button", { type: "button", class: "link", "data-focus": "open", onclick: () => hands.goto(each.channel, each.thread) }, "Open the conversation") : null,
        h("select", { class: "later", "aria-label": "Put off", "data-focus": "later", onchange: (event) => hands.later(each.request, event.target.value) },
          h("option", { value: "" }, "Later…"), each.choices.map((one) => h("option", { value: one.when }, one.label)))),
      each.ref ? drawCard(each.card, each.ref, null, hands) : drawCard({ ...each.card, buttons: [], effects: "", status: "Its card is being posted; the buttons appear in a moment." }, null, null, hands)),
  })), ...allowed];
}

/** What this person put off: when it comes back, and a way to see it sooner. */
function drawLater(later, hands) {
  return {
    key: "later", sign: JSON.stringify(later.map((each) => [each.request, each.put_off])),
    build: () => h("section", { class: "waiting", "aria-label": "Put off", tabindex: "-1" },
      h("h2", {}, "Put off"),
      h("p", { class: "faint" }, "In your list again then. Cards, reminders and deadlines go on meanwhile."),
      h("ul", { class: "grants" }, later.map((each) => h("li", {},
        h("p", { dir: "auto" }, each.card.title),
        h("p", { class: "faint" }, "Until ", day(each.put_off), " ", clock(each.put_off)),
        h("button", { type: "button", class: "button", "data-focus": each.request, onclick: () => hands.later(each.request, null) }, "Show now"))))),
  };
}

/** What runs without being asked about because this person said so, each with its end in sight. */
function drawGrants(grants, hands) {
  return {
    key: "grants", sign: JSON.stringify(grants),
    build: () => h("section", { class: "waiting", "aria-label": "What I allowed", tabindex: "-1" },
      h("h2", {}, "What I allowed"),
      h("ul", { class: "grants" }, grants.map((each) => h("li", {},
        h("p", { dir: "auto" }, each.text),
        h("p", { class: "faint" }, each.left),
        h("button", { type: "button", class: "button danger", "data-focus": each.grant, onclick: () => hands.revoke(each.grant) }, "Revoke"))))),
  };
}

export function drawRuns(runs, hands) {
  if (!runs.length) return [empty("No runs yet", "Mention @countersign in a channel and its work appears here.")];
  return [{
    key: "runs", sign: JSON.stringify(runs),
    build: () => h("ul", { class: "runs", tabindex: "-1" }, runs.map((run) => h("li", {},
      h("button", { type: "button", class: "run", "data-focus": run.run, onclick: () => hands.timeline(run.run, run.task) },
        h("span", { class: `chip status-${run.status}` }, run.status),
        h("span", { class: "run-task", dir: "auto" }, run.task),
        h("span", { class: "faint" }, `${run.requester} · ${day(run.began)} `, clock(run.began)))))),
  }];
}

export function drawTrail(rows, whoIs) {
  if (!rows.length) return [empty("The audit trail is empty", "Every step is recorded here, each record linked to the one before.")];
  return [{
    key: "trail", sign: JSON.stringify(rows.map((row) => row.link)),
    build: () => h("div", { class: "trail-box", tabindex: "-1" },
      h("p", { class: "faint" }, "Newest first. Each record carries a hash over itself and the record before it, so none can be changed, dropped or slipped in unseen."),
      trailTable([...rows].reverse(), whoIs)),
  }];
}

function trailTable(rows, whoIs) {
  return h("table", { class: "trail" },
    h("caption", { class: "unseen" }, "Audit trail"),
    h("thead", {}, h("tr", {}, ["Time", "What", "Who", "Subject", "No.", "Link"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", {},
      h("td", { "data-label": "Time" }, day(row.at) === "Today" ? "" : `${day(row.at)} `, clock(row.at, true)),
      h("td", { "data-label": "What" }, h("details", {}, h("summary", {}, plain(row.event)), h("pre", { tabindex: "0", role: "region", "aria-label": `Record ${row.seq}` }, h("code", {}, pretty(row.body))))),
      h("td", { "data-label": "Who", dir: "auto" }, actors(row.body).map(whoIs).join(", ")),
      h("td", { "data-label": "Subject" }, h("span", { class: "id", dir: "auto" }, row.subject)),
      h("td", { "data-label": "No." }, h("span", { class: "id" }, `${row.shard}/${row.seq}`)),
      h("td", { "data-label": "Link" }, h("code", { class: "id", title: row.link }, row.link.slice(0, 8)))))));
}

/** vote_counted -> Vote counted */
function plain(event) {
  const words = event.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The people, or else the account, that a record names. */
function actors(body) {
  let record = null;
  try { record = JSON.parse(body); } catch { return []; }
  const named = record?.person || record?.by || record?.account || [];
  return [named].flat().map(String);
}

function pretty(body) {
  try { return JSON.stringify(JSON.parse(body), null, 2); } catch { return body; }
}

function empty(title, text) {
  return { key: "empty", sign: title, build: () => h("div", { class: "empty" }, h("h2", {}, title), h("p", {}, text)) };
}

/** Open a run's timeline. Returns a function that looks again and redraws it while it is open. */
export async function showTimeline(run, user, title, whoIs) {
  let put = null;
  const refresh = async () => {
    let content;
    try {
      const [view, rows] = await Promise.all([look(`/api/runs/${encodeURIComponent(run)}`, user), look("/api/trail", user, { run })]);
      content = drawTimeline(view, rows, whoIs);
    } catch (error) {
      content = h("p", { class: "empty" }, error.message);
    }
    if (put) put(content); else put = openSheet("Timeline", title || run, content);
  };
  await refresh();
  return refresh;
}

function drawTimeline(view, rows, whoIs) {
  const moments = view.moments;
  return h("div", {},
    h("p", { class: "asked", dir: "auto" }, view.task),
    h("p", { class: "faint" }, h("span", { class: `chip status-${view.status}` }, view.status), ` asked by ${view.requester} · ${day(view.began)} `, clock(view.began, true)),
    h("ol", { class: "timeline" }, moments.map((moment, at) => h("li", { class: `event-${moment.event}` },
      h("p", { class: "moment" }, h("span", { dir: "auto" }, moment.text)),
      h("p", { class: "faint" },
        clock(moment.at, true),
        at ? ` · ${gap(moments[at - 1], moment)}` : "",
        moment.person ? [" · ", h("span", { class: "who" }, avatar(moment.user, moment.person), moment.person)] : null,
        h("code", { class: "event" }, moment.event))))),
    h("details", { class: "records" }, h("summary", {}, rows.length === 1 ? "1 audit record" : `${rows.length} audit records`), trailTable(rows, whoIs)));
}

function gap(before, now) {
  const milliseconds = new Date(now.at) - new Date(before.at);
  return milliseconds < 1000 ? `+${milliseconds} ms` : `+${span(milliseconds)}`;
}
