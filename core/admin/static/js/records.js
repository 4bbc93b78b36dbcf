// Pages of one record: the one before and after it in the list one came from, and whom a comment mentions.

// The list that a row was chosen from is remembered by app.js for this tab of the browser.
const bar = document.querySelector("[data-siblings]");
const here = (document.querySelector(".gh-tabs a") ?? location).pathname;
const rows = JSON.parse(sessionStorage.getItem("rows") ?? "[]");
const at = rows.indexOf(here);

function sibling(step) {
  const url = at < 0 ? undefined : rows[at + step];
  return url && { url, key: step < 0 ? "k" : "j", label: step < 0 ? bar.dataset.before : bar.dataset.after };
}

if (bar && at >= 0) {
  for (const step of [-1, 1]) { // right to left, browsers mirror both signs by themselves
    const one = sibling(step);
    const link = Object.assign(document.createElement("a"), { className: "btn-quiet", textContent: step < 0 ? "‹" : "›" });
    link.setAttribute("aria-label", step < 0 ? bar.dataset.before : bar.dataset.after);
    link.title = `${link.getAttribute("aria-label")} (${step < 0 ? "k" : "j"})`;
    if (one) link.href = one.url;
    else link.setAttribute("aria-disabled", "true");
    bar.append(link);
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !bar || document.querySelector("dialog[open], form[data-dirty]")) return;
  if (event.target.matches("input, textarea, select, [contenteditable]")) return;
  const one = event.key === "k" ? sibling(-1) : event.key === "j" ? sibling(1) : undefined;
  if (one) location.assign(one.url);
});

// Mentions: @ and a beginning offer people; who is chosen goes along as an id.
const thread = document.querySelector("[data-thread]");
let ticket = 0;

function word(field) {
  const before = field.value.slice(0, field.selectionStart);
  const found = /(?:^|\s)@([^\s@][^@\n]{0,40}|)$/u.exec(before);
  return found && found[1].split(" ").length <= 3 ? found[1] : null;
}

function close(field) {
  ticket += 1;
  field.nextElementSibling.hidden = true;
  field.removeAttribute("aria-activedescendant");
}

function mark(list, item) {
  list.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
  item?.setAttribute("aria-selected", "true");
  if (item) list.previousElementSibling.setAttribute("aria-activedescendant", item.id);
}

function take(field, item) {
  const begun = word(field) ?? "";
  const end = field.selectionStart;
  field.setRangeText(`${item.textContent} `, end - begun.length, end, "end");
  const known = [...field.form.querySelectorAll('input[name="mention"]')].some((one) => one.value === item.dataset.value);
  if (!known) field.form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "mention", value: item.dataset.value }));
  close(field);
  field.focus();
}

async function offer(field) {
  const begun = word(field);
  if (begun === null) return close(field);
  const mine = ++ticket;
  const answer = await fetch(`${thread.dataset.people}?q=${encodeURIComponent(begun)}`, { headers: { Accept: "application/json" } }).catch(() => null);
  const people = answer?.ok ? await answer.json() : [];
  if (mine !== ticket) return;
  const list = field.nextElementSibling;
  list.replaceChildren(...people.map((one, number) => {
    const item = Object.assign(document.createElement("li"), { textContent: one.text, id: `${field.id}-person-${number}` });
    item.setAttribute("role", "option");
    item.dataset.value = one.value;
    return item;
  }));
  list.hidden = !people.length;
  mark(list, list.firstElementChild);
}

thread?.addEventListener("input", (event) => {
  if (event.target.matches("[data-mentions]")) offer(event.target);
});
thread?.addEventListener("keydown", (event) => {
  const field = event.target;
  if (!field.matches("[data-mentions]") || field.nextElementSibling.hidden) return;
  const list = field.nextElementSibling;
  const now = list.querySelector('[aria-selected="true"]');
  if (event.key === "ArrowDown") mark(list, now?.nextElementSibling ?? list.firstElementChild);
  else if (event.key === "ArrowUp") mark(list, now?.previousElementSibling ?? list.lastElementChild);
  else if ((event.key === "Enter" || event.key === "Tab") && now) take(field, now);
  else if (event.key === "Escape") close(field);
  else return;
  event.preventDefault();
});
thread?.addEventListener("mousedown", (event) => {
  const item = event.target.closest(".gh-people li");
  if (!item) return;
  event.preventDefault();
  take(item.parentElement.previousElementSibling, item);
});
thread?.addEventListener("focusout", (event) => { if (event.target.matches("[data-mentions]")) close(event.target); });
thread?.addEventListener("change", (event) => {
  if (!event.target.matches("[data-files]")) return;
  event.target.form.querySelector("[data-chosen-files]").textContent = [...event.target.files].map((one) => one.name).join(", ");
});
