// SPDX-License-Identifier: Apache-2.0
//
// Host names of resources: which certificates cover them, what is added and
// what is taken away. Knows no page.

/** As certd writes it: lower case, without a dot at the end. @param {string} name */
export function plainName(name) {
	return name.trim().toLowerCase().replace(/\.$/, '');
}

/** Does a name of a certificate cover a host name? A "*" stands for one label (RFC 6125 6.4.3). */
export function nameCovers(pattern, hostname) {
	const wanted = plainName(hostname);
	const given = plainName(pattern);
	if (given === wanted)
		return true;
	const dot = wanted.indexOf('.');
	return given.startsWith('*.') && dot > 0 && !wanted.startsWith('*.') && given.slice(2) === wanted.slice(dot + 1);
}

/** Does it cover all of them, of which there is at least one? @param {string[]} patterns of a certificate @param {string[]} hostnames */
export function coversAll(patterns, hostnames) {
	return hostnames.length > 0 && hostnames.every(hostname => patterns.some(pattern => nameCovers(pattern, hostname)));
}

/** @param {string[]} before @param {string[]} after @returns {{added: string[], removed: string[]}} */
export function differenceOf(before, after) {
	const was = new Set(before.map(plainName));
	const is = new Set(after.map(plainName));
	return { added: [...is].filter(each => !was.has(each)), removed: [...was].filter(each => !is.has(each)) };
}

/** Two of one kind of key cannot be bound together: an edge serves one of each. @param {{id: number, key_algorithm: string}[]} chosen */
export function sameKind(chosen) {
	const kinds = chosen.map(each => each.key_algorithm.split(/[-_]/)[0]);
	return kinds.some((kind, i) => kinds.indexOf(kind) !== i);
}

/** The record that leads a host name to the edges, as a line of a zone file. @param {string} hostname @param {string} target */
export function cnameOf(hostname, target) {
	return `${plainName(hostname)}. 300 IN CNAME ${target}.`;
}

/**
 * What a diagnosis found by host name, the worst first.
 * @param {string[]} hostnames @param {Object[]} findings
 * @returns {Map<string, ?Object[]>} what did not pass; null: it was not looked at
 */
export function troublesOf(hostnames, findings) {
	const weight = { fail: 0, warning: 1 };
	const of = name => findings.filter(each => each.hostname === name);
	return new Map(hostnames.map(name => [name, of(name).length
		? of(name).filter(each => each.result in weight).sort((a, b) => weight[a.result] - weight[b.result]) : null]));
}
