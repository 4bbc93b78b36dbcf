// Signing with the browser's wallet (EIP-1193). A form with data-wallet="<purpose>" stays hidden until there is one;
// sent, it asks for the message of /api/v1/core (data-challenge), has the wallet sign it and goes on its way with both.

const forms = document.querySelectorAll("form[data-wallet]");
const csrf = document.querySelector('meta[name="csrf-token"]').content;

function show() {
  if (!window.ethereum?.request) return;
  document.querySelectorAll("[data-no-wallet]").forEach((part) => { part.hidden = true; });
  for (const form of forms) {
    form.hidden = false;
    form.closest("[data-wallet-part]")?.removeAttribute("hidden");
  }
}

function tell(form, text) {
  form.querySelector("[data-wallet-says]").textContent = text;
}

async function challenge(form, address) {
  const answer = await fetch(form.dataset.challenge, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
    body: JSON.stringify({ address, purpose: form.dataset.wallet }),
  });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error.message), { told: true });
  return body.data.message;
}

async function sign(form) {
  const [given] = await window.ethereum.request({ method: "eth_requestAccounts" });
  const message = await challenge(form, given);
  const address = message.split("\n")[1];
  const bytes = Array.from(new TextEncoder().encode(message), (one) => one.toString(16).padStart(2, "0")).join("");
  const signature = await window.ethereum.request({ method: "personal_sign", params: [`0x${bytes}`, address] });
  form.elements.message.value = message;
  form.elements.signature.value = signature;
  form.submit();
}

for (const form of forms) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    tell(form, form.dataset.sayWait);
    try {
      await sign(form);
    } catch (problem) {
      tell(form, problem.told ? problem.message : problem.code === 4001 ? form.dataset.sayRefused : form.dataset.sayFailed);
      button.disabled = false;
    }
  });
}

show();
addEventListener("ethereum#initialized", show, { once: true });
// A page that comes back from the browser's cache must not keep its button disabled.
addEventListener("pageshow", () => forms.forEach((form) => { form.querySelector("button").disabled = false; tell(form, ""); }));
