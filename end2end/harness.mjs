// Starts the built program on a free port with an empty data folder, and a browser with a fresh
// profile. Watches every page for console errors, failed requests and violations of the content
// policy; a test that leaves one behind fails, with a screenshot.

import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
export const DESKTOP = { viewport: { width: 1280, height: 800 } };

/** The program: MLTRAINER_BIN, else the debug build of this checkout. */
export function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? join(here, "..", "target");
  const path = process.env.MLTRAINER_BIN ?? join(target, "debug", "mltrainer");
  assert.ok(existsSync(path), `there is no program at ${path}: run \`cargo xtask test --only site,server,browser\``);
  return path;
}

/** The environment, without a language model that this machine happens to be configured with. */
export function environment(more = {}) {
  const { ANTHROPIC_API_KEY, MLTRAINER_LLM_PROVIDER, MLTRAINER_LLM_URL, MLTRAINER_LLM_MODEL, ...rest } = process.env;
  return { ...rest, ...more };
}

export class Program {
  /** Starts it; resolves when it says where it listens. */
  static async start({ dataDir, addr = "127.0.0.1:0", env = {} } = {}) {
    const program = new Program();
    program.own = dataDir === undefined;
    program.dataDir = dataDir ?? mkdtempSync(join(tmpdir(), "mltrainer-end2end-"));
    program.log = "";
    program.child = spawn(binary(), ["--data-dir", program.dataDir, "serve", "--addr", addr], {
      stdio: ["ignore", "pipe", "pipe"],
      env: environment(env),
    });
    program.ended = new Promise((resolve) => program.child.once("exit", resolve));
    program.base = await new Promise((resolve, reject) => {
      const line = (text) => {
        program.log += `${text}\n`;
        const found = /http:\/\/127\.0\.0\.1:([1-9]\d*)/.exec(text);
        if (found) resolve(found[0]);
      };
      createInterface({ input: program.child.stdout }).on("line", line);
      createInterface({ input: program.child.stderr }).on("line", line);
      program.ended.then((code) => reject(new Error(`the program ended with ${code}:\n${program.log}`)));
    });
    const health = await fetch(`${program.base}/api/health`);
    assert.equal(health.status, 200);
    return program;
  }

  get addr() {
    return this.base.slice("http://".length);
  }

  /** Ends the process and keeps its folder. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  /** Ends the process and removes its folder. */
  async stop() {
    await this.kill();
    if (this.own) rmSync(this.dataDir, { recursive: true, force: true });
  }

  async json(path, body) {
    const answer = await fetch(`${this.base}${path}`, body === undefined ? {} : {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer.json();
  }

  /** A finished trial, made over the API. */
  async finishedTrial(body = SMALL_TRIAL) {
    const { id } = await this.json("/api/v1/trials", body);
    await (await fetch(`${this.base}/api/v1/trials/${id}/events`)).text();
    return id;
  }
}

/** A line to the program that can be cut in the middle of an answer, and mended. */
export class Line {
  static async to(program) {
    const line = new Line();
    line.sockets = new Set();
    line.whole = true;
    const [host, port] = program.addr.split(":");
    line.server = createServer((near) => {
      if (!line.whole) return near.destroy();
      const far = connect(Number(port), host);
      for (const [socket, other] of [[near, far], [far, near]]) {
        line.sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          line.sockets.delete(socket);
          other.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
    await new Promise((resolve) => line.server.listen(0, "127.0.0.1", resolve));
    line.base = `http://127.0.0.1:${line.server.address().port}`;
    return line;
  }

  cut() {
    this.whole = false;
    for (const socket of this.sockets) socket.destroy();
  }

  mend() {
    this.whole = true;
  }

  close() {
    this.cut();
    this.server.close();
  }
}

export const SMALL_TRIAL = {
  symbols: ["AAPL"],
  start: "2010-01-01",
  end: "2012-12-31",
  target: "log_volatility",
  horizons: [5],
  models: ["ridge", "random_forest_10"],
  validation: { kind: "walk_forward", folds: 3 },
};

export async function browser() {
  return chromium.launch({
    executablePath: process.env.MLTRAINER_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}

/**
 * Opens a page in a fresh context, hands it to `body`, and checks that nothing went wrong on the
 * way. `options.expected` lists texts of complaints that belong to the test, such as the line that
 * was cut; the rest are Playwright's options of a context.
 */
export async function withPage(chrome, program, options, body) {
  const { expected = [], ...rest } = options;
  // Without motion nothing has to be waited for: the pages slide into each other otherwise.
  const context = await chrome.newContext({ baseURL: program.base, reducedMotion: "reduce", ...rest });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const troubles = [];
  const trouble = (text) => {
    if (!expected.some((part) => text.includes(part))) troubles.push(text);
  };
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") trouble(`console: ${m.text()} (${m.location().url})`);
  });
  page.on("pageerror", (e) => trouble(`error: ${e.stack ?? e}`));
  page.on("requestfailed", (r) => {
    // A page that is left takes its streams with it.
    if (r.failure()?.errorText !== "net::ERR_ABORTED") trouble(`request: ${r.url()} ${r.failure()?.errorText}`);
  });
  page.on("response", (r) => {
    if (r.status() >= 500) trouble(`answer: ${r.status()} ${r.url()}`);
  });
  try {
    await body(page, context);
    assert.deepEqual(troubles, [], "the page complained");
  } catch (error) {
    const file = join(mkdtempSync(join(tmpdir(), "mltrainer-failed-")), "page.png");
    await page.screenshot({ path: file, fullPage: true }).catch(() => {});
    error.message += `\n${page.url()}\nscreenshot: ${file}\n${troubles.join("\n")}\n${program.log.split("\n").slice(-15).join("\n")}`;
    throw error;
  } finally {
    await context.close();
  }
}

/** Waits until the page's script has taken over what the server rendered. */
export async function hydrated(page) {
  await page.waitForSelector("html[data-alive]", { state: "attached", timeout: 15_000 });
}

/** Opens a path and waits until it lives. */
export async function open(page, path) {
  const answer = await page.goto(path);
  await hydrated(page);
  return answer;
}

/** Goes to a room by the menu; on a narrow screen some stand behind a button. */
export async function enter(page, name) {
  const menu = page.getByRole("navigation", { name: "Rooms" });
  const link = menu.getByRole("link", { name, exact: true });
  if (!(await link.isVisible())) await menu.getByRole("button", { name: "More" }).click();
  await link.click();
}

/** WCAG 2.2 AA by axe: no violation. The script goes in by the debugger, so no policy is opened. */
export async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    resultTypes: ["violations"],
  }));
  const told = violations.map((v) => `${v.id} (${v.impact}): ${v.help}\n  ${v.nodes.slice(0, 4).map((n) => `${n.html}\n    ${n.failureSummary}`).join("\n  ")}`);
  assert.equal(told.length, 0, `${what}:\n${told.join("\n")}`);
}

/** Nothing sticks out to the side. */
export async function fits(page, what) {
  // A phone widens its layout to what sticks out only with the next frames.
  await page.waitForTimeout(100);
  const out = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll("body *")]
      .filter((e) => e.getBoundingClientRect().right > width + 0.5)
      .slice(0, 6)
      .map((e) => `${e.tagName.toLowerCase()}.${e.className} to ${Math.round(e.getBoundingClientRect().right)} of ${width}`);
  });
  assert.deepEqual(out, [], `${what} is wider than the screen`);
}
