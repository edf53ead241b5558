// SPDX-License-Identifier: Apache-2.0
//
// A plan's bar, with its numbers beside it.

import { h } from '../dom.js';
import { number, plural } from '../format.js';
import { partsOf } from './parts.js';

/** @param {Object} plan @param {{legend?: boolean}} [options] */
export function planBar(plan, options = {}) {
	const parts = partsOf(plan);
	const said = parts.filter(each => each.n).map(each => `${each.label.toLowerCase()}: ${number(each.n)}`).join(', ');
	return h('div.stack-s', h('div.parts', { role: 'img', 'aria-label': `${plural(plan.total, 'certificate')}; ${said}` },
		parts.filter(each => each.n).map(each => h(`span.part-${each.key}`, { vars: { '--part': `${each.percent}%` } }))),
	options.legend ? h('ul.parts-legend', parts.map(each => h('li', h(`span.swatch.part-${each.key}`), each.label, ' ', h('strong', number(each.n))))) : null);
}
