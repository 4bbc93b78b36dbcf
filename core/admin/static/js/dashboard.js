// Arranging the dashboard: rows are dragged by pointer, or moved by buttons, and say where they are.

const list = document.querySelector("[data-arrange]");
const said = document.querySelector("[data-arrange-said]");
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

list.addEventListener("dragstart", (event) => {
  dragged = event.target.closest("li");
  dragged.classList.add("is-dragged");
  event.dataTransfer.effectAllowed = "move";
});

list.addEventListener("dragover", (event) => {
  const over = event.target.closest("li");
  if (!dragged || !over) return;
  event.preventDefault();
  const box = over.getBoundingClientRect();
  if (over !== dragged) over[event.clientY > box.top + box.height / 2 ? "after" : "before"](dragged);
});

list.addEventListener("dragend", () => {
  dragged.classList.remove("is-dragged");
  tell(dragged);
  dragged = null;
});
