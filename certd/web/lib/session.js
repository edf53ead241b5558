// SPDX-License-Identifier: Apache-2.0
//
// Who is logged in, and what they may do. What is refused here is refused by
// certd as well: this only keeps buttons away that would lead nowhere.

import { request, setCsrf } from './api.js';

const listeners = new Set();

/** @type {?Object} the answer of GET /v1/session; null: nobody */
let current = null;

export const session = {
	/** Nobody: null. */
	get data() { return current; },
	get user() { return current?.user || null; },
	/** 'acme'; '' for operators, who see all. */
	get account() { return current?.account || ''; },
	/** 'administrator', 'engineer', 'viewer', 'auditor', 'operator' */
	get role() { return current?.role || ''; },
	get isOperator() { return Boolean(current?.is_operator); },
	/** Operators, and auditors of the whole: they see all accounts. */
	get seesAll() { return Boolean(current && !current.user); },
	/** For people: the name, else the e-mail address, else "operator/admin". */
	get label() { return current?.user?.name || current?.user?.email || current?.actor || ''; },
	/** May add, change, delete. */
	get mayChange() { return may('change'); },
	/** May manage the account: users, tokens, contacts. */
	get mayManage() { return may('managers'); },
	may,
	load,
	refresh,
	enter,
	leave,
	/** A call of the API answered the session as it is now (a password was set ...). @param {Object} data */
	adopt: data => set({ ...current, ...data }),
	/** Told after each change of the session. @param {Function} run @returns {Function} stop */
	onChange(run) {
		listeners.add(run);
		return () => listeners.delete(run);
	},
};

const MAY = {
	all: () => true,
	change: role => role === 'administrator' || role === 'engineer',
	managers: role => role === 'administrator',
	'managers, auditors': role => role === 'administrator' || role === 'auditor',
	'engineers, auditors': role => role !== 'viewer',
	operators: () => false,
	/* Auditors of the whole: those of an account are users of it. */
	'operators, auditors': () => !current.user,
};

/** @param {string} who a word of MAY, as the table in routes.js has them @returns {boolean} */
function may(who) {
	if (!current)
		return false;
	if (!MAY[who])
		throw new TypeError(`session.may(): '${who}' is not one of: ${Object.keys(MAY).join(' · ')}`);
	return Boolean(current.is_operator) || MAY[who](current.role);
}

function set(data) {
	current = data;
	setCsrf(data?.csrf_token);
	listeners.forEach(run => run(current));
	return current;
}

/** Asks certd. @returns {Promise<?Object>} null: nobody is logged in */
async function load() {
	try {
		return set(await request('GET', '/session', { quiet: true }));
	} catch (problem) {
		if (problem.status === 401)
			return set(null);
		throw problem;
	}
}

/** Asks again, while somebody is in; that the session has ended is told as for every call. */
async function refresh() {
	return set(await request('GET', '/session'));
}

/**
 * Logs in. Throws the Problem: 401 wrong, 409 with reason TOTP_REQUIRED or ACCOUNT_REQUIRED, 429 with retry_after_s.
 * @param {'password'|'link'|'certificate'} how @param {Object} body as the API takes it
 */
async function enter(how, body) {
	const path = { password: '/sessions', link: '/sessions:link', certificate: '/sessions:certificate' }[how];
	return set(await request('POST', path, { body, key: null, quiet: true }));
}

/** Logs out, here and at certd. */
async function leave() {
	try {
		await request('DELETE', '/session', { quiet: true });
	} finally {
		set(null);
	}
}

/** The session has ended by itself: forget it. */
export function forget() {
	set(null);
}
