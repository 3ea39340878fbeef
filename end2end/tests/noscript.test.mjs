// Without script: a person makes a trial with the form and reads how it stands after a reload.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { DESKTOP, PHONE, Program, browser, fits, withPage } from "../harness.mjs";

let program, chrome;

/** A browser that runs no script says so of each. */
const SILENT = ["mltrainer.js csp", "preloaded using link preload"];

before(async () => {
  [program, chrome] = await Promise.all([Program.start(), browser()]);
});

after(async () => {
  await chrome?.close();
  await program?.stop();
});

test("a trial by the form, and its state after a reload", async () => {
  await withPage(chrome, program, { ...PHONE, javaScriptEnabled: false, expected: SILENT }, async (page) => {
    await page.goto("/");
    await page.getByRole("link", { name: /choose symbols/i }).click();
    await page.waitForURL("**/trials/new");
    await page.getByRole("button", { name: /^Start/ }).click();
    await page.waitForURL(/\/trials\/t-/);
    const id = new URL(page.url()).pathname.split("/").pop();
    // It runs on the server; the stream closes at its end.
    await (await fetch(`${program.base}/api/v1/trials/${id}/events`)).text();
    await page.reload();
    const { verdict, leaderboard, state } = await program.json(`/api/v1/trials/${id}`);
    assert.equal(state, "finished");
    assert.match(await page.locator("main").innerText(), /finished/i);
    assert.ok((await page.locator("#verdict").innerText()).includes(verdict.text), "the verdict in words");
    assert.equal(await page.locator("#leaderboard table").first().locator("tbody tr").count(), leaderboard.length);
    assert.ok(await page.locator("#charts svg").count() > 0, "charts are in the page itself");
    await fits(page, "the finished trial without script");
  });
});

test("the one button of the dashboard, and the page that loads itself again while it runs", async () => {
  await withPage(chrome, program, { ...PHONE, javaScriptEnabled: false, expected: SILENT }, async (page) => {
    await page.goto("/");
    await page.getByRole("button", { name: /new trial/i }).first().click();
    await page.waitForURL(/\/trials\/t-/);
    // No reload by hand: the page asks again every few seconds.
    await page.locator("#verdict").waitFor({ timeout: 240_000 });
  });
});

test("a form with a mistake comes back with the field named and everything else kept", async () => {
  await withPage(chrome, program, { ...PHONE, javaScriptEnabled: false, expected: [...SILENT, "422", "404"] }, async (page) => {
    await page.goto("/trials/new");
    await page.getByLabel("Symbols").fill("APPL");
    await page.locator("input[name='form[horizons]']").fill("5");
    await page.getByRole("button", { name: /^Start/ }).click();
    const text = await page.locator("main").innerText();
    assert.match(text, /unknown symbol/i);
    assert.match(text, /AAPL/, "the nearest name is offered");
    assert.equal(await page.getByLabel("Symbols").inputValue(), "APPL");
    assert.equal(await page.locator("input[name='form[horizons]']").inputValue(), "5");
  });
});

test("every page can be read and searched", async () => {
  await withPage(chrome, program, { ...DESKTOP, javaScriptEnabled: false, expected: SILENT }, async (page) => {
    for (const path of ["/", "/chat", "/models", "/models/ridge", "/analytics", "/trials", "/trials/new", "/backtests", "/backtests/new", "/portfolio", "/portfolio?run=1", "/data", "/compliance"]) {
      const answer = await page.goto(path);
      assert.equal(answer.status(), 200, path);
      await fits(page, path);
    }
    await page.goto("/models");
    await page.getByRole("searchbox").fill("ridge");
    await page.getByRole("searchbox").press("Enter");
    await page.waitForURL(/q=ridge/);
    assert.match(await page.locator("main").innerText(), /ridge/i);
  });
});
