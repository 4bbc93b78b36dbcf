// The inbox by keyboard: j and k go through the cases, Enter opens, x chooses; in a case a, r, c and e decide or pass it on.

const cases = [...document.querySelectorAll("[data-case]")];
let at = cases.findIndex((one) => one.classList.contains("is-current"));
const inside = at >= 0 || document.querySelector(".gh-split") !== null;

function go(step) {
  if (!cases.length) return;
  at = Math.max(0, Math.min(cases.length - 1, at + step));
  if (inside) location.assign(cases[at].dataset.case);
  else cases[at].querySelector("a").focus();
}

// A rejection needs a reason: the first r goes to it, the second one sends.
function press(key) {
  const button = document.querySelector(`[data-key="${key}"]`);
  const reason = button?.form?.elements.reason;
  if (key === "r" && reason && !reason.value.trim()) reason.focus();
  else button?.click();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (typing) return;
  if (event.key === "j") go(1);
  else if (event.key === "k") go(-1);
  else if (event.key === "x" && !inside) cases[at]?.querySelector(".gh-pick")?.click();
  else if (inside && ["a", "r", "c", "e"].includes(event.key)) press(event.key);
  else return;
  event.preventDefault();
});

// From the reason, Ctrl-Enter rejects: no hand leaves the keys.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches('textarea[name="reason"]')) return;
  document.querySelector('[data-key="r"]')?.click();
  event.preventDefault();
});
