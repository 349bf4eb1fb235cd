/* The API description, drawn by Swagger UI. Nothing is fetched from elsewhere: no validator, no fonts. */
"use strict";
const place = document.getElementById("api");
const dark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};
document.documentElement.classList.toggle("dark-mode", dark());
SwaggerUIBundle({
  url: place.dataset.url,
  domNode: place,
  validatorUrl: null,
  deepLinking: true,
  filter: true,
  docExpansion: "none",
  defaultModelsExpandDepth: -1,
});
