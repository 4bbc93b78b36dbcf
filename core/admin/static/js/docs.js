// Swagger UI over our own document; try-it-out works with a bearer token or with the session of this browser.
const root = document.getElementById("docs");

// The theme that is chosen elsewhere, by the cookie; "auto" is the system's.
const page = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const paint = () => page.classList.toggle("dark-mode", page.dataset.themeChoice === "dark" || (page.dataset.themeChoice === "auto" && system.matches));
system.addEventListener("change", paint);
paint();

// What Swagger UI leaves without a name, a link inside a button, a box that scrolls and takes no focus.
const mend = () => {
  root.querySelectorAll(".opblock-summary-control a[href]").forEach((link) => link.removeAttribute("href"));
  root.querySelectorAll("pre:not([tabindex])").forEach((box) => box.setAttribute("tabindex", "0"));
  root.querySelectorAll("select#servers:not([aria-label])").forEach((field) => field.setAttribute("aria-label", "Server"));
  root.querySelectorAll("textarea:not([aria-label])").forEach((field) => field.setAttribute("aria-label", "Request body"));
  root.querySelectorAll("select:not([aria-label]):not([id])").forEach((field) => field.setAttribute("aria-label", "Choice"));
};
new MutationObserver(mend).observe(root, { childList: true, subtree: true });

window.SwaggerUIBundle({
  url: root.dataset.url,
  domNode: root,
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
  requestInterceptor: (request) => {
    if (!["GET", "HEAD"].includes((request.method || "GET").toUpperCase())) {
      request.headers["X-CSRFToken"] = root.dataset.csrf;
    }
    return request;
  },
});
