// The portfolio page: what is held is recorded by the form, a split that the data know is taken over, weights
// are optimised, compared and planned; on a phone and a desktop, in light and dark, with and without script.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { DESKTOP, PHONE, Program, accessible, browser, fits, hydrated, open, withPage } from "../harness.mjs";

let chrome;

const SILENT = ["mltrainer.js csp", "preloaded using link preload"];
const RUN = "/portfolio?run=1&symbols=JNJ_ADJ,KO_ADJ,WMT_ADJ,XOM_ADJ&start=2005-01-01&end=2014-12-31";

before(async () => {
  chrome = await browser();
});

after(async () => {
  await chrome?.close();
});

async function withProgram(body) {
  const program = await Program.start();
  try {
    await body(program);
  } finally {
    await program.stop();
  }
}

const record = (program, body) => program.json("/api/v1/portfolio/transactions", body);

for (const javaScriptEnabled of [true, false]) {
  test(`transactions by the form, ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    await withProgram(async (program) => {
      await withPage(chrome, program, { ...PHONE, javaScriptEnabled, expected: javaScriptEnabled ? [] : SILENT }, async (page) => {
        const live = async () => {
          if (javaScriptEnabled) await hydrated(page);
        };
        const recorded = async (fields) => {
          const form = page.locator("#record form");
          for (const [label, value] of Object.entries(fields)) {
            const field = form.getByLabel(label, { exact: true });
            if (label === "What") await field.selectOption(value);
            else await field.fill(value);
          }
          await form.getByRole("button", { name: "Record" }).click();
        };
        await page.goto("/portfolio");
        await live();
        await page.getByText("Nothing is recorded yet").waitFor();
        await recorded({ Day: "2005-01-03", Cash: "1000" });
        await page.waitForURL(/recorded=1/);
        await live();
        // More than the cash pays for: the form comes back with what was typed, and the reason at its field.
        await recorded({ What: "buy", Day: "2005-01-03", Symbol: "AAPL", Shares: "100", "Price of one": "63.29" });
        await page.waitForURL(/error=/);
        await live();
        assert.match(await page.locator("#record").innerText(), /cash would be/i);
        assert.equal(await page.locator("#record").getByLabel("Shares", { exact: true }).inputValue(), "100");
        await fits(page, "a refused transaction");
        await recorded({ Shares: "10" });
        await page.waitForURL(/recorded=2/);
        await live();
        assert.match(await page.locator("#holdings").innerText(), /AAPL/);
        // Apple's later split is in the data: one press records it.
        await page.getByRole("button", { name: /Record split 2:1 of AAPL on 2005-02-28/ }).click();
        await page.waitForURL(/recorded=3/);
        const held = await program.json("/api/v1/portfolio");
        assert.equal(held.holdings[0].shares, "20");
        assert.deepEqual(held.due_actions, []);
        await fits(page, "the holdings");
      });
    });
  });
}

test("weights, frontier, check, change, plan, risk and what-if, reachable by keys", async () => {
  await withProgram(async (program) => {
    await record(program, { kind: "deposit", date: "2011-01-03", amount: "20000" });
    await record(program, { kind: "buy", date: "2011-01-03", symbol: "KO_ADJ", shares: "100", price: "23.5" });
    await withPage(chrome, program, DESKTOP, async (page) => {
      await open(page, "/portfolio");
      const symbols = page.getByLabel("Symbols", { exact: true });
      await symbols.focus();
      await page.keyboard.type("JNJ_ADJ,KO_ADJ,WMT_ADJ,XOM_ADJ");
      await page.keyboard.press("Enter");
      await page.waitForURL(/run=1/);
      await hydrated(page);
      assert.match(await page.locator("#optimise").innerText(), /on \d+ days not seen/i);
      assert.ok(await page.locator("#optimise svg").count() >= 2, "the frontier and the check are drawn");
      assert.match(await page.locator("#plan").innerText(), /before and after/i);
      assert.ok(await page.getByRole("region", { name: "Positions of the plan" }).locator("tbody tr").count() >= 4);
      await page.getByText(/trades, day by day/).press("Enter");
      assert.ok(await page.getByRole("region", { name: "Trades of the plan" }).locator("tbody tr").count() > 0);
      assert.match(await page.locator("#risk").innerText(), /Financial crisis 2008/i);
      await page.getByLabel("Change of weights").fill("KO_ADJ:-0.05,XOM_ADJ:0.05");
      await page.locator("#what-if").getByRole("button", { name: "Compare" }).click();
      await page.waitForURL(/change=/);
      await hydrated(page);
      assert.ok(await page.locator("#what-if table tbody tr").count() >= 8);
      assert.equal(new URL(page.url()).searchParams.get("symbols"), "JNJ_ADJ,KO_ADJ,WMT_ADJ,XOM_ADJ", "the rest of the address stays");
    });
  });
});

for (const [name, device] of [["phone", PHONE], ["desktop", DESKTOP]]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`empty, full and refused, on a ${name}, ${colorScheme}`, async () => {
      await withProgram(async (program) => {
        await withPage(chrome, program, { ...device, colorScheme, expected: ["404", "422"] }, async (page) => {
          const look = async (path) => {
            await open(page, path);
            assert.equal(await page.locator("h1").count(), 1, path);
            await accessible(page, path);
            await fits(page, path);
          };
          await look("/portfolio");
          await record(program, { kind: "deposit", date: "2005-01-03", amount: "20000" });
          await record(program, { kind: "buy", date: "2005-01-03", symbol: "AAPL", shares: "10", price: "63.29" });
          await look(`${RUN}&benchmark=SPX`);
          for (const [path, words] of [
            ["/portfolio?run=1&symbols=KO_ADJ,XOM_AJD", /XOM_ADJ/],
            [`${RUN}&max_weight=0.2`, /max_weight/],
            ["/portfolio?run=1&start=yesterday", /is not a day/i],
            ["/portfolio?weights=KO_ADJ", /NAME:VALUE/],
            ["/portfolio?change=AAPL", /NAME:VALUE/],
            ["/portfolio?benchmark=SPY", /SPX/],
          ]) {
            await look(path);
            assert.match(await page.locator("main").innerText(), words, path);
          }
        });
      });
    });
  }
}
