// SPDX-License-Identifier: Apache-2.0
//
// Certificates: what there is, what uses it, and what needs care soon.

import { accountColumn, accountFilters } from '../lib/account.js';
import { keyName, kindBadge, resourceLinks } from '../lib/certificate/words.js';
import { linkButton } from '../lib/button.js';
import { h } from '../lib/dom.js';
import { some } from '../lib/format.js';
import { page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { expiryMark, expiryTime } from '../lib/status.js';
import { listView } from '../lib/table.js';

export const title = 'Certificates';

const KINDS = [['', 'Personal and shared'], ['personal', 'Personal'], ['shared', 'Shared'], ['acme', 'ACME']];
const EXPIRES = [['', 'Any expiry'], ['1', 'Within a day, or expired'], ['7', 'Within 7 days'], ['14', 'Within 14 days'], ['30', 'Within 30 days'], ['90', 'Within 90 days']];

function nameCell(certificate) {
	return [h('span.row', h('a', { href: href(`/certificates/${certificate.id}`) }, certificate.name), expiryMark(certificate.expires_in_days),
		certificate.kind === 'personal' ? null : kindBadge(certificate.kind)),
	h('span.under', some(certificate.hostnames.filter(each => each !== certificate.name), 3))];
}

function columns(ctx) {
	return [
		{ label: 'Name', sort: 'name', class: 'main', cell: nameCell },
		{ label: 'Used by', cell: each => resourceLinks(each.resources, each.bound) },
		{ label: 'Key', class: 'fit', cell: each => keyName(each.key?.algorithm) },
		accountColumn(ctx),
		{ label: 'Expires', sort: 'expires', class: 'fit', cell: each => expiryTime(each.not_after_s) },
		{ label: 'Id', sort: 'id', desc: true, class: 'fit num', cell: each => each.id },
	].filter(Boolean);
}

async function filters(ctx) {
	return [...await accountFilters(ctx), { name: 'kinds', label: 'Kind', options: KINDS }, { name: 'expires_within_days', label: 'Expiry', options: EXPIRES },
		{ name: 'unused', label: 'Unused' }];
}

export async function render(ctx) {
	const add = options => linkButton('Add a certificate', '/certificates/new', { icon: 'plus', ...options });
	const request = () => linkButton('Request one (CSR)', '/requests/new', { icon: 'request' });
	const may = ctx.session.mayChange;
	return page({ title, lead: 'Those that you add, and the operator\'s shared ones. What is obtained by itself stands under Enrollments, and in its resource.',
		actions: may ? [request(), add({ kind: 'primary' })] : null },
	listView(ctx, {
		caption: title, one: 'certificate', search: 'Name, host name or fingerprint', order: '-id', topics: ['certificates', 'resources'],
		filters: await filters(ctx), columns: columns(ctx), path: each => `/certificates/${each.id}`,
		load: query => ctx.api.list('/certificates', 'certificates', query),
		empty: { icon: 'certificate', title: 'No certificates yet',
			text: 'Add one that you have: its private key is wrapped for the token in your browser. Or request one, whose key is made in the token. A resource can also have its certificate obtained by itself.',
			actions: may ? [add({ kind: 'primary' }), request()] : null },
	}));
}
