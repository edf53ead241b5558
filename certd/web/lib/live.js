// SPDX-License-Identifier: Apache-2.0
//
// What changes at certd, told as it happens (GET /v1/live, server-sent events).
// An event only names topics: whoever cares reads again by the API. When the
// stream was away everybody reads again, because something may have been missed.
//
// Browsers hold few connections to a server, so tabs share one stream: who has
// the lock leads, and passes on what it hears. A tab that nobody looks at
// leaves it to others, and reads again when somebody comes back to it.

import { stream } from './live_stream.js';

const NAME = 'holdfast.live';
const HIDDEN_MS = 60000;

/** @type {Set<{topics: string[], run: Function}>} */
const subscribers = new Set();
const watchers = new Set();
let state = 'closed';
let wanted = false;
let missed = false;
/** Of a session's answer, from before anything was read. @type {string} */
let position = '';
let hide_timer = 0;
/** While it takes part: how to leave. @type {?function(): void} */
let leave = null;

function setState(next) {
	if (next === state)
		return;
	state = next;
	watchers.forEach(run => run(state));
}

/* null: anything may have changed. */
function tell(topics) {
	for (const each of [...subscribers]) {
		if (topics === null || each.topics.some(topic => topics.includes(topic)))
			each.run(topics);
	}
}

/* As it is heard, from the stream or from the tab that leads. */
function hear(said) {
	if (said.state)
		setState(said.state);
	if (said.topics !== undefined)
		tell(said.topics);
}

/* At an opening whatever came before was missed, except in the first tab: that is told from its position on. */
function lead(pass) {
	return stream(() => missed || !position ? '/v1/live' : `/v1/live?position=${encodeURIComponent(position)}`, {
		onState(next) {
			pass({ state: next, topics: next === 'open' && missed ? null : undefined });
			missed = true;
		},
		onTopics: topics => pass({ topics }),
	});
}

function alone() {
	return lead(hear);
}

function together() {
	const channel = new BroadcastChannel(NAME);
	const stop = new AbortController();
	let leads = false;
	const pass = said => {
		hear(said);
		channel.postMessage(said);
	};
	channel.onmessage = ({ data }) => {
		if (!data.asks) {
			missed = true;
			hear(data);
		} else if (leads) {
			channel.postMessage({ state });
		}
	};
	channel.postMessage({ asks: true });
	navigator.locks.request(NAME, { signal: stop.signal }, () => new Promise(resolve => {
		leads = true;
		const end = lead(pass);
		stop.signal.addEventListener('abort', () => {
			end();
			resolve();
		});
	})).catch(() => {});
	return () => {
		stop.abort();
		channel.close();
	};
}

function join() {
	if (!wanted || leave || document.hidden)
		return;
	/* It may have been away for long. */
	if (missed)
		tell(null);
	leave = globalThis.navigator?.locks && globalThis.BroadcastChannel ? together() : alone();
}

function part() {
	leave?.();
	leave = null;
	setState('closed');
}

function onVisibility() {
	clearTimeout(hide_timer);
	if (document.hidden)
		hide_timer = setTimeout(part, HIDDEN_MS);
	else
		join();
}

/** Takes part, once somebody is logged in. @param {string} [from] live_position of the session */
export function startLive(from = '') {
	if (wanted)
		return;
	wanted = true;
	position = from;
	missed = false;
	document.addEventListener('visibilitychange', onVisibility);
	join();
}

/** Ends it, when nobody is any more. */
export function stopLive() {
	wanted = false;
	clearTimeout(hide_timer);
	document.removeEventListener('visibilitychange', onVisibility);
	part();
}

/**
 * @param {string|string[]} topics 'certificates', 'changes', 'resources', 'edges', 'notices', 'history'
 * @param {Function} run called after each change of one of these @param {AbortSignal} [signal] ends it
 * @returns {Function} stop
 */
export function subscribe(topics, run, signal) {
	const entry = { topics: [topics].flat(), run };
	const stop = () => subscribers.delete(entry);
	subscribers.add(entry);
	signal?.addEventListener('abort', stop, { once: true });
	return stop;
}

/** @param {Function} run told 'open', 'waiting' or 'closed', now and on each change @returns {Function} stop */
export function watchLive(run) {
	watchers.add(run);
	run(state);
	return () => watchers.delete(run);
}
