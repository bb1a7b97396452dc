"use strict";
const sheet = document.body.dataset.sheet;
const decisions = [...document.querySelectorAll(".decision")];
const byId = (id) => document.getElementById(id);
const store = {
  key: `fgclep-review-${sheet}`,
  read() {
    try { return JSON.parse(localStorage.getItem(this.key)) ?? {}; } catch { return {}; }
  },
  write(value) {
    try { localStorage.setItem(this.key, JSON.stringify(value)); return true; } catch { return false; }
  },
};
// per decision: answer, comment, seen (the report or the filter's findings were open), blind (they had not been when it was answered)
const answers = store.read();
const entry = (decision) => (answers[decision.id] ??= { answer: "", comment: "", seen: false, blind: true });
const radios = (decision) => [...decision.querySelectorAll("input[type=radio]")];
const isOpen = (decision) => !entry(decision).answer;
let unsaved = false;
const first = byId("first"); // of a long sheet
const asked = () => (first?.checked ? decisions.filter((decision) => !decision.classList.contains("later")) : decisions);

function count() {
  const done = asked().filter((decision) => !isOpen(decision)).length;
  byId("progress").value = `${done} of ${asked().length}`;
  byId("meter").max = asked().length;
  byId("meter").value = done;
  for (const decision of decisions) decision.classList.toggle("answered", !isOpen(decision));
}

function save() {
  unsaved = true;
  const kept = store.write(answers);
  byId("kept").classList.toggle("warning", !kept);
  byId("kept").textContent = kept ? "kept in this browser" : "not kept by this browser: export before you close the page";
  count();
}

function show(decision) {
  const given = entry(decision);
  for (const radio of radios(decision)) radio.checked = radio.value === given.answer;
  decision.querySelector("input[type=text]").value = given.comment;
}

function answer(decision, value) {
  const given = entry(decision);
  if (given.answer !== value) Object.assign(given, { answer: value, blind: !given.seen });
  save();
}

function see(shown, event) {
  const fresh = [...shown].filter((decision) => event.target.open && !entry(decision).seen);
  for (const decision of fresh) entry(decision).seen = true;
  if (fresh.length) save();
}

function go(decision) {
  if (!decision) return;
  const record = decision.closest(".ecg-record");
  const isFirst = record.querySelector(".decision") === decision;
  decision.focus({ preventScroll: true });
  (isFirst ? record : decision).scrollIntoView({ block: isFirst ? "start" : "center" });
}

for (const decision of decisions) {
  show(decision);
  for (const radio of radios(decision)) radio.addEventListener("change", () => answer(decision, radio.value));
  decision.querySelector("input[type=text]").addEventListener("input", (event) => {
    entry(decision).comment = event.target.value;
    save();
  });
  decision.querySelector("details").addEventListener("toggle", (event) => see([decision], event));
}
for (const report of document.querySelectorAll(".written")) {
  report.addEventListener("toggle", (event) => see(report.closest(".ecg-record").querySelectorAll(".decision"), event));
}
first?.addEventListener("change", () => {
  document.body.classList.toggle("first", first.checked);
  count();
});
count();

byId("next").addEventListener("click", () => go(asked().find(isOpen)));
byId("reveal").addEventListener("change", (event) => {
  for (const part of document.querySelectorAll(".findings")) part.open = event.target.checked;
});
byId("clear").addEventListener("click", () => {
  if (!confirm("Delete all answers and comments on this page?")) return;
  for (const decision of decisions) {
    delete answers[decision.id];
    decision.querySelector("details").open = false;
    show(decision);
  }
  byId("reveal").checked = false;
  save();
});

document.addEventListener("keydown", (event) => {
  const decision = event.target.closest(".decision");
  if (!decision || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input[type=text]")) {
    if (event.key === "Escape") decision.focus();
    return;
  }
  const place = asked().indexOf(decision);
  const choice = { a: "accept", r: "reject", u: "unsure" }[event.key];
  if (choice) {
    answer(decision, choice);
    show(decision);
    go(asked()[place + 1]);
  } else if (event.key === "j") go(asked()[place + 1]);
  else if (event.key === "k") go(asked()[place - 1]);
  else if (event.key === "c") decision.querySelector("input[type=text]").focus();
  else if (event.key === "f") decision.querySelector("details").open = !decision.querySelector("details").open;
  else return;
  event.preventDefault();
});

// a spreadsheet would take what begins so for a formula
const cell = (text) => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

function table() {
  const head = ["source", "record_id", "statement", "feature", "decision", "weight", "answer", "blind", "comment"];
  const rows = decisions.map((decision) => {
    const { source, recordId, statement, feature, decision: decided, weight } = decision.dataset;
    const given = entry(decision);
    const blind = given.answer ? (given.blind ? "yes" : "no") : "";
    return [source, recordId, statement, feature, decided, weight, given.answer, blind, given.comment].map(cell);
  });
  return "\ufeff" + [head, ...rows].map((row) => row.join(",") + "\r\n").join(""); // the mark tells a spreadsheet: UTF-8
}

byId("export").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.download = `review-${sheet}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  unsaved = false;
});
addEventListener("beforeunload", (event) => {
  if (unsaved && !store.write(answers)) event.preventDefault();
});
