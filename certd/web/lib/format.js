// SPDX-License-Identifier: Apache-2.0
//
// Numbers, words and times for people. Times of the API are seconds since 1970.

import { h } from './dom.js';

const DAY_S = 86400;
const STEPS = [['year', 365 * DAY_S], ['month', 30 * DAY_S], ['day', DAY_S], ['hour', 3600], ['minute', 60]];

const relative_format = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const date_format = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const time_format = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });
const full_format = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const number_format = new Intl.NumberFormat('en');

/** @returns {number} now, in seconds */
export function now() {
	return Date.now() / 1000;
}

/** '28 Nov 2026', as the viewer's locale has it; '–' for 0 */
export function date(at_s) {
	return at_s ? date_format.format(at_s * 1000) : '–';
}

/** The same with hours and minutes. */
export function dateTime(at_s) {
	return at_s ? time_format.format(at_s * 1000) : '–';
}

/** 'in 12 days', '3 hours ago', 'just now' */
export function relative(at_s, from_s = now()) {
	const by_s = at_s - from_s;
	for (const [unit, length_s] of STEPS) {
		/* Two months are told in days: a certificate's end is counted so, and in whole ones, as certd counts them. */
		const many = unit === 'month' ? 60 * DAY_S : unit === 'year' ? 700 * DAY_S : length_s;
		if (Math.abs(by_s) >= many)
			return relative_format.format((unit === 'day' && by_s > 0 ? Math.floor : Math.round)(by_s / length_s), unit);
	}
	return by_s > 15 ? 'in less than a minute' : 'just now';
}

/**
 * A time as an element, with all of it in its title.
 * @param {number} at_s @param {'date'|'time'|'relative'|'both'} [as] both: the date, and the relative time under it
 */
export function when(at_s, as = 'time') {
	if (!at_s)
		return h('span.quiet', '–');
	const when_ms = new Date(at_s * 1000);
	const props = { datetime: when_ms.toISOString(), title: full_format.format(when_ms) };
	if (as === 'both')
		return h('time.num', props, date(at_s), h('span.under', relative(at_s)));
	return h('time.num', props, { date, time: dateTime, relative }[as](at_s));
}

/** '2 h 5 min', '45 s', '3 days' */
export function duration(seconds) {
	const total = Math.round(seconds);
	if (total < 60)
		return `${total} s`;
	if (total < 3600)
		return `${Math.floor(total / 60)} min${total % 60 ? ` ${total % 60} s` : ''}`;
	if (total < DAY_S)
		return `${Math.floor(total / 3600)} h${Math.floor(total % 3600 / 60) ? ` ${Math.floor(total % 3600 / 60)} min` : ''}`;
	const days = Math.floor(total / DAY_S);
	const hours = Math.floor(total % DAY_S / 3600);
	return plural(days, 'day') + (days < 3 && hours ? ` ${hours} h` : '');
}

/** Microseconds: '850 µs', '2.4 ms', '1.2 s' */
export function microseconds(us) {
	if (us < 1000)
		return `${Math.round(us)} µs`;
	if (us < 1000000)
		return `${(us / 1000).toFixed(us < 10000 ? 1 : 0)} ms`;
	return `${(us / 1000000).toFixed(1)} s`;
}

/** '12,345' */
export function number(n) {
	return number_format.format(n);
}

/** '1 certificate', '12 certificates' */
export function plural(n, one, many = `${one}s`) {
	return `${number(n)} ${n === 1 ? one : many}`;
}

/** Whole days until a time, as certd counts expires_in_days: below 0 once it is past. @param {number} at_s */
export function daysLeft(at_s) {
	return Math.floor((at_s - now()) / DAY_S);
}

/** 'expires in 12 days', 'expires today', 'expired 3 days ago' @param {number} days as expires_in_days */
export function expiry(days) {
	if (days < 0)
		return `expired ${relative_format.format(days, 'day')}`;
	return `expires ${relative_format.format(days, 'day')}`;
}

/** 'a, b and 3 more' @param {string[]} items */
export function some(items, shown = 2) {
	if (items.length <= shown + 1)
		return items.join(', ');
	return `${items.slice(0, shown).join(', ')} and ${items.length - shown} more`;
}

const OWN_NAMES = /^(?:keyd|certd|edged|holdfast)\b/;

/**
 * certd's sentences begin as they do in a log: "there is no such certificate". What begins with a place or a name keeps it:
 * "email: ...", "a.example is ...".
 */
export function sentence(text) {
	const begins = /^[a-z]+ /.test(text) && !OWN_NAMES.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
	return !begins || /[.!?:]$/.test(begins) ? begins : `${begins}.`;
}

/** Hex in pairs: 'ab:cd:ef' */
export function pairs(hex) {
	return hex.replace(/(..)(?=.)/g, '$1:');
}

/** The begin of a fingerprint or a key id. */
export function short(hex, length = 12) {
	return hex.length > length + 1 ? `${hex.slice(0, length)}…` : hex;
}

/** 'KiB' and so on. */
export function bytes(n) {
	const units = ['B', 'KiB', 'MiB', 'GiB'];
	let value = n;
	let i = 0;
	for (; value >= 1024 && i < units.length - 1; i++)
		value /= 1024;
	return `${i && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[i]}`;
}

const WORDS = {
	acme: 'ACME', dns_01: 'dns-01', http_01: 'http-01', dns_01_by_hand: 'dns-01 by hand', dns_persist_01: 'dns-persist-01',
	ecdsa_p256: 'EC P-256', ecdsa_p384: 'EC P-384', ec_p256: 'EC P-256', ec_p384: 'EC P-384',
	rsa_2048: 'RSA 2048', rsa_3072: 'RSA 3072', rsa_4096: 'RSA 4096', ed25519: 'Ed25519', unspecified: '–', '': '–',
};

/** An enum's value for people: 'awaiting_verify' is 'Awaiting verify'. */
export function word(value) {
	if (value in WORDS)
		return WORDS[value];
	const text = value.replaceAll('_', ' ');
	return text[0].toUpperCase() + text.slice(1);
}
