// SPDX-License-Identifier: Apache-2.0
//
// One stream of events, opened again by itself, later and later, when it ends.

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;

/* null: what came is not readable, so anything may have changed. */
function topicsOf(text) {
	try {
		const { topics } = JSON.parse(text);
		return Array.isArray(topics) ? topics : null;
	} catch {
		return null;
	}
}

/**
 * @param {function(): string} url of the next opening
 * @param {{onState: function('open'|'waiting'): void, onTopics: function(?string[]): void}} on topics: null: all of them
 * @returns {function(): void} end
 */
export function stream(url, on) {
	let wait_ms = FIRST_WAIT_MS;
	let timer = 0;
	let source = null;
	const connect = () => {
		source = new EventSource(url());
		source.addEventListener('open', () => {
			wait_ms = FIRST_WAIT_MS;
			on.onState('open');
		});
		source.addEventListener('error', () => {
			source.close();
			on.onState('waiting');
			timer = setTimeout(connect, wait_ms * (0.75 + Math.random() / 2));
			wait_ms = Math.min(wait_ms * 2, LONGEST_WAIT_MS);
		});
		source.addEventListener('changed', event => on.onTopics(topicsOf(event.data)));
	};
	connect();
	return () => {
		clearTimeout(timer);
		source.close();
	};
}
