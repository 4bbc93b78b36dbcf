// Filter panel and bulk selection of record lists.

function addRule(form, column) {
  const rule = form.querySelector(`template[data-column="${CSS.escape(column)}"]`).content.firstElementChild.cloneNode(true);
  form.querySelector(".gh-rules").append(rule);
  rename(rule);
  (rule.querySelector(".gh-rule-value") ?? rule.querySelector("select")).focus();
  form.querySelector("[data-apply]").hidden = false;
}

// FAB names a filter after the position of its operator: _flt_<position>_<column>.
function rename(rule) {
  rule.querySelector(".gh-rule-value").name = `_flt_${rule.querySelector("[data-operator]").value}_${rule.dataset.column}`;
}

function count(list) {
  const picks = [...list.querySelectorAll(".gh-pick")];
  const chosen = picks.filter((p) => p.checked).length;
  const all = list.querySelector(".gh-pick-all");
  if (all) {
    all.checked = chosen > 0 && chosen === picks.length;
    all.indeterminate = chosen > 0 && chosen < picks.length;
  }
  const text = list.querySelector("[data-chosen]");
  if (text) text.textContent = text.dataset.chosen.replace("%d", chosen).replace("%t", picks.length);
}

export function start(scope) {
  scope.querySelectorAll(".gh-list").forEach((list) => list.querySelector(".gh-bulk") && count(list));
}

document.addEventListener("change", (event) => {
  const field = event.target;
  const list = field.closest(".gh-list");
  if (field.matches("[data-add-filter]")) {
    if (field.value) addRule(field.form, field.value);
    field.value = "";
  } else if (field.matches("[data-operator]")) rename(field.closest(".gh-rule"));
  else if (field.matches("[data-go]")) location.assign(field.value);
  else if (field.matches(".gh-pick-all")) {
    list.querySelectorAll(".gh-pick").forEach((p) => { p.checked = field.checked; });
    count(list);
  } else if (field.matches(".gh-pick")) count(list);
});

document.addEventListener("click", (event) => {
  const drop = event.target.closest("[data-drop-rule]");
  if (drop) {
    const form = drop.closest("form");
    drop.closest(".gh-rule").remove();
    form.querySelector("[data-apply]").hidden = !form.querySelector(".gh-rules").children.length;
  }
  const none = event.target.closest("[data-pick-none]");
  if (none) {
    const list = none.closest(".gh-list");
    list.querySelectorAll(".gh-pick").forEach((p) => { p.checked = false; });
    count(list);
  }
});
