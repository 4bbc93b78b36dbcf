// Arranging the dashboard: rows are dragged by pointer, or moved by buttons, and say where they are.

const list = document.querySelector("[data-arrange]");
const said = document.querySelector("[data-arrange-said]");
const EDGE = 64; // pixels from the rim of the window where it scrolls
let dragged = null;

function tell(row) {
  const place = [...list.children].indexOf(row) + 1;
  const name = row.querySelector(".gh-arrange-name").firstChild.textContent.trim();
  said.textContent = said.dataset.say.replace("{name}", name).replace("{place}", place);
}

list.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const row = button?.closest("li");
  if (!row) return;
  if (button.matches("[data-take-out]")) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    next?.querySelector("[data-take-out]").focus();
    document.querySelector("[data-arrange-none]").hidden = list.children.length > 0;
  } else if (button.dataset.step === "-1") row.previousElementSibling?.before(row);
  else if (button.dataset.step === "1") row.nextElementSibling?.after(row);
  if (row.isConnected) {
    button.focus();
    tell(row);
  }
});

// Pointer events are those of mouse, pen and finger alike. The list captures them: a row that moves would lose them.
list.addEventListener("pointerdown", (event) => {
  const grip = event.target.closest(".gh-grip");
  if (!grip || event.button) return;
  event.preventDefault();
  dragged = grip.closest("li");
  dragged.classList.add("is-dragged");
  list.setPointerCapture(event.pointerId);
});

list.addEventListener("pointermove", (event) => {
  if (!dragged) return;
  if (event.clientY < EDGE) scrollBy(0, -EDGE / 4);
  else if (event.clientY > innerHeight - EDGE) scrollBy(0, EDGE / 4);
  for (const row of list.children) {
    const box = row.getBoundingClientRect();
    if (row === dragged || event.clientY < box.top || event.clientY > box.bottom) continue;
    row[event.clientY > box.top + box.height / 2 ? "after" : "before"](dragged);
    break;
  }
});

function drop() {
  if (!dragged) return;
  dragged.classList.remove("is-dragged");
  tell(dragged);
  dragged = null;
}
list.addEventListener("pointerup", drop);
list.addEventListener("pointercancel", drop);
