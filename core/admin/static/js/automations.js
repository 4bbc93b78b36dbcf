// The editor of an automation: a form over the JSON in textarea[name=definition], which stays for who has no JavaScript.
// The form is the state: after each change it is read, written into the textarea, and checked by the server.

const form = document.querySelector("form[data-automation]");
const kept = form.elements.definition;
const editor = form.querySelector("[data-editor]");
const offer = JSON.parse(document.getElementById("automation-offer").textContent);
const rows = editor.querySelector("[data-rows]");
const actions = editor.querySelector("[data-actions]");
const picker = document.getElementById("pick-action");
const say = form.dataset;
const known = new Map([[offer.event.name, offer.event]]); // events whose fields have been asked for
const one = (scope, name) => scope.querySelector(`[data-at="${name}"]`);
const at = (name) => one(form, name);
const chosen = (name) => editor.querySelector(`input[name="${name}"]:checked`).value;
const clone = (query) => document.querySelector(query).content.firstElementChild.cloneNode(true);
const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
let serial = 0;

// What can be asked of a field ---------------------------------------------------------------------------------------
const eventNow = () => (chosen("au-trigger") === "event" ? known.get(at("trigger.event").value) : null);
const fields = () => [...(eventNow()?.fields ?? []), ...offer.member];
const fieldOf = (path) => fields().find((field) => field.path === path) ?? { path, label: path, kind: "any", options: [] };

function fillFields(select, value) {
  const groups = [[say.sayEvent, "event."], [say.sayRecord, "record."], [say.sayMember, "member."]].map(([label, start]) => {
    const group = Object.assign(document.createElement("optgroup"), { label });
    group.append(...fields().filter((field) => field.path.startsWith(start)).map((field) => option(field.path, field.label)));
    return group;
  });
  select.replaceChildren(option("", say.sayField), ...groups.filter((group) => group.children.length));
  if (value && !select.querySelector(`option[value="${CSS.escape(value)}"]`)) select.append(option(value, value));
  select.value = value ?? "";
}

function fitRow(row, operator, value) {
  const field = fieldOf(one(row, "field").value);
  const operators = offer.operators[field.kind] ?? offer.operators.any;
  const choice = one(row, "operator");
  const wanted = operator ?? choice.value;
  choice.replaceChildren(...operators.map(([name, label]) => option(name, label)));
  if (operator && !operators.some(([name]) => name === operator)) choice.append(option(operator, operator));
  choice.value = wanted;
  if (choice.selectedIndex < 0) choice.selectedIndex = 0;
  const place = one(row, "value-place");
  const before = value ?? (place.firstElementChild ? readValue(place.firstElementChild, field.kind, choice.value) : null);
  place.replaceChildren(...(["is_set", "is_not_set"].includes(choice.value) ? [] : [valueControl(field, choice.value, before)]));
  place.hidden = !place.children.length;
}

function valueControl(field, operator, value) {
  const several = ["in", "not_in"].includes(operator);
  let control;
  if (field.kind === "bool") {
    control = Object.assign(document.createElement("select"), { className: "form-select" });
    control.append(option("true", say.sayYes), option("false", say.sayNo));
  } else if (field.options?.length && ["is", "is_not"].includes(operator)) {
    control = Object.assign(document.createElement("select"), { className: "form-select" });
    control.append(...field.options.map((each) => option(each, each)));
    if (value && !field.options.includes(String(value))) control.append(option(value, value));
  } else {
    const type = several ? "text" : { number: "number", time: "datetime-local" }[field.kind] ?? "text";
    control = Object.assign(document.createElement("input"), { className: "form-control", type });
    if (type === "number") control.step = "any";
    if (several) control.placeholder = say.sayList;
  }
  control.dataset.at = "value";
  control.setAttribute("aria-label", say.sayValue);
  const shown = Array.isArray(value) ? value.join(", ") : value === null || value === undefined ? "" : String(value);
  if (shown !== "") control.value = control.type === "datetime-local" ? shown.slice(0, 16) : shown;
  return control;
}

const plainValue = (text, kind) => {
  if (kind === "bool") return text === "true";
  return ["number", "any"].includes(kind) && text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
};

function readValue(control, kind, operator) {
  if (["in", "not_in"].includes(operator)) {
    return control.value.split(",").map((each) => each.trim()).filter(Boolean).map((each) => plainValue(each, kind));
  }
  if (control.value === "") return null;
  return control.type === "datetime-local" ? `${control.value.padEnd(19, ":00")}Z` : plainValue(control.value, kind);
}

// From the definition to the form ------------------------------------------------------------------------------------
function addRow(given = {}) {
  const row = clone("template[data-row]");
  fillFields(one(row, "field"), given.field);
  rows.append(row);
  fitRow(row, given.operator, given.value);
  return row;
}

function setParameter(param, value) {
  const literal = one(param, "literal");
  const text = one(param, "expression");
  const expressed = typeof value === "string" && value.startsWith("=");
  express(param, expressed);
  if (expressed) text.value = value.slice(1).trim();
  else if (literal.type === "checkbox") literal.checked = value === true;
  else if (value !== undefined && value !== null) {
    const shown = typeof value === "object" ? JSON.stringify(value) : String(value);
    if (literal.tagName === "SELECT" && ![...literal.options].some((each) => each.value === shown)) literal.append(option(shown, shown));
    literal.value = shown;
  }
}

function express(param, on) {
  param.querySelector("[data-express]").setAttribute("aria-pressed", on);
  one(param, "literal-place").hidden = on;
  one(param, "expression").hidden = !on;
}

function addAction(given) {
  const query = `template[data-action="${CSS.escape(given.action)}"]`;
  const made = clone(document.querySelector(query) ? query : 'template[data-action=""]');
  serial += 1;
  for (const each of made.querySelectorAll("[id], [for], [aria-describedby]")) {
    for (const name of ["id", "for", "aria-describedby"]) if (each.hasAttribute(name)) each.setAttribute(name, `a${serial}-${each.getAttribute(name)}`);
  }
  made.dataset.name = given.action;
  if (!document.querySelector(query)) {
    made.querySelector("h3 span").textContent = given.action;
    made.dataset.values = JSON.stringify(given.values ?? {});
  }
  for (const param of made.querySelectorAll("[data-param]")) {
    if (given.values && param.dataset.param in given.values) setParameter(param, given.values[param.dataset.param]);
  }
  one(made, "go_on").checked = given.on_error === "go_on";
  actions.append(made);
  return made;
}

function limit(name, given) {
  at(`${name}.times`).value = given?.times ?? "";
  at(`${name}.period`).value = given?.period ?? "day";
}

async function show() {
  let made;
  try {
    made = JSON.parse(kept.value || "{}");
  } catch {
    return; // what is no JSON is told by the check
  }
  const { trigger = { kind: "event" }, condition = {}, limits = {} } = made;
  const kind = editor.querySelector(`input[name="au-trigger"][value="${CSS.escape(trigger.kind ?? "event")}"]`);
  if (kind) kind.checked = true;
  if (trigger.event) setEvent(trigger.event);
  await learn();
  fillMembers(trigger.member);
  for (const name of ["every", "hour", "minute", "weekday", "zone"]) if (trigger[name] !== undefined) at(`trigger.${name}`).value = trigger[name];
  rows.replaceChildren();
  (condition.rows ?? []).forEach((row) => addRow(row));
  at("condition.match").value = condition.match ?? "all";
  at("condition.cel").value = condition.cel ?? "";
  editor.querySelector(`input[name="au-if"][value="${condition.cel ? "cel" : rows.children.length ? "rows" : "always"}"]`).checked = true;
  actions.replaceChildren();
  (made.actions ?? []).forEach(addAction);
  limit("limits.per_member", limits.per_member);
  limit("limits.in_all", limits.in_all);
  arrange();
}

function setEvent(name) {
  const select = at("trigger.event");
  if (![...select.options].some((each) => each.value === name)) select.append(option(name, name));
  select.value = name;
  select.tomselect?.sync();
}

async function learn() {
  const name = at("trigger.event").value;
  if (name && !known.has(name)) {
    const answer = await fetch(`${say.fields}?event=${encodeURIComponent(name)}`, { headers: { Accept: "application/json" } });
    if (answer.ok) known.set(name, await answer.json());
  }
  const event = known.get(name);
  at("about").textContent = event?.help ?? "";
  at("fields").replaceChildren(...(event?.fields ?? []).map((field) => {
    const chip = Object.assign(document.createElement("code"), { textContent: field.path });
    chip.title = `${field.label} (${field.kind})`;
    return chip;
  }));
}

function fillMembers(value) {
  const select = at("trigger.member");
  const names = eventNow()?.members ?? [];
  const usual = names.length ? say.sayUsual.replace("{field}", names[0]) : eventNow()?.owner ? say.sayOwner : say.sayNobody;
  select.replaceChildren(option("", usual), ...names.slice(1).map((name) => option(name, name)));
  if (value && value !== names[0] && !names.includes(value)) select.append(option(value, value));
  select.value = value && value !== names[0] ? value : "";
}

/** Show the parts that the choices ask for. */
function arrange() {
  for (const name of ["trigger", "if"]) {
    const now = chosen(`au-${name}`);
    editor.querySelectorAll(`[data-when-${name}]`).forEach((part) => { part.hidden = !part.getAttribute(`data-when-${name}`).split(" ").includes(now); });
  }
  const every = at("trigger.every").value;
  at("weekday-place").hidden = every !== "weekly";
  at("hour-place").hidden = every === "hourly";
  at("no-rows").hidden = rows.children.length > 0;
  at("no-actions").hidden = actions.children.length > 0;
  at("condition.match").closest("label").hidden = rows.children.length < 2;
}

// From the form to the definition ------------------------------------------------------------------------------------
const whole = (name) => (at(name).value === "" ? 0 : Number(at(name).value));

function readTrigger() {
  const kind = chosen("au-trigger");
  if (kind === "event") {
    const member = at("trigger.member").value;
    return { kind, event: at("trigger.event").value, ...(member && { member }) };
  }
  if (kind === "manual") return { kind };
  const every = at("trigger.every").value;
  return {
    kind, every, minute: whole("trigger.minute"), zone: at("trigger.zone").value,
    ...(every !== "hourly" && { hour: whole("trigger.hour") }), ...(every === "weekly" && { weekday: whole("trigger.weekday") }),
  };
}

function readCondition() {
  const how = chosen("au-if");
  if (how === "cel") return { cel: at("condition.cel").value };
  if (how === "always") return {};
  const lines = [...rows.children].map((row) => {
    const field = one(row, "field").value;
    const operator = one(row, "operator").value;
    const control = one(row, "value-place").firstElementChild;
    return { field, operator, ...(control && { value: readValue(control, fieldOf(field).kind, operator) }) };
  });
  return { match: at("condition.match").value, rows: lines };
}

function readAction(element) {
  const values = element.dataset.values ? JSON.parse(element.dataset.values) : {};
  for (const param of element.querySelectorAll("[data-param]")) {
    const literal = one(param, "literal");
    const name = param.dataset.param;
    if (param.querySelector("[data-express]").getAttribute("aria-pressed") === "true") values[name] = `=${one(param, "expression").value}`;
    else if (literal.type === "checkbox") values[name] = literal.checked;
    else if (literal.value !== "") values[name] = literal.type === "number" ? Number(literal.value) : param.dataset.kind === "json" ? parsed(literal.value) : literal.value;
  }
  return { action: element.dataset.name, values, ...(one(element, "go_on").checked && { on_error: "go_on" }) };
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return text; }
}

function readLimits() {
  const found = {};
  for (const name of ["per_member", "in_all"]) {
    const times = at(`limits.${name}.times`).value;
    if (times !== "") found[name] = { times: Number(times), period: at(`limits.${name}.period`).value };
  }
  return found;
}

function write() {
  arrange();
  const made = { trigger: readTrigger(), condition: readCondition(), actions: [...actions.children].map(readAction), limits: readLimits() };
  kept.value = JSON.stringify(made, null, 2);
  form.setAttribute("data-dirty", "");
  check();
}

// What the server says of it -----------------------------------------------------------------------------------------
function placeOf(path) {
  const parts = path.split(".");
  if (path.startsWith("condition.rows.")) {
    const row = rows.children[Number(parts[2])];
    return row && { box: row, control: row.querySelector(`[data-at="${CSS.escape(parts[3] ?? "value")}"]`) ?? one(row, "field") };
  }
  if (parts[0] === "actions" && parts.length > 1) {
    const action = actions.children[Number(parts[1])];
    const param = parts[2] === "values" && parts[3] ? action?.querySelector(`[data-param="${CSS.escape(parts[3])}"]`) : null;
    if (param) return { box: param, control: one(param, param.querySelector("[data-express]").getAttribute("aria-pressed") === "true" ? "expression" : "literal") };
    return action && { box: action.querySelector("[data-body]"), control: null };
  }
  const control = editor.querySelector(`[data-at="${CSS.escape(path)}"]`);
  return control && { box: control.closest(".au-field, .au-line, .au-part"), control };
}

function paint(problems, all) {
  editor.querySelectorAll("[data-wrong]").forEach((told) => told.remove());
  editor.querySelectorAll("[aria-invalid]").forEach((control) => {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
  });
  const rest = [];
  for (const [path, sentences] of Object.entries(problems)) {
    const place = placeOf(path);
    const begun = all || place?.control?.dataset.begun || (place && !place.control);
    if (!place?.box || place.box.closest("[hidden]") || !begun) {
      const label = place?.box?.querySelector("label, .au-label")?.firstChild.textContent.trim();
      rest.push(...sentences.map((text) => (label ? `${label}: ${text}` : text)));
      continue;
    }
    const told = clone("template[data-wrong-text]");
    told.append(sentences.join(" "));
    told.id = `wrong-${path.replaceAll(".", "-")}`;
    place.box.append(told);
    place.control?.setAttribute("aria-invalid", "true");
    place.control?.setAttribute("aria-describedby", told.id);
  }
  const list = at("missing");
  list.replaceChildren(...[...new Set(rest)].map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  at("missing-card").hidden = !rest.length;
}

let waiting;
let ticket = 0;

function check(all = false, pause = 350) {
  clearTimeout(waiting);
  const mine = ++ticket;
  waiting = setTimeout(async () => {
    const answer = await fetch(say.check, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
    if (!answer.ok || mine !== ticket) return;
    const { problems, words, cel } = await answer.json();
    paint(problems, all);
    if (words) at("words").innerHTML = words; // made by the server's templates, everything in it escaped
    at("words").classList.toggle("is-stale", !words);
    at("cel").textContent = cel;
    at("cel-place").hidden = !cel || chosen("au-if") !== "rows";
  }, pause);
}

// What people do ------------------------------------------------------------------------------------------------------
editor.addEventListener("input", (event) => { event.target.dataset.begun = "1"; write(); });
editor.addEventListener("change", async (event) => {
  const name = event.target.dataset.at;
  event.target.dataset.begun = "1";
  if (name === "trigger.event" || event.target.name === "au-trigger") {
    await learn();
    fillMembers(at("trigger.member").value);
    for (const row of rows.children) fillFields(one(row, "field"), one(row, "field").value);
  }
  const row = event.target.closest("[data-row-of]");
  if (row && (name === "field" || name === "operator")) fitRow(row);
  if (event.target.name === "au-if" && event.target.value === "rows" && !rows.children.length) addRow();
  if (event.target.name === "au-if" && event.target.value === "cel" && !at("condition.cel").value) at("condition.cel").value = at("cel").textContent;
  write();
});

editor.addEventListener("click", (event) => {
  const hit = (query) => event.target.closest(query);
  if (hit("[data-add-row]")) one(addRow(), "field").focus();
  else if (hit("[data-express]")) {
    const param = hit("[data-param]");
    const on = hit("[data-express]").getAttribute("aria-pressed") !== "true";
    express(param, on);
    one(param, on ? "expression" : "literal").focus();
  } else if (hit("[data-move]")) {
    const action = hit(".au-action");
    const step = Number(hit("[data-move]").dataset.move);
    if (step < 0) action.previousElementSibling?.before(action);
    else action.nextElementSibling?.after(action);
    const place = [...actions.children].indexOf(action) + 1;
    at("said").textContent = say.sayMoved.replace("{name}", action.querySelector("h3").textContent.trim()).replace("{place}", place);
    const same = action.querySelector(`[data-move="${step}"]`);
    (getComputedStyle(same).visibility === "hidden" ? action.querySelector(`[data-move="${-step}"]`) : same).focus();
  } else if (hit("[data-remove]")) {
    const gone = hit("[data-row-of], .au-action");
    const next = gone.nextElementSibling ?? gone.previousElementSibling;
    const list = gone.parentElement;
    gone.remove();
    (next?.querySelector("select, [data-remove]") ?? editor.querySelector(list === rows ? "[data-add-row]" : "[data-dialog]")).focus();
  } else return;
  write();
});

picker.addEventListener("click", (event) => {
  const name = event.target.closest("[data-pick]")?.dataset.pick;
  if (!name) return;
  picker.close();
  const made = addAction({ action: name });
  write();
  made.querySelector("[data-param] :is(input, select, textarea):not([hidden])")?.focus();
  made.scrollIntoView({ block: "nearest" });
});

kept.addEventListener("input", async () => { await show(); check(true); });

document.addEventListener("htmx:after:swap", () => document.getElementById("trial").scrollIntoView());

form.querySelector("[data-json]").open = false;
editor.hidden = false;
await show();
check(say.begun === "yes", 0);
