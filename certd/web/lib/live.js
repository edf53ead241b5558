// SPDX-License-Identifier: Apache-2.0
//
// What changes at certd, told as it happens (GET /v1/live, server-sent events).
// An event only names topics: whoever cares reads again by the API. When the
// stream was away everybody reads again, because something may have been missed.

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;
/* Browsers open six connections to a server: streams of other tabs must not take them all. */
const HIDDEN_MS = 10000;

/** @type {Set<{topics: string[], run: Function}>} */
const subscribers = new Set();
const watchers = new Set();
let source = null;
let state = 'closed';
let wait_ms = FIRST_WAIT_MS;
let timer = 0;
let hide_timer = 0;
let wanted = false;
let missed = false;

function setState(next) {
	state = next;
	watchers.forEach(run => run(state));
}

function tell(topics) {
	for (const each of [...subscribers]) {
		if (topics === null || each.topics.some(topic => topics.includes(topic)))
			each.run(topics);
	}
}

function onChanged(event) {
	try {
		const { topics } = JSON.parse(event.data);
		if (Array.isArray(topics))
			tell(topics);
	} catch {
		tell(null);
	}
}

function onOpen() {
	wait_ms = FIRST_WAIT_MS;
	setState('open');
	if (missed)
		tell(null);
	missed = true;
}

function drop() {
	clearTimeout(timer);
	source?.close();
	source = null;
}

function onError() {
	drop();
	setState('waiting');
	timer = setTimeout(connect, wait_ms * (0.75 + Math.random() / 2));
	wait_ms = Math.min(wait_ms * 2, LONGEST_WAIT_MS);
}

function connect() {
	drop();
	if (!wanted || document.hidden)
		return;
	source = new EventSource('/v1/live');
	source.addEventListener('open', onOpen);
	source.addEventListener('error', onError);
	source.addEventListener('changed', onChanged);
}

/* A page that nobody looks at holds no stream for long. */
function onVisibility() {
	clearTimeout(hide_timer);
	if (document.hidden) {
		hide_timer = setTimeout(() => {
			drop();
			setState('closed');
		}, HIDDEN_MS);
	} else if (wanted && !source) {
		wait_ms = FIRST_WAIT_MS;
		connect();
	}
}

/** Opens the stream, once somebody is logged in. */
export function startLive() {
	if (wanted)
		return;
	wanted = true;
	missed = false;
	document.addEventListener('visibilitychange', onVisibility);
	connect();
}

/** Closes it, when nobody is any more. */
export function stopLive() {
	wanted = false;
	document.removeEventListener('visibilitychange', onVisibility);
	drop();
	setState('closed');
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
