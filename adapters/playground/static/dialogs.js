// The two dialogs: one asks (a question, a form), one is a sheet at the side (the timeline).
// The browser's own <dialog> keeps the focus inside, closes on Escape and gives the focus back.

import { h, icon } from "./dom.js";

const YES_NO = /^(yes|no|true|false)$/i;

const dialog = document.getElementById("dialog");
const sheet = document.getElementById("sheet");

/**
 * Ask before a button counts. `send(fields | null)` resolves to {is_taken, text, problems}; problems are
 * shown beside their fields and the dialog stays open. Resolves to the last answer, or null when given up.
 */
export function ask({ title, about, question, blocks = [], fields = [], label, style, send }) {
  return new Promise((resolve) => {
    let last = null;
    const inputs = fields.map((field, at) => drawField(field, at));
    const told = h("p", { class: "told", role: "alert" });
    const submit = h("button", { type: "submit", class: `button ${style}` }, label);
    const cancel = h("button", { type: "button", class: "button plain", onclick: () => dialog.close() }, "Cancel");
    const form = h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); sendForm(); } },
      h("h2", { id: "dialog-title" }, title),
      about ? h("p", { class: "about", dir: "auto" }, about) : null,
      question ? h("p", { class: "question" }, question) : null,
      blocks,
      inputs.map((input) => input.row),
      told,
      h("div", { class: "dialog-buttons" }, cancel, submit));

    async function sendForm() {
      if (submit.disabled) return;
      const missing = Object.fromEntries(inputs.filter((input) => input.isMissing()).map((input) => [input.name, "Please fill this in."]));
      if (Object.keys(missing).length) return showProblems(missing, "");
      submit.disabled = true;
      last = await send(fields.length ? Object.fromEntries(inputs.map((input) => [input.name, input.read()])) : null);
      submit.disabled = false;
      if (Object.keys(last.problems ?? {}).length) return showProblems(last.problems, last.text);
      if (last.ok === false) return showProblems({}, last.text);
      dialog.close();
    }

    function showProblems(problems, text) {
      inputs.forEach((input) => input.complain(problems[input.name] ?? ""));
      const known = inputs.some((input) => problems[input.name]);
      told.textContent = known ? text : [text, ...Object.values(problems)].filter(Boolean).join(" ");
      (inputs.find((input) => problems[input.name])?.input ?? submit).focus();
    }

    dialog.replaceChildren(form);
    dialog.addEventListener("close", () => resolve(last), { once: true });
    dialog.showModal();
    (inputs[0]?.input ?? (style === "danger" ? cancel : submit)).focus();
  });
}

function drawField(field, at) {
  const id = `field-${at}`, isTick = field.kind === "yes_no" && YES_NO.test(field.value); // unset stays unset
  const describe = [field.hint && `${id}-hint`, `${id}-problem`].filter(Boolean).join(" ");
  const given = { id, name: field.name, "aria-describedby": describe, "aria-required": field.is_required && !isTick ? "true" : null, autocomplete: "off" };
  const input = isTick ? drawTick(field, given) : drawInput(field, given);
  const problem = h("p", { class: "problem", id: `${id}-problem` });
  const label = h("label", { for: id }, field.label, field.is_required || isTick ? null : h("span", { class: "optional" }, " (optional)"));
  const row = h("div", { class: `field ${isTick ? "tick" : ""}` },
    isTick ? [input, label] : [label, input],
    field.hint ? h("p", { class: "hint", id: `${id}-hint` }, field.hint) : null,
    problem);
  return {
    row, input, name: field.name,
    read: () => (isTick ? (input.checked ? "yes" : "no") : valueOf(input)),
    isMissing: () => field.is_required && !isTick && !valueOf(input).trim(),
    complain: (text) => {
      problem.textContent = text;
      input.setAttribute("aria-invalid", text ? "true" : "false");
    },
  };
}

function drawInput(field, given) {
  switch (field.kind) {
    case "long_text":
      return h("textarea", { ...given, rows: 4, value: field.value });
    case "yes_no":
      return drawChoice({ ...field, options: ["yes", "no"] }, given);
    case "choice":
      return drawChoice(field, given);
    case "multi":
      return drawSeveral(field, given);
    case "person":
      return drawPerson(field, given);
    case "date":
      return h("input", { ...given, type: "date", value: field.value });
    case "number":
      return h("input", { ...given, type: "text", inputmode: "decimal", value: field.value });
    default:
      return h("input", { ...given, type: "text", value: field.value });
  }
}

function drawTick(field, given) {
  const tick = h("input", { ...given, type: "checkbox" });
  tick.checked = /^(yes|true)$/i.test(field.value);
  return tick;
}

function drawChoice(field, given, name = (option) => option) {
  const mayBeEmpty = !field.is_required || !field.options.includes(field.value);
  const empty = mayBeEmpty ? [h("option", { value: "" }, field.is_required ? "Please choose…" : "(none)")] : [];
  const options = field.options.map((option) => h("option", { value: option, selected: option === field.value }, name(option)));
  return h("select", given, empty, options);
}

/** The people here, and whoever it starts with. */
function drawPerson(field, given) {
  const names = new Map(field.people.map((person) => [person.id, person.name]));
  if (field.value && !names.has(field.value)) names.set(field.value, field.value);
  return drawChoice({ ...field, options: [...names.keys()] }, given, (id) => names.get(id));
}

/** A box for each option: nobody has to know which key to hold. */
function drawSeveral(field, { id, name, "aria-describedby": described }) {
  const chosen = field.value.split("\n");
  const boxes = field.options.map((option) => {
    const box = h("input", { type: "checkbox", name, value: option });
    box.checked = chosen.includes(option);
    return h("label", {}, box, option);
  });
  return h("div", { id, class: "several", role: "group", "aria-label": field.label, "aria-describedby": described, tabindex: "-1" }, boxes);
}

function valueOf(input) {
  if (!input.classList.contains("several")) return input.value;
  return [...input.querySelectorAll("input:checked")].map((box) => box.value).join("\n");
}

/** Show *content* at the side. Returns a function that replaces the content while it is open. */
export function openSheet(title, subtitle, content) {
  const body = h("div", { class: "sheet-body", tabindex: "0", role: "region", "aria-label": title }, content);
  sheet.replaceChildren(
    h("header", { class: "bar" },
      h("div", { class: "bar-words" }, h("h2", { id: "sheet-title" }, title), h("p", {}, subtitle)),
      h("button", { type: "button", class: "icon-button", "aria-label": `Close ${title.toLowerCase()}`, onclick: () => sheet.close() }, icon("close"))),
    body);
  if (!sheet.open) sheet.showModal();
  return (fresh) => { if (sheet.open) body.replaceChildren(fresh); };
}

export const isSheetOpen = () => sheet.open;

sheet.addEventListener("click", (event) => { if (event.target === sheet) sheet.close(); });

const toastBox = document.getElementById("toast");
let toastTimer = 0;

export function toast(text, isGood) {
  toastBox.textContent = text;
  toastBox.className = `toast shown ${isGood ? "good" : "bad"}`;
  clearTimeout(toastTimer);
  if (!text) return toastBox.classList.remove("shown");
  toastTimer = setTimeout(() => toast(""), 6000);
  return undefined;
}
