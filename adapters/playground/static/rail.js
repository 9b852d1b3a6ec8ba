// The left side: channels, direct messages, inbox, records, and who we are; and the box to write in.

import { avatar, h, icon } from "./dom.js";

export function drawRail(rail, { people, me, channels, direct, at, waiting, unread }, hands) {
  const link = (id, symbol, label, count, name) => h("li", {},
    h("button", {
      type: "button", class: `rail-link ${count && !name ? "unread" : ""}`, "data-focus": id,
      "aria-current": at === id ? "page" : null, onclick: () => hands.goto(id),
    }, icon(symbol), h("span", { class: "rail-name" }, label),
      count ? h("span", { class: `count ${name ? "strong" : ""}` }, String(count), h("span", { class: "unseen" }, name ?? " unread")) : null));
  const group = (title, items) => h("section", { "aria-label": title }, h("h2", {}, title), h("ul", {}, items));
  rail.replaceChildren(
    h("header", { class: "rail-head" },
      h("img", { src: "/static/icon.svg", alt: "", class: "logo" }),
      h("div", {}, h("strong", {}, "Countersign"), h("span", {}, "Playground · this machine only")),
      h("button", { type: "button", class: "icon-button only-narrow", "aria-label": "Close menu", onclick: hands.closeMenu }, icon("close"))),
    h("div", { class: "rail-groups" },
      h("ul", {}, link("inbox", "inbox", "Inbox", waiting, " waiting")),
      group("Channels", channels.map((id) => link(id, "hash", id, unread(id)))),
      group("Direct messages", [link(direct, "chat", "Countersign", unread(direct))]),
      group("Records", [link("runs", "runs", "Runs", 0), link("audit", "audit", "Audit trail", 0)])),
    drawPeople(people, me, hands));
}

function drawPeople(people, me, hands) {
  const person = people.find((each) => each.user === me);
  const options = people.map((each) => {
    const option = h("option", { value: each.user }, each.role ? `${each.name} (${each.role})` : each.name);
    option.selected = each.user === me;
    return option;
  });
  return h("div", { class: "rail-me" },
    avatar(me, person.name),
    h("div", { class: "rail-who" },
      h("label", { for: "as" }, "Viewing as"),
      h("select", { id: "as", "data-focus": "as", onchange: (event) => hands.become(event.target.value) }, options)));
}

/** Where one writes. Keeps what was typed until the server has it. */
export function drawComposer({ id, label, hint, draft, autofocus }, { save, send, mention }) {
  const told = h("p", { class: "told", role: "alert" });
  const input = h("textarea", {
    id, rows: 1, "aria-label": label, placeholder: label, maxlength: "20000", value: draft, autocomplete: "off",
    oninput: () => { save(input.value); grow(); },
    onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
    },
  });
  const button = h("button", { type: "submit", class: "icon-button send", "aria-label": "Send", title: "Send" }, icon("send"));
  const grow = () => {
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight, 180)}px`;
    button.disabled = !input.value.trim();
  };
  async function submit() {
    const text = input.value;
    if (!text.trim()) return;
    const answer = await send(text);
    told.textContent = answer.ok ? "" : answer.text;
    if (answer.ok && input.value === text) { input.value = ""; save(""); }
    grow();
  }
  const at = mention ? h("button", {
    type: "button", class: "link at", "aria-label": "Mention @countersign",
    onclick: () => { input.value = `@countersign ${input.value}`; save(input.value); input.focus(); grow(); },
  }, "@countersign") : null;
  queueMicrotask(() => { grow(); if (autofocus) input.focus(); });
  return h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); submit(); } },
    h("div", { class: "composer-box" }, input, h("div", { class: "composer-row" }, at, h("span", { class: "hint" }, hint), button)),
    told);
}
