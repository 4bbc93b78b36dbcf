// Studio's designer: what is entered in the form or the text is kept at once, and shown in the other and in the preview.
// The server draws the form; here it is read, changed as a whole where parts come, go or move, and drawn anew.

const box = document.querySelector("[data-studio]");
const form = document.getElementById("studio-form");
const area = document.getElementById("studio-text");
const state = document.getElementById("studio-state");
const wrong = document.getElementById("studio-wrong");
const frame = document.getElementById("preview-frame");
const chosen = document.getElementById("preview-resource");
const token = document.querySelector('meta[name="csrf-token"]').content;
let mark = box.dataset.mark;
let busy = false;
let queued = null;
let timer = 0;
let touched = 0; // counts what was entered, so that no form is drawn over it
let later = 0;
let stale = false; // the form is to be drawn anew when nobody types

// Reading: an object for each [data-part], a list for each [data-group] of parts and each [data-list] of ticks.
function read(part, position) {
  const made = {};
  const mine = (selector) => [...part.querySelectorAll(selector)].filter((one) => one.closest("[data-part]") === part);
  for (const one of mine("[data-key]")) made[one.dataset.key] = one.type === "checkbox" ? one.checked : one.value;
  for (const one of mine("[data-list]")) made[one.dataset.list] = [...one.querySelectorAll("input:checked")].map((tick) => tick.value);
  for (const group of mine("[data-group]")) {
    const parts = [...group.querySelectorAll("[data-part]")].filter((one) => one.parentElement.closest("[data-group]") === group);
    made[group.dataset.group] = parts.map(read);
  }
  part.sent = made.name ?? String(position ?? "");
  return made;
}

function whole() {
  const root = form.querySelector("[data-root]");
  if (!root) return null;
  const roles = new Map();
  for (const one of root.querySelectorAll("[data-grant]")) {
    if (!roles.has(one.dataset.role)) roles.set(one.dataset.role, []);
    if (one.checked) roles.get(one.dataset.role).push(one.dataset.grant);
  }
  return { ...read(root), roles: [...roles].map(([name, grants]) => ({ name, grants })) };
}

// Keeping: one request at a time; what comes meanwhile follows as one.
function keep(kind, draw = false, change = null, after = null) {
  clearTimeout(later); // what is about to change is not worth a preview
  if (change) form.inert = true;
  if (busy) {
    const changes = [...(queued?.changes ?? []), ...(change ? [change] : [])];
    queued = { kind, draw: draw || queued?.draw, changes, after: after ?? queued?.after };
    return;
  }
  send({ kind, draw, changes: change ? [change] : [], after });
}

async function send({ kind, draw, changes, after }) {
  busy = true;
  state.textContent = state.dataset.saving;
  const before = touched;
  const body = { mark, draw: draw || stale };
  if (kind === "text") body.text = area.value;
  else {
    body.form = whole();
    if (body.form) for (const change of changes) change(body.form);
  }
  try {
    const answer = await fetch(box.dataset.studio, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token },
      body: JSON.stringify(body),
    });
    const told = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : null;
    if (!answer.ok || !told) throw new Error(told?.error?.message ?? answer.statusText);
    mark = told.mark;
    state.textContent = state.dataset.saved;
    if (document.activeElement !== area) area.value = told.text;
    stale = Boolean(told.form) && before !== touched && !form.inert;
    if (told.form && !stale) redraw(told.form, after);
    else for (const hidden of form.querySelectorAll('[data-key="was"]')) hidden.value = hidden.closest("[data-part]").sent;
    tell(told.mistakes);
    offer(told.resources, told.mistakes.length);
  } catch (problem) {
    state.textContent = `${state.dataset.failed} ${problem.message}`;
  } finally {
    busy = false;
    form.inert = Boolean(queued?.changes.length);
    const next = queued;
    queued = null;
    if (next) send(next);
  }
}

function redraw(html, after) {
  const { id, selectionStart, selectionEnd } = document.activeElement;
  const open = new Set([...form.querySelectorAll("details[open]")].map((one) => one.id));
  form.inert = false;
  form.innerHTML = html;
  for (const one of form.querySelectorAll("details")) if (open.has(one.id)) one.open = true;
  const wanted = after?.() ?? (id && form.querySelector(`#${CSS.escape(id)}`));
  if (!wanted) return;
  for (let one = wanted.closest("details"); one; one = one.parentElement.closest("details")) one.open = true;
  wanted.focus();
  if (wanted.id === id && selectionStart !== undefined && selectionStart !== null) wanted.setSelectionRange(selectionStart, selectionEnd);
}

// Mistakes: a list that leads into the text, and a sentence at the control they are about.
function place(one) {
  for (let path = one.path; path; path = path.slice(0, Math.max(0, path.lastIndexOf(".")))) {
    for (const tried of [path, `${path}.name`]) {
      const found = form.querySelector(`[data-at="${CSS.escape(tried)}"]`);
      if (found) return found;
    }
  }
  return null;
}

function tell(mistakes) {
  wrong.hidden = !mistakes.length;
  const list = wrong.querySelector("ul");
  list.replaceChildren(...mistakes.map((one) => {
    const item = document.createElement("li");
    const go = Object.assign(document.createElement("button"), { type: "button", className: "btn-quiet" });
    go.textContent = list.dataset.place.replace("{line}", one.line).replace("{column}", one.column);
    Object.assign(go.dataset, { line: one.line, column: one.column, path: one.path });
    item.append(go, " ", Object.assign(document.createElement("span"), { textContent: one.message }));
    return item;
  }));
  for (const one of form.querySelectorAll(".gh-wrong")) one.remove();
  for (const one of form.querySelectorAll('[aria-invalid="true"]')) {
    one.removeAttribute("aria-invalid");
    one.removeAttribute("aria-describedby");
  }
  for (const one of mistakes) {
    const control = place(one);
    if (!control || control.hasAttribute("aria-invalid")) continue;
    const said = Object.assign(document.createElement("p"), { className: "gh-wrong", id: `${control.id}-error`, textContent: one.message });
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", said.id);
    control.after(said);
  }
}

wrong.addEventListener("click", (event) => {
  const go = event.target.closest("[data-line]");
  if (!go) return;
  document.getElementById("tab-text").click();
  const lines = area.value.split("\n");
  const at = lines.slice(0, go.dataset.line - 1).reduce((sum, line) => sum + line.length + 1, 0) + Number(go.dataset.column) - 1;
  area.focus();
  area.setSelectionRange(at, at + Math.max(1, (lines[go.dataset.line - 1] ?? "").length - go.dataset.column + 1));
  area.scrollTop = (go.dataset.line - 4) * (area.scrollHeight / lines.length);
});

// Parts that come, go and move: paths such as resources.0.fields, into what was read.
const at = (design, path) => path.split(".").reduce((inside, step) => inside[step], design);
const dashed = (path) => path.replaceAll(".", "-");
const free = (names, stem) => { let n = 1; while (names.includes(`${stem}_${n}`)) n += 1; return `${stem}_${n}`; };
const blank = (name, type, more) => ({ was: "", name, type, label: "", help: "", default: "", required: false, unique: false, filter: false, search: false, bulk: false, hidden: false, ...more });

const MADE = {
  field: (list) => blank(free(list.map((one) => one.name), "field"), "text"),
  value: (list) => ({ name: free(list.map((one) => one.name), "value"), colour: "" }),
  permission: (list, design) => ({ was: "", name: `${design.name}:${design.resources[0]?.name ?? "record"}:${free(list.map((one) => one.name.split(":").pop()), "act")}`, label: design.label }),
  section: (list, design, above) => ({ was: "", title: `${box.dataset.newName} ${list.length + 1}`, help: "", fields: above.fields.slice(0, 1).map((one) => one.name), folded: false }),
  inline: (list, design, above) => {
    const refers = (one) => one.fields.find((field) => field.to === above.name);
    const other = design.resources.find(refers) ?? design.resources[0];
    return { was: "", resource: other.name, by: refers(other)?.name ?? "", title: "" };
  },
  transition: (list, design, above) => {
    const field = above.fields.find((one) => one.type === "choice");
    const values = (field?.values ?? []).map((one) => one.name);
    return { was: "", field: field?.name ?? "", from: values.slice(0, 1), to: values[1] ?? "", permission: "", label: "", reason: false };
  },
  setting: (list) => ({ was: "", name: free(list.map((one) => one.name), "setting"), type: "boolean", label: "", help: "", default: "false", values: "" }),
  computed: (list) => ({ was: "", name: free(list.map((one) => one.name), "column"), run: free(list.map((one) => one.name), "column"), label: `${box.dataset.newColumn} ${list.length + 1}`, type: "text", help: "" }),
  operation: (list, design, above) => {
    const name = free(list.map((one) => one.name), "act");
    return { was: "", name, label: `${box.dataset.newButton} ${list.length + 1}`, run: name, permission: `${design.name}:${above.name}:update`, icon: "", help: "", danger: false };
  },
  resource: (list) => ({
    was: "", name: free(list.map((one) => one.name), "item"), label: "", label_plural: "", icon: "", title: "title", owner: "", order: "", few: false, soft_delete: false,
    columns: [], sections: [], computed: [], operations: [], inline: [], transitions: [], fields: [blank("title", "text", { required: true, search: true })],
  }),
};

function first(id) {
  return form.querySelector(`[id^="${CSS.escape(id)}-"]:is(input:not([type="hidden"]), select)`);
}

form.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { add, remove, of: moved } = button.dataset;
  if (add) {
    let made = "";
    const change = (design) => {
      const list = at(design, add) ?? [];
      const above = add.includes(".") ? at(design, add.slice(0, add.lastIndexOf("."))) : design;
      list.push(MADE[button.dataset.kind](list, design, above));
      made = `${add}.${list.length - 1}`;
    };
    keep("form", true, change, () => first(dashed(made)));
  } else if (remove) {
    const [, path, number] = /^(.*)\.(\d+)$/.exec(remove);
    keep("form", true, (design) => at(design, path).splice(number, 1), () => document.getElementById(`add-${dashed(path)}`));
  } else if (moved) {
    const [, path, number] = /^(.*)\.(\d+)$/.exec(moved);
    const to = Number(number) + Number(button.dataset.move);
    const change = (design) => { const list = at(design, path); list.splice(to, 0, ...list.splice(number, 1)); };
    const again = (way) => document.querySelector(`#${way}-${dashed(path)}-${to}:enabled`);
    const ways = button.dataset.move === "1" ? ["down", "up"] : ["up", "down"];
    keep("form", true, change, () => again(ways[0]) ?? again(ways[1]));
  }
});

// A name and a type change what else is offered, so they count when they are left.
form.addEventListener("input", (event) => {
  touched += 1;
  if (event.target.hasAttribute("data-redraw")) return;
  clearTimeout(timer);
  timer = setTimeout(() => keep("form"), 400);
});
form.addEventListener("change", (event) => {
  if (!event.target.hasAttribute("data-redraw")) return;
  clearTimeout(timer);
  setTimeout(() => keep("form", true)); // the key that left it goes on to the next control first
});
area.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => keep("text", true), 400);
});
addEventListener("beforeunload", (event) => (busy || queued) && event.preventDefault());

// The preview: a page of the server in a frame, without scripts.
let shown = "";

function look() {
  const page = document.querySelector("[data-page][aria-pressed='true']").dataset.page;
  const theme = document.documentElement.dataset.bsTheme;
  if (!chosen.value) return;
  const address = `${box.dataset.studio}/preview/${encodeURIComponent(chosen.value)}/${page}?theme=${theme}&v=${mark}`;
  if (address === shown) return;
  shown = address;
  frame.setAttribute("aria-busy", "true");
  frame.src = address;
}

function offer(names, mistakes) {
  document.getElementById("preview-stale").hidden = !mistakes;
  if (mistakes) return;
  const value = chosen.value;
  if ([...chosen.options].map((one) => one.value).join() !== names.join()) {
    chosen.replaceChildren(...names.map((name) => new Option(name.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase()), name)));
    if (names.includes(value)) chosen.value = value;
  }
  clearTimeout(later);
  later = setTimeout(look, 500);
}

frame.addEventListener("load", () => {
  frame.removeAttribute("aria-busy");
  const inside = frame.contentDocument?.querySelector("main");
  if (inside) frame.style.height = `${Math.max(240, Math.min(960, Math.ceil(inside.getBoundingClientRect().height) + 2))}px`;
});
chosen.addEventListener("change", look);
document.addEventListener("guildhall:theme", look);
for (const button of document.querySelectorAll("[data-page]")) {
  button.addEventListener("click", () => {
    for (const one of document.querySelectorAll("[data-page]")) one.setAttribute("aria-pressed", one === button);
    look();
  });
}
if (wrong.hidden) look();
