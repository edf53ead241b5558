// SPDX-License-Identifier: Apache-2.0
//
// Tabs that share one stream of events. Each tab is an instance of the module;
// EventSource, locks and the document are ours.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

const sources = [];
const hiders = new Set();

class Source extends EventTarget {
	constructor(url) {
		super();
		this.url = url;
		this.is_open = true;
		sources.push(this);
	}

	close() {
		this.is_open = false;
	}

	say(topics) {
		this.dispatchEvent(Object.assign(new Event('changed'), { data: JSON.stringify({ topics }) }));
	}
}

/* As many wait as there are; the first one leads. */
class Locks {
	queue = [];

	request(name, { signal }, run) {
		return new Promise((resolve, reject) => {
			const entry = { run: async () => { await run(); this.queue.shift(); resolve(); this.queue[0]?.run(); } };
			signal.addEventListener('abort', () => {
				const at = this.queue.indexOf(entry);
				if (at > 0) {
					this.queue.splice(at, 1);
					reject(new DOMException('', 'AbortError'));
				}
			});
			this.queue.push(entry);
			if (this.queue.length === 1)
				entry.run();
		});
	}
}

globalThis.EventSource = Source;
globalThis.document = { hidden: false, addEventListener: (_, run) => hiders.add(run), removeEventListener: (_, run) => hiders.delete(run) };

let instance = 0;
const tabs = [];

async function tab(position) {
	instance += 1;
	const live = await import(`../../certd/web/lib/live.js?tab=${instance}`);
	const heard = [];
	live.subscribe(['certificates'], topics => heard.push(topics));
	live.startLive(position);
	tabs.push(live);
	return { ...live, heard };
}

/* Messages between tabs have arrived, and answers to them: each round looks for some after its
   timeout, which comes first where both are due. */
async function passed() {
	for (let round = 0; round < 10; round += 1)
		await new Promise(done => setTimeout(() => setImmediate(done), 3));
}

const open = () => sources.filter(each => each.is_open);

function stateOf(live) {
	let state;
	live.watchLive(each => { state = each; })();
	return state;
}

beforeEach(() => {
	sources.length = 0;
	Object.defineProperty(globalThis, 'navigator', { value: { locks: new Locks() }, configurable: true });
});

afterEach(() => {
	tabs.splice(0).forEach(each => each.stopLive());
	globalThis.document.hidden = false;
});

test('many tabs hold one stream, and all hear what it says', async () => {
	const all = [await tab(), await tab(), await tab()];
	sources[0].dispatchEvent(new Event('open'));
	sources[0].say(['certificates', 'edges']);
	sources[0].say(['notices']);
	await passed();
	assert.equal(sources.length, 1);
	for (const each of all) {
		assert.deepEqual(each.heard, [['certificates', 'edges']]);
		assert.equal(stateOf(each), 'open');
	}
});

test('the first opening is told from the position of the session on, later ones of everything', async t => {
	const tick = mockTimeout(t);
	const { heard } = await tab('1.2.3');
	assert.equal(sources[0].url, '/v1/live?position=1.2.3');
	sources[0].dispatchEvent(new Event('open'));
	assert.deepEqual(heard, []);
	sources[0].dispatchEvent(new Event('error'));
	tick(60000);
	assert.equal(sources[1].url, '/v1/live');
	sources[1].dispatchEvent(new Event('open'));
	assert.deepEqual(heard, [null]);
});

test('a tab that comes later knows that the stream is open', async () => {
	await tab();
	sources[0].dispatchEvent(new Event('open'));
	const late = await tab();
	await passed();
	assert.equal(stateOf(late), 'open');
	assert.deepEqual(late.heard, []);
});

test('when the tab that leads is closed another takes its place, and all read again', async () => {
	const [first, second, third] = [await tab(), await tab(), await tab()];
	sources[0].dispatchEvent(new Event('open'));
	await passed();
	first.stopLive();
	await passed();
	assert.deepEqual(open(), [sources[1]]);
	sources[1].dispatchEvent(new Event('open'));
	sources[1].say(['certificates']);
	await passed();
	for (const each of [second, third])
		assert.deepEqual(each.heard, [null, ['certificates']]);
	assert.deepEqual(first.heard, []);
	assert.equal(stateOf(first), 'closed');
});

/* Timeouts that come when one says so: Node 18's own loses some. */
function mockTimeout(t) {
	const real = { setTimeout, clearTimeout };
	const due = new Map();
	let now_ms = 0;
	let last = 0;
	Object.assign(globalThis, {
		setTimeout: (run, ms) => { due.set(last += 1, { run, at_ms: now_ms + ms }); return last; },
		clearTimeout: id => due.delete(id),
	});
	t.after(() => Object.assign(globalThis, real));
	return ms => {
		now_ms += ms;
		for (const [id, each] of [...due]) {
			if (each.at_ms <= now_ms && due.delete(id))
				each.run();
		}
	};
}

test('after an interruption all read again', async t => {
	const tick = mockTimeout(t);
	const one = await tab();
	sources[0].dispatchEvent(new Event('open'));
	sources[0].dispatchEvent(new Event('error'));
	assert.equal(stateOf(one), 'waiting');
	tick(2000);
	sources[1].dispatchEvent(new Event('open'));
	assert.equal(stateOf(one), 'open');
	assert.deepEqual(one.heard, [null]);
});

test('a tab that nobody looks at leaves the stream to others, and reads again later', async t => {
	const tick = mockTimeout(t);
	const one = await tab();
	sources[0].dispatchEvent(new Event('open'));
	globalThis.document.hidden = true;
	hiders.forEach(run => run());
	tick(60000);
	assert.deepEqual(open(), []);
	globalThis.document.hidden = false;
	hiders.forEach(run => run());
	await Promise.resolve();
	assert.deepEqual(one.heard, [null]);
	assert.equal(sources.length, 2);
});

test('a browser without locks has a stream for each tab', async () => {
	Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
	const [first, second] = [await tab(), await tab()];
	sources.forEach(each => each.dispatchEvent(new Event('open')));
	sources[1].say(['certificates']);
	assert.equal(open().length, 2);
	assert.deepEqual([first.heard, second.heard], [[], [['certificates']]]);
});
