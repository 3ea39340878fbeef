// A walk-forward optimisation in the browser: from the form to a page that lives, its curve, its surface and
// what it says of overfitting; stopped by hand; on a phone and a desktop, with and without script.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { DESKTOP, Line, PHONE, Program, accessible, browser, fits, hydrated, open, withPage } from "../harness.mjs";

let program, chrome;

before(async () => {
  [program, chrome] = await Promise.all([Program.start(), browser()]);
});

after(async () => {
  await chrome?.close();
  await program?.stop();
});

/** Two cores that are shared take their time. */
const PATIENT = { timeout: 240_000 };

/** One that goes on until it is stopped. */
const LONG = {
  test: { symbols: ["AAPL"], strategy: "sma_crossover" },
  search: [
    { name: "fast", range: { kind: "integer", low: 2, high: 50 } },
    { name: "slow", range: { kind: "integer", low: 20, high: 250, log: true } },
  ],
  method: "random", evaluations: 10000, folds: 50,
};

const API = "/api/v1/optimisations";

/** The page says what the API says. */
async function outcomeShown(page, id) {
  await page.locator("#verdict").waitFor(PATIENT);
  const made = await program.json(`${API}/${id}`);
  assert.equal(made.state, "finished");
  const text = await page.locator("main").innerText();
  assert.ok(text.includes(made.result.text), "the verdict in the same words");
  assert.equal(await page.locator("#windows tbody tr").count(), made.folds, "a row a window");
  await page.locator("#curve svg.picture").waitFor();
  await page.locator("#curve").filter({ hasText: "Best with hindsight" }).waitFor();
  assert.equal(await page.locator("#overfitting .drawn > svg").count(), 1, "the ranks");
  const surface = await program.json(`${API}/${id}/surface`);
  assert.equal(await page.locator("#surface tbody tr").count(), surface.cells.length);
  assert.equal(await page.locator("#surface tbody td").count(), surface.cells.length * surface.cells[0].length);
  const places = new Set(surface.chosen.map((c) => `${c.x} ${c.y}`));
  assert.equal(await page.locator("#surface .chosen-cell").count(), places.size, "the chosen places");
  await fits(page, "the result");
  return made;
}

for (const [name, device] of [["phone", PHONE], ["desktop", DESKTOP]]) {
  test(`from the form to a result that comes live, on a ${name}`, async () => {
    await withPage(chrome, program, { ...device, colorScheme: name === "phone" ? "dark" : "light" }, async (page) => {
      await open(page, "/backtests");
      await page.getByRole("link", { name: "New optimisation" }).click();
      await page.waitForURL(/\/backtests\/optimise/);
      await hydrated(page);
      await accessible(page, "the form");
      await fits(page, "the form");
      // Ranges are there already, and what is wrong is said while it is typed.
      await page.locator("#check").filter({ hasText: "Can be searched" }).waitFor();
      const fast = page.locator("[id='p.sma_crossover.fast']");
      assert.match(await fast.inputValue(), /\.\./);
      await fast.fill("2.5..9.5");
      await page.locator("#check").filter({ hasText: "whole number" }).waitFor();
      await fast.fill("2..30");
      await page.locator("[id='p.sma_crossover.slow']").fill("20..200:log");
      await page.locator("#check").filter({ hasText: "20 to 200, evenly by its logarithm" }).waitFor();
      assert.match(page.url(), /200%3Alog|200:log/, "the address follows");
      await page.getByLabel("Symbols").fill("IBM");
      await page.getByLabel("Windows").fill("4");
      await page.getByLabel("Back tests a window").fill("60");
      await page.getByRole("button", { name: "Begin the optimisation" }).click();
      await page.waitForURL(/\/backtests\/optimisations\/o-/);
      await hydrated(page);
      let loads = 0;
      page.on("load", () => loads++);
      const id = new URL(page.url()).pathname.split("/").pop();
      const made = await outcomeShown(page, id);
      assert.equal(loads, 0, "without a reload");
      assert.equal(made.spec.symbols[0].symbol, "IBM");
      await accessible(page, "the result");
      // The surface turned round, by the address.
      await page.getByLabel("To the right").selectOption("slow");
      await page.waitForURL(/x=slow/);
      await hydrated(page);
      assert.equal(await page.getByLabel("To the right").inputValue(), "slow");
      await page.getByLabel("In training of").selectOption("2");
      await page.waitForURL(/window=2/);
      await hydrated(page);
      await page.locator("#surface").filter({ hasText: "in training of window 2" }).waitFor();
      await fits(page, "the surface of a window");
      // And the same can be changed.
      await page.getByRole("link", { name: "Change and optimise again" }).click();
      await page.waitForURL(/\/backtests\/optimise/);
      assert.equal(await fast.inputValue(), "2..30");
      await open(page, "/backtests");
      await page.locator("#optimisations tbody tr").first().waitFor();
      await accessible(page, "the list");
      await fits(page, "the list");
    });
  });
}

test("it lives on after a cut line, and is paused, resumed and cancelled by hand", async () => {
  const { id } = await program.json(API, LONG);
  const line = await Line.to(program);
  try {
    await withPage(chrome, { ...program, base: line.base }, { ...DESKTOP, expected: ["ERR_", "Failed to load resource"] }, async (page) => {
      await open(page, `/backtests/optimisations/${id}`);
      const steps = () => page.locator(".progress-words .figures").innerText();
      const moved = async (from) => {
        await page.waitForFunction((t) => document.querySelector(".progress-words .figures").innerText !== t, from, PATIENT);
        return steps();
      };
      const first = await moved(await steps());
      await page.locator(".best-so-far").waitFor();
      line.cut();
      await page.locator(".connection").filter({ hasText: "Connection lost" }).waitFor();
      line.mend();
      await page.locator(".connection").filter({ hasText: "Live" }).waitFor();
      await moved(first);
      await page.getByRole("button", { name: "Pause" }).click();
      await page.getByRole("button", { name: "Resume" }).waitFor();
      assert.equal((await program.json(`${API}/${id}`)).state, "paused");
      await hydrated(page);
      await page.getByRole("button", { name: "Resume" }).click();
      await page.getByRole("button", { name: "Pause" }).waitFor();
      await hydrated(page);
      await page.getByText("Cancel …").click();
      await page.getByRole("button", { name: "Cancel this optimisation" }).click();
      await page.locator(".badge").filter({ hasText: "Cancelled" }).first().waitFor();
      assert.equal((await program.json(`${API}/${id}`)).state, "cancelled");
    });
  } finally {
    line.close();
  }
});

test("without script: a mistake comes back with what was typed, then the page that loads itself", async () => {
  const expected = ["mltrainer.js csp", "preloaded using link preload", "404", "422"];
  await withPage(chrome, program, { ...PHONE, javaScriptEnabled: false, expected }, async (page) => {
    await page.goto("/backtests/optimise");
    await page.getByLabel("Symbols").fill("APPL");
    await page.getByLabel("Windows").fill("2");
    await page.getByLabel("Back tests a window").fill("8");
    await page.getByRole("button", { name: "Begin the optimisation" }).click();
    assert.match(await page.locator("main").innerText(), /did you mean AAPL/i);
    assert.equal(await page.getByLabel("Symbols").inputValue(), "APPL");
    assert.equal(await page.getByLabel("Windows").inputValue(), "2");
    await page.getByLabel("Symbols").fill("AAPL");
    await page.getByRole("button", { name: "Begin the optimisation" }).click();
    await page.waitForURL(/\/backtests\/optimisations\/o-/);
    await page.locator("#verdict").waitFor(PATIENT);
    await page.locator("#surface table").waitFor();
    await fits(page, "the result");
  });
});
