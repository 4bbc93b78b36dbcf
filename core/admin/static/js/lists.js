// Record lists: filters, chosen rows, columns, and the keys that go through the rows.

function count(list) {
  const picks = [...list.querySelectorAll(".gh-pick")];
  const chosen = picks.filter((p) => p.checked).length;
  const head = list.querySelector(".gh-pick-all");
  if (head) {
    head.checked = chosen > 0 && chosen === picks.length;
    head.indeterminate = chosen > 0 && chosen < picks.length;
  }
  const every = list.querySelector("[data-all]");
  if (every && chosen < picks.length) every.disabled = true;
  const match = list.querySelector("[data-pick-match]");
  if (match) match.hidden = !every.disabled;
  const text = list.querySelector("[data-chosen]");
  if (!text) return;
  text.textContent = every && !every.disabled ? text.dataset.chosenAll : text.dataset.chosen.replace("%d", chosen).replace("%t", picks.length);
}

function pick(list, checked) {
  list.querySelectorAll(".gh-pick").forEach((p) => { p.checked = checked; });
  count(list);
}

function opted(box) {
  box.closest("form").querySelectorAll(`#${CSS.escape(box.dataset.optIn)} :is(input, select, textarea)`).forEach((f) => { f.disabled = !box.checked; });
}

export function start(scope) {
  scope.querySelectorAll(".gh-list").forEach((list) => list.querySelector(".gh-bulk") && count(list));
}

document.querySelectorAll("[data-opt-in]").forEach(opted);

document.addEventListener("change", (event) => {
  const field = event.target;
  const list = field.closest(".gh-list");
  if (field.matches("[data-go]")) location.assign(field.value);
  else if (field.matches(".gh-pick-all")) pick(list, field.checked);
  else if (field.matches(".gh-pick")) count(list);
  else if (field.matches("[data-opt-in]")) opted(field);
  else if (field.matches(".gh-asks input[type=date], .gh-asks input[type=datetime-local]")) {
    if (field.value) field.closest(".gh-asks").querySelectorAll(`[data-word][name="${CSS.escape(field.name)}"]`).forEach((f) => f.remove());
  }
});

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest(selector);
  let hit;
  if ((hit = at("[data-pick-none]"))) pick(hit.closest(".gh-list"), false);
  else if ((hit = at("[data-pick-match]"))) {
    const list = hit.closest(".gh-list");
    list.querySelector("[data-all]").disabled = false;
    pick(list, true);
  } else if ((hit = at("[data-span]"))) {
    // A shortcut takes the place of the day that was given.
    hit.form.querySelectorAll(`input[name="${CSS.escape(hit.name)}"]`).forEach((f) => { f.value = ""; });
  } else if ((hit = at("[data-move]"))) move(hit.closest("li"), Number(hit.dataset.move), hit);
});

function move(item, step, focus) {
  const other = step < 0 ? item.previousElementSibling : item.nextElementSibling;
  if (!other) return;
  if (step < 0) other.before(item);
  else other.after(item);
  const wanted = getComputedStyle(focus).visibility === "hidden" ? item.querySelector(`[data-move="${-step}"]`) : focus;
  wanted.focus();
  item.scrollIntoView({ block: "nearest" });
}

// Rows by keys: j and k go down and up, x chooses; Enter opens, since the link of the row has the focus.
document.addEventListener("keydown", (event) => {
  const item = event.target.closest(".gh-chooser li");
  if (item && event.altKey && ["ArrowUp", "ArrowDown"].includes(event.key)) {
    move(item, event.key === "ArrowUp" ? -1 : 1, event.target);
    event.preventDefault();
    return;
  }
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const rows = [...document.querySelectorAll(".gh-records tbody tr")];
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  const go = (row) => (row?.querySelector(".gh-row-link") ?? row?.querySelector(".gh-pick"))?.focus();
  if (event.key === "j") go(rows[Math.min(now + 1, rows.length - 1)]);
  else if (event.key === "k") go(rows[Math.max(now - 1, 0)]);
  else if (event.key === "x" && now >= 0) rows[now].querySelector(".gh-pick")?.click();
  else return;
  event.preventDefault();
});

// The rows stay in view until the new ones are there.
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-filters]")) event.target.closest(".gh-list").setAttribute("aria-busy", "true");
  else if (event.target.matches("[data-once]")) setTimeout(() => event.target.querySelectorAll("button").forEach((b) => { b.disabled = true; }));
});
addEventListener("pageshow", () => {
  document.querySelectorAll(".gh-list[aria-busy]").forEach((list) => list.removeAttribute("aria-busy"));
  document.querySelectorAll("[data-once] button").forEach((b) => { b.disabled = false; });
});
