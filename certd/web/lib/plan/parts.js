// SPDX-License-Identifier: Apache-2.0
//
// How far a plan is, and what it replaces. Knows no page.

/** @param {Object} plan @returns {{key: string, label: string, n: number, percent: number}[]} they add up to its total */
export function partsOf(plan) {
	const { total, done } = plan;
	const failing = Math.min(plan.failing, Math.max(0, total - done));
	const under_way = Math.min(plan.under_way, Math.max(0, total - done - failing));
	const left = Math.max(0, total - done - failing - under_way);
	const part = n => total ? 100 * n / total : 0;
	return [
		{ key: 'done', label: 'Replaced', n: done, percent: part(done) }, { key: 'under-way', label: 'Under way', n: under_way, percent: part(under_way) },
		{ key: 'failing', label: 'Failing, tried again', n: failing, percent: part(failing) }, { key: 'left', label: 'Still to come', n: left, percent: part(left) },
	];
}

/** What it replaces, in words. @param {Object} asked of the plan @returns {[string, string][]} */
export function askedOf(asked) {
	return [['CA', asked.authority], ['Issuer', asked.issuer], ['Key', asked.key], ['Pool', asked.pool], ['Profile', asked.profile], ['Account', asked.account]].filter(each => each[1]);
}

/** In one line. @param {Object} asked */
export function titleOf(asked) {
	const list = askedOf(asked).map(([label, value]) => `${label === 'CA' ? label : label.toLowerCase()} ${label === 'Key' ? `${value.slice(0, 12)}…` : value}`).join(', ');
	return list ? `Everything of ${list}` : 'Replacement';
}

const UNITS = { hours: 3600, days: 86400 };

/** @param {number} n @param {'hours'|'days'} unit @returns {number} seconds */
export function seconds(n, unit) {
	return Math.round(n * UNITS[unit]);
}
