// The page to try the API: reads the document, makes a form of each operation, sends it, shows the
// answer. No dependencies.

const place = document.getElementById("operations");
const token = document.getElementById("token");

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// An example value of a schema, so that a body can be sent after changing a word or two.
function example(schema, document_, depth = 0) {
  if (!schema || depth > 5) return null;
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return example(document_.components.schemas[name], document_, depth + 1);
  }
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const variant = (schema.oneOf || schema.anyOf || []).find((s) => s.type !== "null");
  if (variant) return example(variant, document_, depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((s) => example(s, document_, depth + 1)));
  const type = Array.isArray(schema.type) ? schema.type.find((t) => t !== "null") : schema.type;
  if (type === "object") {
    const required = schema.required || [];
    const pairs = Object.entries(schema.properties || {}).filter(([key]) => required.includes(key));
    return Object.fromEntries(pairs.map(([key, value]) => [key, example(value, document_, depth + 1)]));
  }
  if (type === "array") return [example(schema.items, document_, depth + 1)];
  if (type === "integer" || type === "number") return 1;
  if (type === "boolean") return false;
  return type === "string" ? "" : null;
}

async function send(operation, inputs, body, output) {
  let url = operation.path;
  const query = new URLSearchParams();
  const headers = new Headers();
  for (const { parameter, input } of inputs) {
    const value = input.value.trim();
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value && parameter.in === "query") query.set(parameter.name, value);
    else if (value && parameter.in === "header") headers.set(parameter.name, value);
  }
  if (query.size) url += `?${query}`;
  if (token.value && operation.method !== "get") headers.set("Authorization", `Bearer ${token.value}`);
  const request = { method: operation.method.toUpperCase(), headers };
  if (body) {
    headers.set("Content-Type", "application/json");
    request.body = body.value;
  }
  output.hidden = false;
  output.textContent = "Waiting for the answer ...";
  try {
    const answer = await fetch(url, request);
    const kind = answer.headers.get("content-type") || "";
    let text = await answer.text();
    if (kind.includes("json") && text) text = JSON.stringify(JSON.parse(text), null, 2);
    output.textContent = `${request.method} ${url}\n${answer.status} ${answer.statusText}\n\n${text}`;
  } catch (error) {
    output.textContent = `${request.method} ${url}\nno answer: ${error.message}`;
  }
}

function form(operation, document_) {
  const inputs = (operation.parameters || []).map((parameter) => {
    const required = parameter.in === "path";
    const input = element("input", { type: "text", name: parameter.name, ...(required ? { required: "" } : {}) });
    const label = element("label", {}, `${parameter.name} (${parameter.in}): ${parameter.description || ""}`, input);
    return { parameter, input, label };
  });
  const content = operation.requestBody?.content?.["application/json"];
  let body = null;
  const parts = [element("p", {}, operation.description || operation.summary || ""), ...inputs.map((i) => i.label)];
  if (content) {
    body = element("textarea", { name: "body", spellcheck: "false" });
    body.value = JSON.stringify(example(content.schema, document_), null, 2);
    parts.push(element("label", {}, "Body (JSON)", body));
  } else if (operation.requestBody) {
    parts.push(element("p", {}, "This request carries files: send it with a program, for example curl -F."));
  }
  const output = element("pre", { tabindex: "0", role: "status" });
  output.hidden = true;
  const made = element("form", {}, ...parts, element("button", { type: "submit" }, "Send"), output);
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    send(operation, inputs, body, output);
  });
  return made;
}

async function start() {
  const document_ = await (await fetch("/api/openapi.json")).json();
  const operations = Object.entries(document_.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
  );
  for (const tag of document_.tags) {
    place.append(element("h2", {}, tag.name), element("p", {}, tag.description || ""));
    for (const operation of operations.filter((o) => (o.tags || []).includes(tag.name))) {
      const summary = element(
        "summary",
        {},
        element("span", { class: "method" }, operation.method.toUpperCase()),
        element("code", {}, operation.path),
      );
      place.append(element("details", {}, summary, form(operation, document_)));
    }
  }
}

start().catch((error) => {
  place.textContent = `The document could not be read: ${error.message}. Load the page again.`;
});
