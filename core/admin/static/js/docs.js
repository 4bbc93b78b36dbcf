// Swagger UI over our own document; try-it-out works with a bearer token or with the session of this browser.
const root = document.getElementById("docs");

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
