// SPDX-License-Identifier: Apache-2.0
//
// Numbers and times as the console says them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ticks } from '../../certd/web/lib/chart.js';
import { bytes, duration, expiry, microseconds, number, pairs, plural, relative, short, some, word } from '../../certd/web/lib/format.js';

const DAY_S = 86400;

test('a time is told by the unit that fits it', () => {
	const told = [[0, 'just now'], [40, 'in less than a minute'], [-40, 'just now'], [3600, 'in 1 hour'], [-7200, '2 hours ago'],
		[DAY_S, 'tomorrow'], [12 * DAY_S, 'in 12 days'], [59 * DAY_S, 'in 59 days'], [90 * DAY_S, 'in 3 months'], [-3 * DAY_S + 60, '3 days ago']];
	for (const [by_s, words] of told)
		assert.equal(relative(1800000000 + by_s, 1800000000), words);
});

test('an expired certificate is told from one that expires today', () => {
	assert.equal(expiry(-1), 'expired yesterday');
	assert.equal(expiry(0), 'expires today');
	assert.equal(expiry(1), 'expires tomorrow');
	assert.equal(expiry(14), 'expires in 14 days');
});

test('durations and sizes have few digits', () => {
	assert.equal(duration(45), '45 s');
	assert.equal(duration(3900), '1 h 5 min');
	assert.equal(duration(DAY_S + 7200), '1 day 2 h');
	assert.equal(duration(30 * DAY_S), '30 days');
	assert.equal(microseconds(850), '850 µs');
	assert.equal(microseconds(2400), '2.4 ms');
	assert.equal(microseconds(1500000), '1.5 s');
	assert.equal(bytes(512), '512 B');
	assert.equal(bytes(1536), '1.5 KiB');
});

test('words of the API become words for people', () => {
	assert.equal(word('awaiting_verify'), 'Awaiting verify');
	assert.equal(word('dns_01'), 'dns-01');
	assert.equal(word('unspecified'), '–');
	assert.equal(plural(1, 'certificate'), '1 certificate');
	assert.equal(plural(1200, 'entry', 'entries'), '1,200 entries');
	assert.equal(some(['a', 'b', 'c', 'd']), 'a, b and 2 more');
	assert.equal(short('0123456789abcdef'), '0123456789ab…');
	assert.equal(pairs('abcdef'), 'ab:cd:ef');
	assert.equal(number(12345), '12,345');
});

test('an axis ends at or above its highest value', () => {
	for (const top of [0.004, 0.3, 1, 2, 3, 7, 11, 26, 99, 1001, 123456]) {
		const levels = ticks(top);
		assert.ok(levels.at(-1) >= top && levels.length <= 6, `${top}: ${levels}`);
		assert.ok(ticks(top, { whole: true }).every(Number.isInteger), `${top}`);
	}
	assert.deepEqual(ticks(0), [0, 1]);
});
