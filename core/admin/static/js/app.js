// The behaviour every page shares. Everything works through delegation on the document, so htmx swaps need no re-binding;
// `enhance(root)` covers the few things that must touch new elements.

const body = document.body;
const root = document.documentElement;
const say = body.dataset;

// Theme: the cookie is read by the server, so the next page arrives in the right colours.
const dark = matchMedia("(prefers-color-scheme: dark)");

function paint() {
  const choice = root.dataset.themeChoice;
  root.dataset.bsTheme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
  document.querySelectorAll("[data-set-theme]").forEach((b) => b.setAttribute("aria-pressed", b.dataset.setTheme === choice));
  document.dispatchEvent(new Event("guildhall:theme"));
}

function setTheme(choice) {
  root.dataset.themeChoice = choice;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${choice}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  paint();
}
dark.addEventListener("change", paint);

// Drawer of small screens.
const side = document.getElementById("side");

function drawer(open) {
  root.classList.toggle("gh-drawer", open);
  const opener = document.querySelector('[data-drawer="open"]');
  opener?.setAttribute("aria-expanded", open);
  document.querySelector(".gh-page").inert = open;
  if (open) side.querySelector("button, a").focus();
  else opener?.focus();
}

// Pop-up menus are native popovers; only their place is ours.
document.addEventListener("toggle", (event) => {
  const pop = event.target;
  if (!pop.classList?.contains("gh-pop") || event.newState !== "open") return;
  const box = document.querySelector(`[popovertarget="${pop.id}"]`).getBoundingClientRect();
  const left = (root.dir === "rtl") !== pop.classList.contains("gh-asks") ? box.left : box.right - pop.offsetWidth;
  pop.style.left = `${Math.max(8, Math.min(left, innerWidth - pop.offsetWidth - 8))}px`;
  const below = box.bottom + 4;
  pop.style.top = `${below + pop.offsetHeight > innerHeight ? Math.max(8, box.top - pop.offsetHeight - 4) : below}px`;
}, true);
addEventListener("scroll", (event) => document.querySelectorAll(".gh-pop:popover-open").forEach((p) => {
  if (!p.contains(event.target) && !(p.contains(document.activeElement) && document.activeElement.matches("input, select"))) p.hidePopover();
}), { passive: true, capture: true });

// Messages.
export function toast(text, level = "info") {
  const box = document.createElement("div");
  box.className = `gh-flash is-${level}`;
  box.append(Object.assign(document.createElement("span"), { textContent: text }));
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), 4000);
}

// Questions before a POST: data-confirm on the submitting button.
const dialog = document.getElementById("confirm");
let asked = null;

dialog?.addEventListener("close", () => {
  const button = asked;
  asked = null;
  if (dialog.returnValue !== "yes" || !button) return;
  button.dataset.confirmed = "1";
  button.form.requestSubmit(button);
  delete button.dataset.confirmed;
});

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button?.dataset.confirm && !button.dataset.confirmed) {
    event.preventDefault();
    event.stopImmediatePropagation();
    asked = button;
    const count = document.querySelectorAll(`.gh-pick:checked[form="${button.form.id}"]`).length;
    document.getElementById("confirm-text").textContent = button.dataset.confirm + (count ? ` (${count})` : "");
    dialog.querySelector("[data-confirm-yes]").textContent = button.dataset.confirmYes || button.textContent.trim() || button.getAttribute("aria-label");
    dialog.returnValue = "";
    dialog.showModal();
    return;
  }
  // Empty fields would only make the address long.
  if (event.target.matches("[data-clean]")) {
    for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
  }
  // A form with a guard is sent once; the next page, or this one shown again, lifts the guard.
  if (event.target.matches("[data-guard]")) {
    if (event.target.hasAttribute("data-sent")) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    event.target.setAttribute("data-sent", "");
  }
  event.target.removeAttribute("data-dirty");
}, true);
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((f) => f.removeAttribute("data-sent")));

// Which rows there were beside the one that is opened, for the way to the next record.
document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-href]");
  if (!row) return;
  const path = (url) => new URL(url, location.href).pathname;
  sessionStorage.setItem("rows", JSON.stringify([...row.parentElement.querySelectorAll("tr[data-href]")].map((one) => path(one.dataset.href))));
}, true);

// A date-time control says 2026-01-31T09:30; the server's format has a space and seconds.
document.addEventListener("formdata", (event) => {
  for (const field of event.target.querySelectorAll("[data-spaced]")) {
    if (!field.name || !field.value) continue;
    const text = field.value.replace("T", " ");
    event.formData.set(field.name, text.length === 16 ? `${text}:00` : text);
  }
});

// Unsaved changes.
document.addEventListener("input", (event) => event.target.form?.matches("[data-guard]") && event.target.form.setAttribute("data-dirty", ""));
addEventListener("beforeunload", (event) => document.querySelector("form[data-dirty]") && event.preventDefault());
addEventListener("pageshow", () => document.querySelectorAll("form[data-clean] :disabled").forEach((f) => { f.disabled = false; }));

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(say.sayCopied, "success");
  } catch {
    toast(say.sayFailed, "danger");
  }
}

// Relative times, in the page's language; the absolute time stays in the title.
const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "auto" });

function tell(moment) {
  const seconds = (new Date(moment.dateTime) - Date.now()) / 1000;
  if (Number.isNaN(seconds)) return;
  const [unit, size] = UNITS.find(([, s]) => Math.abs(seconds) >= s) ?? ["second", 1];
  moment.textContent = relative.format(unit === "second" ? 0 : Math.round(seconds / size), unit);
}
setInterval(() => document.querySelectorAll("time[data-relative]").forEach(tell), 30000);

// Tabs inside a page; the address keeps the chosen one.
function choose(tab, focus) {
  const list = tab.closest('[role="tablist"]');
  for (const other of list.querySelectorAll('[role="tab"]')) {
    const mine = other === tab;
    other.setAttribute("aria-selected", mine);
    other.tabIndex = mine ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !mine;
  }
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  if (focus) tab.focus();
}

// Palette: the navigation at once, and records from the server when the shell offers a search address.
const palette = document.getElementById("palette");
const query = palette?.querySelector("input");
const results = document.getElementById("palette-list");
let ticket = 0;

function option(label, url, hint, sign) {
  const item = document.createElement("li");
  item.setAttribute("role", "option");
  item.dataset.url = url;
  if (sign) item.append(sign);
  item.append(label);
  if (hint) item.append(Object.assign(document.createElement("small"), { textContent: hint }));
  return item;
}

function mark(item) {
  results.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
  item?.setAttribute("aria-selected", "true");
  item?.scrollIntoView({ block: "nearest" });
  results.querySelectorAll("li").forEach((li, i) => { li.id = `hit-${i}`; });
  if (item) query.setAttribute("aria-activedescendant", item.id);
}

async function look() {
  const text = query.value.trim().toLowerCase();
  const mine = ++ticket;
  const links = [...document.querySelectorAll(".gh-nav a")].filter((a) => a.querySelector("span").textContent.toLowerCase().includes(text));
  results.replaceChildren(...links.slice(0, 30).map((a) => option(a.querySelector("span").textContent, a.href, a.closest("ul").previousElementSibling?.textContent, a.querySelector("svg").cloneNode(true))));
  if (palette.dataset.search && text.length > 1) {
    try {
      const answer = await fetch(`${palette.dataset.search}?q=${encodeURIComponent(text)}`, { headers: { Accept: "application/json" } });
      const hits = answer.ok ? await answer.json() : [];
      if (mine === ticket) results.append(...hits.map((h) => option(h.label, h.url, h.hint)));
    } catch { /* the navigation alone is shown */ }
  }
  if (mine !== ticket) return;
  palette.querySelector(".gh-palette-none").hidden = results.children.length > 0;
  mark(results.firstElementChild);
}

function openPalette() {
  if (!palette || palette.open || !side) return;
  query.value = "";
  palette.showModal();
  look();
}
query?.addEventListener("input", look);
palette?.addEventListener("keydown", (event) => {
  const now = results.querySelector('[aria-selected="true"]');
  if (event.key === "ArrowDown") mark(now?.nextElementSibling ?? results.firstElementChild);
  else if (event.key === "ArrowUp") mark(now?.previousElementSibling ?? results.lastElementChild);
  else if (event.key === "Escape") palette.close();  // a search field would take the first one to empty itself
  else if (event.key === "Enter") { if (now) location.assign(now.dataset.url); }
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest(selector);
  let hit;
  if ((hit = at("[data-set-theme]"))) setTheme(hit.dataset.setTheme);
  else if ((hit = at("[data-drawer]"))) drawer(hit.dataset.drawer === "open");
  else if ((hit = at("[data-dismiss]"))) hit.parentElement.remove();
  else if ((hit = at("[data-copy]"))) copy(hit.dataset.copy);
  else if ((hit = at("[data-copy-next]"))) copy(hit.closest(".gh-code").querySelector("code").textContent);
  else if ((hit = at("[data-dialog]"))) showDialog(document.getElementById(hit.dataset.dialog));
  else if ((hit = at("[data-dialog-close]"))) hit.closest("dialog").close();
  else if (at("[data-palette]")) openPalette();
  else if ((hit = at('[role="tab"]'))) choose(hit);
  else if ((hit = at("#palette-list li"))) location.assign(hit.dataset.url);
  else if (event.target.matches("dialog")) event.target.close();
  else if ((hit = at("tr[data-href]")) && !at("a, button, input, label, select, summary, [popover]") && !getSelection().toString()) {
    if (event.metaKey || event.ctrlKey) open(hit.dataset.href);
    else location.assign(hit.dataset.href);
  }
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select, [contenteditable]");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") openPalette();
  else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s" && document.querySelector("form[data-guard]")) document.querySelector("form[data-guard]").requestSubmit();
  else if (event.key === "/" && !typing && document.querySelector("[data-slash]")) document.querySelector("[data-slash]").focus();
  else if (event.key === "Escape" && root.classList.contains("gh-drawer")) drawer(false);
  else if (event.target.matches('[role="tab"]') && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    const tabs = [...event.target.parentElement.children];
    const step = (event.key === "ArrowRight") === (root.dir !== "rtl") ? 1 : -1;
    choose(tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length], true);
  } else return;
  event.preventDefault();
});

// Libraries come only to the pages that use them.
function library(url) {
  return new Promise((done, failed) => {
    const known = document.querySelector(`script[src="${url}"]`);
    if (known?.dataset.ready) return done();
    const script = known ?? Object.assign(document.createElement("script"), { src: url });
    script.addEventListener("load", () => { script.dataset.ready = "1"; done(); });
    script.addEventListener("error", failed);
    if (!known) document.head.append(script);
  });
}

// What a closed dialog holds needs no library before it is opened.
const CHOICES = "select[data-lookup], select[data-rich]";
function showDialog(dialog) {
  dialog.showModal();
  dialog.querySelectorAll(CHOICES).forEach(rich);
}

async function rich(field) {
  await library(say.selectLibrary);
  if (field.tomselect) return;
  field.setAttribute("aria-hidden", "true"); // the control Tom Select makes carries the label
  const address = field.dataset.lookup;
  new TomSelect(field, {
    plugins: field.multiple ? ["remove_button"] : [],
    maxOptions: 100,
    ...(address && {
      valueField: "value", labelField: "text", searchField: [], preload: "focus",
      load: (text, done) => fetch(`${address}${address.includes("?") ? "&" : "?"}q=${encodeURIComponent(text)}`, { headers: { Accept: "application/json" } })
        .then((r) => r.json()).then((r) => { field.tomselect.clearOptions(); done(r.results ?? r); }).catch(() => done()),
    }),
  });
}

export function enhance(scope) {
  const all = (selector) => [...(scope.matches?.(selector) ? [scope] : []), ...scope.querySelectorAll(selector)];
  all("time[data-relative]").forEach(tell);
  if (all("canvas[data-chart]").length) Promise.all([import(say.charts), library(say.chartLibrary)]).then(([m]) => all("canvas[data-chart]").forEach(m.drawOnce));
  if (all("[data-filters], .gh-bulk, [data-opt-in]").length) import(say.lists).then((m) => m.start(scope));
  all(CHOICES).filter((one) => !one.closest("dialog:not([open])")).forEach(rich);
}

document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx?.request;
  if (request) request.headers["X-CSRFToken"] = document.querySelector('meta[name="csrf-token"]').content;
});
document.addEventListener("htmx:after:swap", () => enhance(body));

paint();
enhance(body);
(body.querySelector('main [aria-invalid="true"]') ?? body.querySelector("[data-focus]"))?.focus();
for (const tab of body.querySelectorAll(".gh-tabs > [aria-current]")) tab.parentElement.scrollLeft = tab.offsetLeft + tab.offsetWidth / 2 - tab.parentElement.offsetLeft - tab.parentElement.clientWidth / 2;
if (innerWidth >= 992) document.querySelector(".gh-nav [aria-current]")?.scrollIntoView({ block: "nearest" });
const named = location.hash && document.querySelector(`[role="tab"][aria-controls="${CSS.escape(location.hash.slice(1))}"]`);
if (named) choose(named);
