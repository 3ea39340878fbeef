// Conversations: an answer with its table, a trial that lives inside the answer, a question back, the
// keyboard alone, the line that is cut, a phone, and no script at all.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { DESKTOP, Line, PHONE, Program, accessible, browser, fits, hydrated, open, withPage } from "../harness.mjs";

let program, chrome;

/** A browser that runs no script says so of each. */
const SILENT = ["mltrainer.js csp", "preloaded using link preload"];

/** An answer waits for what it begins, on two cores that are shared. */
const PATIENT = { timeout: 240_000 };

before(async () => {
  [program, chrome] = await Promise.all([Program.start(), browser()]);
});

after(async () => {
  await chrome?.close();
  await program?.stop();
});

/** A conversation whose first answer is stored, made over the API. */
async function conversation(text) {
  const { conversation: id } = await program.json("/api/v1/conversations", { text });
  await answered(id, 1);
  return id;
}

const messages = (id) => program.json(`/api/v1/conversations/${id}/messages`);

/** Waits until a message has its answer and gives that. */
async function answered(id, seq) {
  for (let tries = 0; tries < 2400; tries++) {
    const found = (await messages(id)).find((m) => m.role === "assistant" && m.answers === seq);
    if (found) return found;
    await new Promise((go) => setTimeout(go, 100));
  }
  assert.fail(`message ${seq} of ${id} has no answer`);
}

const input = (page) => page.getByLabel("Message", { exact: true });
const answers = (page) => page.locator(".answer");
const idOf = (page) => new URL(page.url()).pathname.split("/").pop();

for (const [name, device] of [["phone", PHONE], ["desktop", DESKTOP]]) {
  test(`a question is answered with its table, on a ${name}`, async () => {
    await withPage(chrome, program, device, async (page) => {
      await open(page, "/chat");
      await input(page).fill("What data do you have?");
      await page.getByRole("button", { name: "Send" }).click();
      await page.waitForURL(/\/chat\/c-/);
      await hydrated(page);
      await answers(page).first().waitFor(PATIENT);
      const stored = await answered(idOf(page), 1);
      const [table] = stored.cards[0].outcome.tables;
      const answer = answers(page).first();
      assert.equal(await answer.locator("table tbody tr").count(), table.rows.length, "every row");
      assert.deepEqual(await answer.locator("thead th").allTextContents(), table.columns);
      // A number is a link to its result, with its name as title.
      const cited = stored.citations.find((c) => c.link);
      if (cited) {
        assert.equal(await answer.locator(`a.figure[href="${cited.link}"]`).first().getAttribute("title"), cited.label);
      }
      await accessible(page, "an answer");
      await fits(page, "an answer");
      // The next sentence without leaving the page.
      let loads = 0;
      page.on("load", () => loads++);
      await input(page).fill("What can you do?");
      await input(page).press("Enter");
      await answers(page).nth(1).waitFor(PATIENT);
      assert.equal(await input(page).inputValue(), "");
      assert.equal(loads, 0, "the page lived all the while");
      await fits(page, "two answers");
      // The page from the server says the same.
      const words = await answers(page).allInnerTexts();
      await open(page, new URL(page.url()).pathname);
      assert.deepEqual(await answers(page).allInnerTexts(), words);
    });
  });
}

test("a trial lives inside the answer, and ends there", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    const id = await conversation("What can you do?");
    await open(page, `/chat/${id}`);
    await input(page).fill("Train ridge on AAPL");
    await input(page).press("Enter");
    // While it runs: the trial with its progress in the note of the agent that began it.
    const job = page.locator(".agents .job").first();
    await job.waitFor(PATIENT);
    await job.locator(".badge", { hasText: "Finished" }).waitFor(PATIENT);
    await job.locator(".job-best", { hasText: /baseline/ }).waitFor();
    // The answer follows, with the trial as its result.
    await answers(page).nth(1).waitFor(PATIENT);
    const stored = (await messages(id)).findLast((m) => m.role === "assistant");
    const trial = stored.cards[0].outcome.job;
    assert.equal(trial.kind, "trial");
    const card = answers(page).nth(1).locator(".card");
    await card.locator("header .badge", { hasText: "Done" }).waitFor();
    await card.locator(".job .badge", { hasText: "Finished" }).waitFor();
    assert.equal(await card.getByRole("link", { name: /Open the trial/ }).getAttribute("href"), trial.link);
    assert.equal((await program.json(`/api/v1/trials/${trial.id}`)).state, "finished");
    await accessible(page, "a trial in an answer");
    // What can be said next is put into the input, and nothing is sent.
    const next = page.locator(".next-steps a").first();
    const sentence = (await next.textContent()).trim();
    const count = (await messages(id)).length;
    await next.click();
    assert.equal(await input(page).inputValue(), sentence);
    assert.equal((await messages(id)).length, count);
    // The same from the server, where the trial has ended.
    await open(page, `/chat/${id}`);
    await page.locator(".answer .job .badge", { hasText: "Finished" }).waitFor();
  });
});

test("a question back is answered by one of its suggestions", async () => {
  await withPage(chrome, program, PHONE, async (page) => {
    await open(page, "/chat");
    await input(page).fill("Train ridge");
    await page.getByRole("button", { name: "Send" }).click();
    await page.waitForURL(/\/chat\/c-/);
    await hydrated(page);
    await answers(page).first().waitFor(PATIENT);
    const id = idOf(page);
    const { question } = await answered(id, 1);
    const choice = question.suggestions.find((s) => s === "AAPL") ?? question.suggestions.at(-1);
    await answers(page).first().getByText(question.question).waitFor();
    await page.getByRole("button", { name: choice, exact: true }).click();
    await page.locator(".said", { hasText: choice }).waitFor();
    const said = (await messages(id)).filter((m) => m.role === "user");
    assert.equal(said[1].text, choice);
    // The old question offers nothing any more.
    assert.equal(await page.locator(".replies:visible").count(), 0);
    await answers(page).nth(1).waitFor(PATIENT);
    await fits(page, "a question back");
  });
});

test("a running answer is stopped by its button, and by nothing else", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    const id = await conversation("What can you do?");
    await open(page, `/chat/${id}`);
    await input(page).fill("Train ensemble models for AAPL");
    await input(page).press("Enter");
    const stop = page.getByRole("button", { name: "Stop the answer" });
    await stop.waitFor();
    await page.keyboard.press("Escape");
    await page.waitForTimeout(300);
    assert.equal((await program.json(`/api/v1/conversations/${id}`)).working, true, "Escape stops nothing");
    await stop.click();
    await stop.waitFor({ state: "detached" });
    assert.equal((await program.json(`/api/v1/conversations/${id}`)).working, false);
    await answers(page).nth(1).getByText(/stopped/).first().waitFor();
    for (const { id: trial } of (await program.json("/api/v1/trials")).items) {
      await fetch(`${program.base}/api/v1/trials/${trial}/cancel`, { method: "POST" });
    }
  });
});

test("a conversation by keyboard alone", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    await open(page, "/chat");
    const focused = () => page.evaluate(() => {
      const e = document.activeElement;
      const style = getComputedStyle(e);
      return { id: e.id, seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none" };
    });
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    for (let i = 0; (await focused()).id !== "say"; i++) {
      assert.ok(i < 20, "the input is reached");
      await page.keyboard.press("Tab");
      assert.ok((await focused()).seen, "the focus is seen");
    }
    // Shift and Enter break the line, Enter sends.
    await page.keyboard.type("What data");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("do you have?");
    assert.equal(await input(page).inputValue(), "What data\ndo you have?");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/chat\/c-/);
    await hydrated(page);
    await answers(page).first().waitFor(PATIENT);
    // Nothing to send: Enter does nothing.
    await input(page).focus();
    await page.keyboard.press("Enter");
    assert.equal((await messages(idOf(page))).filter((m) => m.role === "user").length, 1);
    // Sending leaves the focus where it is.
    await page.keyboard.type("What can you do?");
    await page.keyboard.press("Enter");
    await answers(page).nth(1).waitFor(PATIENT);
    assert.equal((await focused()).id, "say");
  });
});

test("the reader is left where they read", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    const id = await conversation("What data do you have?");
    for (const seq of [3, 5]) {
      await program.json("/api/v1/conversations", { text: "What can you do?", conversation: id });
      await answered(id, seq);
    }
    await open(page, `/chat/${id}`);
    const atEnd = () => page.evaluate(() => document.getElementById("newest").getBoundingClientRect().top < innerHeight);
    await page.waitForFunction(() => document.getElementById("newest").getBoundingClientRect().top < innerHeight);
    // At the newest: it follows.
    await program.json("/api/v1/conversations", { text: "What can you do?", conversation: id });
    await answers(page).nth(3).waitFor();
    await page.waitForFunction(() => document.getElementById("newest").getBoundingClientRect().top < innerHeight);
    // Further up: it stays, and says that something came.
    await page.evaluate(() => scrollTo(0, 0));
    await page.getByRole("link", { name: /^Newest/ }).waitFor();
    await program.json("/api/v1/conversations", { text: "What can you do?", conversation: id });
    await answers(page).nth(4).waitFor();
    const news = page.getByRole("link", { name: /New message/ });
    await news.waitFor();
    assert.equal(await page.evaluate(() => scrollY), 0);
    await news.click();
    await page.waitForFunction(() => document.getElementById("newest").getBoundingClientRect().top < innerHeight);
    assert.ok(await atEnd());
    await news.waitFor({ state: "detached" });
  });
});

/** What the console says of a connection that is not there. */
const CUT = ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "ERR_SOCKET_NOT_CONNECTED"];

test("a conversation whose line was cut goes on, without loss", async () => {
  const line = await Line.to(program);
  try {
    await withPage(chrome, program, { ...DESKTOP, baseURL: line.base, expected: CUT }, async (page) => {
      const id = await conversation("What can you do?");
      await open(page, `/chat/${id}`);
      await page.getByText("Live", { exact: true }).waitFor();
      line.cut();
      await page.getByText("Connection lost").waitFor();
      // What cannot be sent stays in the input.
      await input(page).fill("What data do you have?");
      await input(page).press("Enter");
      await page.getByRole("alert").filter({ hasText: /could not reach/ }).waitFor();
      assert.equal(await input(page).inputValue(), "What data do you have?");
      // Said elsewhere meanwhile.
      await program.json("/api/v1/conversations", { text: "What data do you have?", conversation: id });
      await answered(id, 3);
      line.mend();
      await answers(page).nth(1).waitFor(PATIENT);
      assert.equal(await page.locator(".said").count(), 2);
    });
  } finally {
    line.close();
  }
});

test("what was said is found again, and a conversation is taken along", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    const id = await conversation("What is the Sharpe ratio of a zebra?");
    await open(page, "/chat");
    await page.getByRole("searchbox").fill("zebra");
    await page.getByRole("searchbox").press("Enter");
    await page.waitForURL(/q=zebra/);
    await page.locator(".hits mark", { hasText: "zebra" }).first().waitFor();
    await accessible(page, "what was found");
    await page.locator(`.hits a[href="/chat/${id}#m1"]`).click();
    await page.waitForURL(new RegExp(`/chat/${id}#m1$`));
    await page.locator("#m1", { hasText: "zebra" }).waitFor();
    for (const [name, text] of [["Markdown", /^# /], ["JSON", /^\[/]]) {
      const href = await page.getByRole("link", { name, exact: true }).getAttribute("href");
      const answer = await page.request.get(href);
      assert.equal(answer.status(), 200);
      assert.match(await answer.text(), text);
    }
    await open(page, "/chat?q=word-that-nobody-said");
    await page.getByText("Nothing was said with these words").waitFor();
  });
});

test("a coach speaks with the engine on the coaching page", async () => {
  await withPage(chrome, program, PHONE, async (page) => {
    await open(page, "/coaching");
    await page.getByLabel("A command in words").fill("Advise to try shorter windows");
    await page.getByRole("button", { name: "Say it" }).click();
    await page.waitForURL(/\/coaching\?conversation=c-/);
    await hydrated(page);
    await answers(page).first().waitFor(PATIENT);
    // The next command is answered in place, and the page around shows what it made.
    await input(page).fill("Advise to leave out the tree models");
    await page.getByRole("button", { name: "Send" }).click();
    await answers(page).nth(1).waitFor(PATIENT);
    assert.match(page.url(), /\/coaching\?conversation=c-/);
    await accessible(page, "coaching");
    await fits(page, "coaching");
    await open(page, "/coaching");
    assert.equal((await program.json("/api/v1/coaching")).interventions.length, 2);
    await page.getByText("Advice: ", { exact: false }).first().waitFor();
  });
});

test("the goal is in view as soon as it is set", async () => {
  await withPage(chrome, program, PHONE, async (page) => {
    const id = await conversation("What can you do?");
    await open(page, `/chat/${id}`);
    await page.getByText(/No goal yet/).waitFor();
    await page.locator(".chat-strip a[data-say]").click();
    assert.match(await input(page).inputValue(), /^My goal is/);
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator(".chat-strip").getByText(/Sharpe ratio at least 1/).waitFor();
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    const strip = await page.locator(".chat-strip").boundingBox();
    assert.ok(strip.y >= 0 && strip.y < 120, "it stays at the top");
    // And on the dashboard, whose line begins a conversation.
    await open(page, "/");
    await page.locator(".dashboard-goal").getByText(/Sharpe/).first().waitFor();
    await page.getByLabel("Ask or tell in plain words").fill("What can you do?");
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    await page.waitForURL(/\/chat\/c-/);
    await page.locator(".said", { hasText: "What can you do?" }).waitFor();
  });
});

test("every conversation fits 360 and 320 px, and nothing shifts as it grows", async () => {
  const id = await conversation("What data do you have?");
  for (const width of [360, 320]) {
    await withPage(chrome, program, { viewport: { width, height: 740 }, hasTouch: true, isMobile: true }, async (page) => {
      for (const path of ["/chat", `/chat/${id}`, "/chat?q=data"]) {
        await open(page, path);
        await fits(page, `${path} at ${width} px`);
      }
      await open(page, `/chat/${id}`);
      await page.evaluate(() => {
        globalThis.shifted = 0;
        new PerformanceObserver((list) => {
          for (const e of list.getEntries()) if (!e.hadRecentInput) globalThis.shifted += e.value;
        }).observe({ type: "layout-shift", buffered: true });
      });
      await program.json("/api/v1/conversations", { text: "What can you do?", conversation: id });
      await answers(page).nth(width === 360 ? 1 : 2).waitFor();
      await page.waitForTimeout(500);
      assert.ok(await page.evaluate(() => globalThis.shifted) < 0.1, `layout shift at ${width} px`);
    });
  }
});

test("without script: a form, stored messages, a suggestion, and an example that waits in the input", async () => {
  await withPage(chrome, program, { ...PHONE, javaScriptEnabled: false, expected: SILENT }, async (page) => {
    await page.goto("/chat");
    await page.locator(".examples a", { hasText: "What data do you have?" }).click();
    assert.equal(await input(page).inputValue(), "What data do you have?");
    await page.getByRole("button", { name: "Send" }).click();
    await page.waitForURL(/\/chat\/c-/);
    const id = idOf(page);
    // It loads itself again until the answer is there.
    await answers(page).first().waitFor(PATIENT);
    const stored = await answered(id, 1);
    assert.equal(await answers(page).first().locator("tbody tr").count(), stored.cards[0].outcome.tables[0].rows.length);
    await input(page).fill("Train ridge");
    await page.getByRole("button", { name: "Send" }).click();
    const { question } = await answered(id, stored.seq + 1);
    await page.reload();
    await page.getByRole("button", { name: question.suggestions[0], exact: true }).waitFor();
    await fits(page, "a conversation without script");
  });
});

/** A language model of one's own, as OpenAI defined them, that says its words one by one. */
async function languageModel(words, pause) {
  const server = createServer(async (request, answer) => {
    for await (const _ of request);
    answer.writeHead(200, { "content-type": "text/event-stream" });
    const send = (choices, usage) => answer.write(`data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", model: "small", choices, usage })}\n\n`);
    for (const content of words) {
      send([{ index: 0, delta: { content }, finish_reason: null }]);
      await new Promise((go) => setTimeout(go, pause));
    }
    send([{ index: 0, delta: {}, finish_reason: "stop" }]);
    send([], { prompt_tokens: 1000, completion_tokens: 200, total_tokens: 1200 });
    answer.end("data: [DONE]\n\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

test("a language model's answer is written as it comes, named, counted, and its own numbers are marked", async () => {
  const words = ["**The** ", "answer ", "is ", "42.5 ", "days.\n\n", "- one ", "thing\n", "- <b>another</b>\n\n", "That ", "is ", "all."];
  // Slow enough that the page of a busy machine sees it being written.
  const model = await languageModel(words, 600);
  const served = await Program.start({
    env: {
      MLTRAINER_LLM_PROVIDER: "openai_compatible",
      MLTRAINER_LLM_URL: `http://127.0.0.1:${model.address().port}`,
      MLTRAINER_LLM_MODEL: "small",
      MLTRAINER_LLM_CUTOFF: "2024-12-31",
    },
  });
  try {
    await withPage(chrome, served, DESKTOP, async (page) => {
      await open(page, "/chat");
      await page.locator(".strip-model", { hasText: "small @ 127.0.0.1" }).filter({ hasText: "2024-12-31" }).waitFor();
      await input(page).fill("Good morning");
      await input(page).press("Enter");
      await page.waitForURL(/\/chat\/c-/);
      await hydrated(page);
      await answers(page).first().waitFor();
      await input(page).fill("How long does it take?");
      await input(page).press("Enter");
      // A part of it, before the whole is there.
      const draft = page.locator(".draft");
      await draft.filter({ hasText: /answer|days|thing/ }).waitFor();
      assert.equal(await answers(page).count(), 1);
      const answer = answers(page).nth(1);
      await answer.waitFor();
      assert.equal(await draft.count(), 0, "what was being written is stored now");
      assert.equal((await answer.locator(".unverified").first().textContent()).replace(/\s+/g, " "), "42.5 (unverified: no result holds this number)");
      assert.equal(await answer.locator("strong").first().textContent(), "The");
      assert.deepEqual(await answer.locator(".dashes li").allTextContents(), ["one thing", "<b>another</b>"]);
      await answer.locator(".answered-by", { hasText: "small @ 127.0.0.1" }).filter({ hasText: "1,200 tokens" }).filter({ hasText: "$0" }).waitFor();
      await page.locator(".strip-model", { hasText: "2,400 of" }).waitFor();
      await accessible(page, "a model's answer");
    });
  } finally {
    await served.stop();
    model.close();
  }
});
