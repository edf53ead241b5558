// SPDX-License-Identifier: Apache-2.0
//
// "certificate 17", as histories and notices name what they are about, leads
// there, where there is a page of that kind.

import { h } from './dom.js';
import { href } from './router.js';

const PAGES = { certificate: 'certificates', resource: 'resources', enrollment: 'enrollments', change: 'changes', request: 'requests', plan: 'plans', edge: 'edges', account: 'accounts', notice: 'notices', key: 'keys' };

/** @param {string} object */
export function objectLink(object) {
	const [, kind, id] = /^([a-z]+) (\S+)$/.exec(object || '') || [];
	return PAGES[kind] ? h('a.whole-word', { href: href(`/${PAGES[kind]}/${encodeURIComponent(id)}`) }, object) : object || '–';
}
